"""The lists of a site, side by side above the list: as links, and without reload with htmx."""

import pytest

from recommender import scenarios
from recommender.models import Preference, Scenario, Served
from recommender.scenarios import PRESETS
from tests.factories import give
from tests.pages.test_for_you import HTMX, titles

pytestmark = pytest.mark.django_db


@pytest.fixture
def video(films):
    scenarios.load(PRESETS["video"].read_text(encoding="utf-8"))


def places(response) -> list[str]:
    return [place["name"] for place in response.context["places"]]


def test_a_site_with_one_list_has_no_links_to_others(visitor, films):
    response = visitor.get("/")
    assert places(response) == []
    assert 'class="places"' not in response.content.decode()


def test_the_lists_of_a_site_are_links_above_the_list(visitor, video):
    response = visitor.get("/")
    assert places(response) == ["For you", "Fresh", "Trending", "By genre"]
    page = response.content.decode()
    assert '<a id="place-home" href="/"' in page
    assert '<a id="place-fresh" href="/?scenario=fresh"' in page
    assert page.count('aria-current="page"') == 1


def test_because_you_liked_is_there_for_who_liked_something_and_says_what(web, alice, films, video):
    assert "Because you liked" not in places(web.get("/"))
    give(alice, films[0])
    assert "Because you liked" in places(web.get("/"))
    response = web.get("/?scenario=because")
    address = f"/items/{films[0].uuid}/"
    assert f'Because you liked <a href="{address}">' in response.content.decode()
    assert titles(response)[0].startswith("Crime")


def test_a_list_of_its_own_has_its_name_and_no_word_of_signing_up(visitor, video):
    page = visitor.get("/?scenario=fresh").content.decode()
    assert "<h1>Fresh</h1>" in page
    assert "We do not know you yet" not in page
    assert Served.objects.get().scenario == "fresh"


def test_the_names_are_in_the_language_of_the_page(visitor, video):
    response = visitor.get("/", headers={"accept-language": "zh-hans"})
    assert places(response) == ["为您推荐", "新片", "热门", "按类型"]


def test_a_list_of_a_category_begins_with_the_first_and_links_the_others(visitor, video):
    response = visitor.get("/?scenario=genre")
    linked = [category["name"] for category in response.context["categories"]]
    assert linked == ["Comedy", "Crime", "Horror", "Romance", "Western"]
    assert all(title.startswith("Comedy") for title in titles(response))
    response = visitor.get("/?scenario=genre&category=horror")
    assert all(title.startswith("Horror") for title in titles(response))
    assert 'href="/?scenario=genre&amp;category=western"' in response.content.decode()


def test_with_htmx_the_list_comes_alone_with_what_goes_with_it(visitor, video):
    page = visitor.get("/?scenario=fresh", headers=HTMX).content.decode()
    assert page.startswith('<section id="list"')
    assert '<div hx-swap-oob="innerHTML:#places"><h1>Fresh</h1>' in page
    assert '<input type="hidden" name="scenario" value="fresh">' in page
    assert "<html" not in page


def test_a_page_that_the_browser_goes_back_to_is_whole(visitor, video):
    back = HTMX | {"HX-History-Restore-Request": "true"}
    assert "<html" in visitor.get("/?scenario=fresh", headers=back).content.decode()


def test_the_slider_moves_the_list_one_is_at(web, alice, video):
    asked = {"diversity": "0.8", "scenario": "genre", "category": "horror"}
    response = web.post("/", asked, headers=HTMX)
    assert all(title.startswith("Horror") for title in titles(response))
    assert Preference.objects.get(user=alice).diversity == 0.8
    assert response.context["next"] == "/?scenario=genre&category=horror"
    assert web.post("/", asked)["Location"] == "/?scenario=genre&category=horror"


@pytest.mark.parametrize(
    "query",
    [
        "scenario=none",
        "scenario=similar",
        "scenario=similar&item=x",
        "scenario=genre&category=none",
        "category=horror",
        "scenario=%00",
    ],
)
def test_what_is_not_there_is_not_found(visitor, video, query):
    assert visitor.get(f"/?{query}").status_code in (400, 404)
    assert not Served.objects.exists()


def test_a_site_without_categories_has_nothing_in_a_list_of_one(visitor, db):
    Scenario.objects.create(slug="genre", kind="category")
    assert visitor.get("/?scenario=genre").status_code == 404
