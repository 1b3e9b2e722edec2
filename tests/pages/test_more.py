"""Show more: the next page of a list below it; and what of it came into sight is told."""

import re

from django.urls import reverse

from catalog import services
from recommender.models import SeenItem, SeenPlaces, Served
from tests.factories import make_person

HTMX = {"headers": {"HX-Request": "true"}}


def titles(page: str) -> list[str]:
    return re.findall(r"<h2><a [^>]*>([^<]+)</a></h2>", page)


def more_of(page: str) -> str:
    return re.search(r'id="more"><a [^>]*href="([^"]+)"', page)[1].replace("&amp;", "&")


def test_more_is_a_plain_link_and_to_htmx_the_next_cards_alone(web, films):
    first = web.get("/").content.decode()
    link = more_of(first)
    plain = web.get(link).content.decode()
    part = web.get(link, **HTMX).content.decode()
    assert "<html" in plain
    assert "<html" not in part
    assert titles(part) == titles(plain)
    assert len(titles(first) + titles(plain)) == len(films)
    assert not set(titles(first)) & set(titles(plain))
    assert 'id="more"' not in part  # there is no more


def test_more_of_a_list_that_is_not_theirs_begins_a_new_one(web, visitor, films):
    link = more_of(visitor.get("/").content.decode())
    assert web.get(link).url == "/"
    assert web.get(link, **HTMX).headers["HX-Redirect"] == "/"
    assert web.get("/?cursor=x").url == "/"


def test_what_came_into_sight_is_told_to_the_site(web, alice, films):
    page = web.get("/").content.decode()
    served = Served.objects.get()
    assert f'data-list="{served.pk}"' in page
    told = {"list": served.pk, "positions": "1,3"}
    assert web.post(reverse("seen"), told).status_code == 204
    assert SeenPlaces.objects.get().places == [1, 3]
    seen = SeenItem.objects.filter(user=alice).values_list("item_id", flat=True)
    assert set(seen) == {served.item_ids[0], served.item_ids[2]}


def test_telling_needs_the_token_a_list_of_ones_own_and_ranks(web, strict, visitor, films):
    web.get("/")
    served = Served.objects.get()
    told = {"list": served.pk, "positions": "1"}
    assert strict.post(reverse("seen"), told).status_code == 403
    assert visitor.post(reverse("seen"), told).status_code == 400
    for wrong in ({"positions": "21"}, {"positions": "0"}, {"positions": "1;2"}, {"list": "x"}):
        assert web.post(reverse("seen"), told | wrong).status_code == 400
    assert not SeenPlaces.objects.exists()


def test_a_page_of_somebody_who_did_not_agree_tells_nothing(client, films):
    client.force_login(make_person("carol", agrees=False))
    assert "data-list" not in client.get("/").content.decode()


def test_whoever_withdraws_while_a_page_stands_open_is_told_so_and_nothing_is_kept(
    web, alice, films
):
    web.get("/")
    served = Served.objects.get()
    services.set_consent(alice, False)
    told = {"list": served.pk, "positions": "1"}
    assert web.post(reverse("seen"), told).status_code == 400
    assert not SeenPlaces.objects.exists()
