""" "Where does this stand in my list?" on the page of an item."""

from django.test import Client

from recommender.models import Served
from tests.factories import give

HTMX = {"HX-Request": "true"}


def test_the_page_of_an_item_asks_where_it_stands(web, films):
    page = web.get(f"/items/{films[0].uuid}/").content.decode()
    assert f'hx-get="/why-not/{films[0].uuid}/"' in page
    assert f'<a href="/why-not/{films[0].uuid}/">' in page


def test_it_is_told_at_which_stage_an_item_fell(web, alice, films):
    give(alice, films[0])
    cards = web.get("/").context["cards"]
    shown = cards[0]["item"]["id"]
    told = web.get(f"/why-not/{shown}/", headers=HTMX).content.decode()
    assert "It was shown, at place 1." in told
    assert f'href="/why/{Served.objects.get().pk}/{shown}/"' in told
    assert "<html" not in told
    told = web.get(f"/why-not/{films[0].uuid}/", headers=HTMX).content.decode()
    assert "You had already said something about it." in told
    listed = {card["item"]["id"] for card in cards}
    left_out = next(film for film in films[1:] if str(film.uuid) not in listed)
    told = web.get(f"/why-not/{left_out.uuid}/", headers=HTMX).content.decode()
    assert "By relevance it stood at" in told or "by relevance it stood at" in told


def test_it_speaks_of_the_newest_list(web, alice, films):
    first = web.get("/").context["cards"][0]["item"]["id"]
    give(alice, next(film for film in films if str(film.uuid) == first))
    web.get("/")
    told = web.get(f"/why-not/{first}/", headers=HTMX).content.decode()
    assert "You had already said something about it." in told


def test_without_scripts_it_is_a_page(web, films):
    web.get("/")
    page = web.get(f"/why-not/{films[0].uuid}/").content.decode()
    assert "<h1>Where does this stand in my list?<small>Crime at the 0th mile" in page
    assert f'href="/items/{films[0].uuid}/"' in page


def test_without_a_list_it_says_so(web, films):
    page = web.get(f"/why-not/{films[0].uuid}/").content.decode()
    assert "There is no list of yours yet that could say it." in page


def test_a_visitor_is_sent_to_sign_in_and_what_is_not_shown_is_missing(web, visitor, films):
    assert "/why-not/" not in visitor.get(f"/items/{films[0].uuid}/").content.decode()
    assert visitor.get(f"/why-not/{films[0].uuid}/")["Location"].startswith("/sign-in/")
    films[0].is_available = False
    films[0].save(update_fields=["is_available"])
    assert web.get(f"/why-not/{films[0].uuid}/").status_code == 404


def test_another_persons_lists_say_nothing(web, films, bob):
    web.get("/")
    stranger = Client()
    stranger.force_login(bob)
    page = stranger.get(f"/why-not/{films[0].uuid}/").content.decode()
    assert "There is no list of yours yet" in page
