"""The page of one item, and search."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from catalog.models import Attribute
from recommender import embed, understand
from recommender.embeddings.encoder import EncoderError
from tests.factories import make_item


def test_an_item_page_shows_all_that_is_known(web, db):
    Attribute.objects.create(name="has-subtitles", type="boolean")
    item = make_item(
        "The Long Road",
        categories=["western"],
        creator="Maria Ford",
        description="A road, and who walks it.",
        language="en",
        published_at=datetime(1999, 1, 1, tzinfo=UTC),
        url="https://example.org/road",
        price="12.50",
        currency="EUR",
        latitude=48.2,
        longitude=16.37,
        attributes={"has-subtitles": True},
    )
    page = web.get(f"/items/{item.uuid}/").content.decode()
    for fact in (
        "<h1>The Long Road</h1>",
        ">Western</li>",
        "Maria Ford",
        "A road, and who walks it.",
        "<dt>Language</dt><dd>English</dd>",
        "<dt>Published</dt><dd>1999</dd>",
        'href="https://example.org/road" rel="noopener noreferrer nofollow"',
        "<dt>Price</dt><dd>12.50 EUR</dd>",
        "<dt>Place</dt><dd>48.2000, 16.3700</dd>",
        "<dt>has-subtitles</dt><dd>yes</dd>",
    ):
        assert fact in page


def test_a_day_of_publication_is_shown_as_a_day(web):
    item = make_item("Today", published_at=datetime(1999, 3, 2, tzinfo=UTC))
    assert "<dd>March 2, 1999</dd>" in web.get(f"/items/{item.uuid}/").content.decode()


def test_more_like_this_is_of_the_same_kind_and_not_the_item_itself(web, films):
    response = web.get(f"/items/{films[0].uuid}/")
    near = [card["item"]["title"] for card in response.context["cards"]]
    assert len(near) == 12
    assert films[0].title not in near
    assert near[0].startswith("Crime")
    assert "More like this" in response.content.decode()


def test_topics_that_items_share_lead_to_a_search_and_own_keywords_do_not(web, db):
    items = [make_item(f"blue kettle & lid {word}") for word in ("one", "two", "three")]
    alone = make_item("garden chair")
    embed.embed_everything()
    understand.understand_everything()
    page = web.get(f"/items/{items[0].uuid}/").content.decode()
    assert '<a href="/search/?q=blue%20kettle" lang="en">blue kettle</a>' in page
    assert 'class="topics"' not in web.get(f"/items/{alone.uuid}/").content.decode()


def test_an_address_that_is_no_web_address_is_no_link(web):
    item = make_item("Odd", url="javascript:alert(1)")
    assert "javascript:" not in web.get(f"/items/{item.uuid}/").content.decode()


@pytest.mark.parametrize("state", ["unknown", "removed", "not available"])
def test_what_is_not_shown_has_no_page(web, pair, state):
    film = pair[0]
    if state == "removed":
        film.removed_at = datetime.now(UTC)
    film.is_available = state != "not available"
    film.save()
    uuid = uuid4() if state == "unknown" else film.uuid
    response = web.get(f"/items/{uuid}/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_search_finds_by_words(web, films):
    item = make_item("Lantern song")
    embed.embed_everything()
    response = web.get("/search/?q=lantern")
    assert response.context["cards"][0]["item"]["title"] == item.title
    assert '<input type="search" id="q" name="q" value="lantern"' in response.content.decode()


def test_an_empty_search_explains_itself(web):
    for address in ("/search/", "/search/?q=", "/search/?q=%20%00%20"):
        page = web.get(address).content.decode()
        assert "Words and meaning are searched together" in page


def test_nothing_found_says_what_to_try(web, db):
    page = web.get("/search/?q=xqzzv").content.decode()
    assert "Nothing was found." in page
    assert "Try fewer or other words" in page


def test_a_slip_is_forgiven_and_said(web, films):
    make_item("Lantern song")
    embed.embed_everything()
    page = web.get("/search/?q=lantren").content.decode()
    assert "Also searched for <b>lantern</b>." in page


def test_without_the_encoder_search_says_that_it_uses_words_alone(web, films, monkeypatch):
    def down(*_):
        raise EncoderError("down")

    monkeypatch.setattr("recommender.search.encode_queries", down)
    note = "The search by meaning is resting"
    assert note in web.get("/search/?q=crime").content.decode()
    monkeypatch.undo()
    assert note not in web.get("/search/?q=crime").content.decode()


def test_no_query_breaks_the_page(web, films):
    for q in ("\x00", "a\x00b", "'; DROP TABLE", "科幻", "x" * 5000, "%_\\", "&|!()", "<b"):
        assert web.get("/search/", {"q": q}).status_code == 200
    assert web.get("/search/?q=%ff%fe%ed%a0%80").status_code == 200


def test_statements_do_not_grow_with_the_results(web, films, django_assert_num_queries):
    # session, person, item with categories and creators, topics, own opinion, steering, opinions
    # on cards; similar: savepoint, person side, items touched, candidates, facts, release
    with django_assert_num_queries(15):
        assert len(web.get(f"/items/{films[0].uuid}/").context["cards"]) == 12
    # session, person, opinions; search: known words, items with them, space, savepoint, settings,
    # nearest, release, facts
    with django_assert_num_queries(11):
        assert len(web.get("/search/?q=crime").context["cards"]) == 20
