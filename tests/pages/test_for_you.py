"""The list as a page: cards, slider, report, for visitors and for people."""

import re

import pytest
from django.urls import reverse

from recommender import store
from recommender.models import Served
from tests.factories import give
from tests.pages.conftest import make_films

HTMX = {"HX-Request": "true"}


def titles(response) -> list[str]:
    return [card["item"]["title"] for card in response.context["cards"]]


def test_a_visitor_sees_a_list_an_explanation_and_a_way_to_sign_up(visitor, films):
    response = visitor.get("/?diversity=0.5")
    page = response.content.decode()
    assert len(titles(response)) == 20
    assert "We do not know you yet" in page
    assert "You are not signed in" in page
    assert 'href="/sign-up/?next=%2F%3Fdiversity%3D0.5"' in page


def test_a_card_shows_title_year_kinds_creators_match_and_reason(web, films):
    page = web.get("/").content.decode()
    card = re.search(r'<article class="card">.*?</article>', page, re.S)[0]
    assert re.search(r"<h2><a href=\"/items/[0-9a-f-]{36}/\">\w+ at the \d+th mile</a></h2>", card)
    assert re.search(r">(Crime|Comedy|Western|Romance|Horror)</li>", card)
    assert re.search(r"Director \d+", card)
    assert re.search(r"match \d{1,3} %", card)
    assert 'class="reason"' in card
    assert "<img" not in card


def test_a_picture_is_shown_only_when_it_comes_over_https(web, films):
    films[0].image_url, films[1].image_url = "https://a.test/1.jpg", "javascript:alert(1)"
    films[0].save()
    films[1].save()
    page = web.get("/").content.decode() + web.get(f"/items/{films[1].uuid}/").content.decode()
    assert page.count('<img src="https://a.test/1.jpg" alt=""') <= 1
    assert "javascript:" not in page


def test_the_report_says_in_plain_words_how_varied_the_list_is(web, films):
    response = web.get("/")
    report = response.context["report"]
    page = response.content.decode()
    assert f"<b>{report['kinds']}</b> kinds in 20" in page
    assert f"the largest is <b>{report['largest']} %</b>" in page
    assert f"<b>{report['kept']} %</b> of relevance kept" in page
    assert f"distance <b>{report['distance']}</b>" in page


def test_the_slider_of_a_person_is_kept(web, alice, films):
    response = web.post("/", {"diversity": "0.8"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert store.tuning_of(alice.pk).diversity == 0.8
    assert web.get("/").context["tune"]["diversity"] == "0.80"
    assert Served.objects.latest("served_at").settings["diversity"] == 0.8


def test_with_htmx_the_slider_brings_the_list_alone(web, alice, films):
    response = web.post("/", {"diversity": "0.8"}, headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 200
    assert page.startswith('<section id="list"')
    assert 'hx-swap-oob="innerHTML:#report"' in page
    assert "<html" not in page
    assert store.tuning_of(alice.pk).diversity == 0.8


def test_looking_at_another_diversity_changes_nothing_that_is_kept(web, alice, films):
    assert web.get("/?diversity=0.8").context["tune"]["diversity"] == "0.80"
    assert store.tuning_of(alice.pk).diversity is None


def test_a_wrong_diversity_is_passed_over(web, alice):
    for wrong in ("", "2", "-0.1", "nan", "inf", "much", "\x00", "1e999"):
        assert web.get("/", {"diversity": wrong}).status_code == 200
        assert web.post("/", {"diversity": wrong}).status_code == 302
        assert store.tuning_of(alice.pk).diversity is None


def test_a_list_of_things_judged_or_of_nothing_says_so(web, alice, db):
    assert "There is nothing to recommend yet" in web.get("/").content.decode()


def test_without_history_a_person_is_told_how_the_list_learns(web, alice, films):
    assert "Like two or three things" in web.get("/").content.decode()


def test_after_likes_the_list_gives_reasons_and_the_hint_goes(web, alice, films):
    for film in films[:3]:
        give(alice, film)
    page = web.get("/").content.decode()
    assert "which you liked" in page
    assert "Like two or three things" not in page


def test_no_cache_keeps_a_page(web, visitor, films):
    shown = ["/", f"/items/{films[0].uuid}/", "/search/?q=mile"]
    of_person, of_visitor = [*shown, "/account/"], [*shown, "/sign-in/", "/sign-up/"]
    for client, addresses in ((web, of_person), (visitor, of_visitor)):
        for address in addresses:
            caching = client.get(address)["Cache-Control"]
            assert "private" in caching
            assert "no-store" in caching


@pytest.mark.parametrize("size", [30, 300])
def test_the_page_makes_nine_statements_at_any_size(
    alice, web, size, django_assert_num_queries, settings
):
    films = make_films(size)
    for film in films[:5]:
        give(alice, film)
    # session; person; savepoint, person side, items touched, candidates, facts, served, release
    with django_assert_num_queries(9):
        assert len(web.get(reverse("for-you")).context["cards"]) == 20
