"""More cards in place, and impressions told by the page itself."""

import time

import pytest

from recommender.models import SeenPlaces, Served


@pytest.mark.parametrize("width", [390, 1280])
def test_more_comes_in_place_and_what_came_into_sight_is_told(open_page, alice, width):
    page = open_page("/", person=alice, width=width)
    assert page.locator(".cards > li").count() == 20
    page.get_by_role("link", name="Show more").click()
    page.locator(".cards > li").nth(25).wait_for()
    assert page.get_by_role("link", name="Show more").count() == 0
    assert page.evaluate("document.activeElement.matches('.cards + .cards')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    second = Served.objects.order_by("-id").first()
    for _ in range(50):
        if SeenPlaces.objects.filter(pk=second.pk).exists():
            break
        time.sleep(0.2)
    places = SeenPlaces.objects.get(pk=second.pk).places
    assert places[0] == 1
    assert len(second.item_ids) == 6
