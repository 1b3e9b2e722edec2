"""Items, what they belong to, and the search, as a client sees them."""

from urllib.parse import parse_qs, urlsplit

import pytest

from catalog import services
from catalog.models import Category, Creator, Item
from recommender import embed
from tests.api.test_errors import is_problem
from tests.factories import embed_and_learn, make_item

pytestmark = pytest.mark.django_db
ITEMS, SEARCH = "/api/v1/items/", "/api/v1/search/"
SCRIPT = "<script>alert(1)</script> kettle"


def titles(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["title"] for row in answer.json()["results"]]


@pytest.fixture
def shop() -> dict[str, Item]:
    return {
        title: make_item(title, price=price, language=language, kind=kind, categories=[of])
        for title, price, language, kind, of in (
            ("red kettle", 5, "en", "good", "kitchen"),
            ("blue kettle", 15, "en", "good", "kitchen"),
            ("茶壶", 25, "zh", "good", "kitchen"),
            ("walking boots", 90, "en", "good", "outdoors"),
            ("a kettle on a boat", 400, "en", "story", "outdoors"),
        )
    }


# --- lists --------------------------------------------------------------------------------------


def test_a_list_is_narrowed_by_a_filter_a_category_a_kind_and_a_creator(as_alice, shop):
    by_ada = make_item("kettle of Ada", creator="Ada", kind="good")
    ada = Creator.objects.get(name="Ada")
    assert titles(as_alice.get(ITEMS, {"filter": 'price < 20 and language = "en"'})) == [
        "blue kettle",
        "red kettle",
    ]
    assert titles(as_alice.get(ITEMS, {"category": "outdoors", "kind": "story"})) == [
        "a kettle on a boat"
    ]
    assert titles(as_alice.get(ITEMS, {"creator": ada.uuid})) == [by_ada.title]


def test_pages_go_forth_and_back_in_either_order(as_alice):
    for n in range(5):
        make_item(f"kettle {n}")
    for ordering, first in (("newest", "43"), ("oldest", "01")):
        pages = [as_alice.get(ITEMS, {"limit": 2, "ordering": ordering})]
        while pages[-1].json()["next"]:
            pages.append(as_alice.get(pages[-1].json()["next"]))
        told = [[title[-1] for title in titles(page)] for page in pages]
        assert "".join(told[0]) == first
        assert sorted(sum(told, [])) == list("01234")
        assert pages[0].json()["previous"] is None
        back = as_alice.get(pages[2].json()["previous"])
        assert titles(back) == titles(pages[1])
        assert titles(as_alice.get(back.json()["previous"])) == titles(pages[0])


def test_only_the_fields_asked_for_come_and_always_the_id(as_alice, shop):
    rows = as_alice.get(ITEMS, {"fields": "title,image_url"}).json()["results"]
    assert {tuple(sorted(row)) for row in rows} == {("id", "image_url", "title")}
    answer = as_alice.get(ITEMS, {"fields": "title,removed_at"})
    assert is_problem(answer, 400)
    assert "image_url" in answer.json()["detail"]  # what is allowed


@pytest.mark.parametrize(
    "query",
    [
        {"ordering": "price"},
        {"ordering": "id;drop table catalog_item"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "1e9"},
        {"limit": "-1"},
        {"limit": "NaN"},
        {"limit": str(2**63)},
        {"offset": "5"},
        {"page": "2"},
        {"cursor": "nonsense"},
        {"cursor": "é"},
        {"cursor": "cD0lMDA="},  # NUL
        {"cursor": "cGFnZQ"},
        {"title__regex": "(a+)+$"},
        {"_connector": "OR"},
        {"id__in": "1," * 200},
        {"removed_at": "2026-01-01"},
        {"filter": "title__regex = 'x'"},
        {"filter": "price < 1; --"},
        {"creator": "1 OR 1=1"},
    ],
)
@pytest.mark.parametrize("path", [ITEMS, "/api/v1/categories/", "/api/v1/creators/"])
def test_what_a_list_does_not_know_is_refused_with_what_it_knows(as_alice, path, query):
    if path != ITEMS and query.get("filter"):
        query = {"filter": query["filter"]}  # they have none
    answer = as_alice.get(path, query)
    assert is_problem(answer, 400)
    assert answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("path", [ITEMS, "/api/v1/feedback/"])
@pytest.mark.parametrize("cursor", ["cD1hYmM=", "cD0lMDA=", "cD0yMDI2LTEzLTAx"])
def test_a_cursor_of_another_list_or_made_up_is_refused(as_alice, path, cursor):
    assert is_problem(as_alice.get(path, {"cursor": cursor}), 400)


def test_a_list_never_has_more_than_a_hundred_rows(as_alice):
    Category.objects.bulk_create(Category(slug=f"kind-{n:03}", names={}) for n in range(130))
    first = as_alice.get("/api/v1/categories/", {"limit": 100}).json()
    rest = as_alice.get(first["next"]).json()
    assert (len(first["results"]), len(rest["results"])) == (100, 30)


# --- conditional requests -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        ITEMS,
        "/api/v1/items/{item}/",
        "/api/v1/items/{item}/similar/",
        "/api/v1/categories/",
        "/api/v1/categories/kitchen/",
        "/api/v1/creators/",
        "/api/v1/creators/{creator}/",
    ],
)
def test_what_did_not_change_is_not_sent_again(as_alice, path):
    item = make_item("red kettle", categories=["kitchen"], creator="Ada")
    embed.embed_everything()
    creator = Creator.objects.get(name="Ada")
    path = path.format(item=item.uuid, creator=creator.uuid)
    first = as_alice.get(path)
    assert first["Cache-Control"] == "private, no-cache"
    assert {"authorization", "accept-language"} <= {
        name.strip().lower() for name in first["Vary"].split(",")
    }
    again = as_alice.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]


def test_what_changed_is_sent_again(as_alice):
    item = make_item("red kettle")
    path = f"/api/v1/items/{item.uuid}/"
    before = as_alice.get(path)["ETag"]
    item.title = "blue kettle"
    services.save_item(item)
    after = as_alice.get(path, headers={"If-None-Match": before})
    assert (after.status_code, after.json()["title"]) == (200, "blue kettle")
    services.remove_items([item.pk])
    assert as_alice.get(path, headers={"If-None-Match": after["ETag"]}).status_code == 404


def test_another_language_is_another_answer(as_alice):
    Category.objects.create(slug="drama", names={"en": "Drama", "zh": "剧情"})
    item = make_item("kettle", categories=["drama"])
    path = f"/api/v1/items/{item.uuid}/"
    english, chinese = (
        as_alice.get(path, headers={"Accept-Language": language}) for language in ("en", "zh-hans")
    )
    assert english["ETag"] != chinese["ETag"]
    assert chinese.json()["categories"] == [{"slug": "drama", "name": "剧情"}]


# --- categories and creators --------------------------------------------------------------------


def test_categories_are_a_tree_with_names_by_language(as_alice):
    root = Category.objects.create(slug="books", names={"en": "Books", "zh": "书"})
    novels = Category.objects.create(slug="novels", names={"en": "Novels"}, parent=root)
    Category.objects.create(slug="crime", names={"en": "Crime"}, parent=novels)
    rows = as_alice.get("/api/v1/categories/", headers={"Accept-Language": "zh-hans"}).json()
    assert [(row["slug"], row["name"], row["parent"]) for row in rows["results"]] == [
        ("books", "书", None),
        ("crime", "Crime", "novels"),
        ("novels", "Novels", "books"),
    ]
    found = as_alice.get("/api/v1/categories/novels/").json()
    assert found == {
        "slug": "novels",
        "name": "Novels",
        "names": {"en": "Novels"},
        "parent": "books",
        "path": [{"slug": "books", "name": "Books"}],
        "children": [{"slug": "crime", "name": "Crime"}],
    }
    below = as_alice.get("/api/v1/categories/", {"parent": "books"}).json()["results"]
    assert [row["slug"] for row in below] == ["novels"]
    roots = as_alice.get("/api/v1/categories/", {"is_root": "true"}).json()["results"]
    assert [row["slug"] for row in roots] == ["books"]
    assert is_problem(as_alice.get("/api/v1/categories/nowhere/"), 404)


def test_creators_are_found_by_a_part_of_their_name_with_what_they_made(as_alice):
    kettle = make_item("kettle", creator="Ada Lovelace")
    make_item("boots", creator="Grace Hopper")
    gone = make_item("gone", creator="Nobody")
    services.remove_items([gone.pk])
    everybody = as_alice.get("/api/v1/creators/").json()["results"]
    assert [row["name"] for row in everybody] == ["Ada Lovelace", "Grace Hopper"]
    [ada] = as_alice.get("/api/v1/creators/", {"q": "LOVE"}).json()["results"]
    found = as_alice.get(f"/api/v1/creators/{ada['id']}/").json()
    assert [row["id"] for row in found["items"]] == [str(kettle.uuid)]
    assert titles(as_alice.get(found["more"])) == ["kettle"]
    nobody = Creator.objects.get(name="Nobody")
    assert is_problem(as_alice.get(f"/api/v1/creators/{nobody.uuid}/"), 404)


@pytest.mark.parametrize(
    ("path", "statements"),
    [
        # token, then what the name says
        ("/api/v1/items/{item}/", 2),
        ("/api/v1/items/?limit=50", 2),
        ("/api/v1/items/?limit=50&filter=price<9", 3),  # and the attributes that are declared
        ("/api/v1/categories/?limit=50", 2),
        ("/api/v1/categories/kitchen/", 3),  # the way up, what lies below
        ("/api/v1/creators/?limit=50", 2),
        ("/api/v1/creators/{creator}/", 3),  # who, what they made
    ],
)
def test_statements_do_not_grow_with_rows(as_alice, path, statements, django_assert_num_queries):
    item = make_item("kettle", categories=["kitchen"], creator="Ada", price=1)
    creator = Creator.objects.get(name="Ada")
    path = path.format(item=item.uuid, creator=creator.uuid)
    for more in (1, 30):
        for n in range(more):
            made = make_item(f"kettle {n} {more}", categories=[f"kind-{n}"], price=1)
            made.itemcreator_set.create(creator=creator)
            make_item(f"boots {n} {more}", creator=f"maker {n} {more}")
        Category.objects.exclude(slug="kitchen").update(parent=Category.objects.get(slug="kitchen"))
        with django_assert_num_queries(statements):
            assert as_alice.get(path).status_code == 200


# --- search -------------------------------------------------------------------------------------


def test_a_search_is_narrowed_by_a_filter(as_alice, shop):
    embed_and_learn()
    found = as_alice.get(SEARCH, {"q": "kettle", "filter": "price > 10 and price < 20"})
    assert titles(found) == ["blue kettle"]
    assert found.json()["by_meaning"]
    assert is_problem(as_alice.get(SEARCH, {"q": "kettle", "filter": "colour = 1"}), 400)


def test_a_search_goes_on_by_its_cursor_and_repeats_nothing(as_alice):
    for n in range(7):
        make_item(f"kettle {n}")
    embed_and_learn()
    whole = titles(as_alice.get(SEARCH, {"q": "kettle", "limit": 100}))
    pages = [as_alice.get(SEARCH, {"q": "kettle", "limit": 3})]
    while pages[-1].json()["next"]:
        pages.append(as_alice.get(pages[-1].json()["next"]))
    assert [len(titles(page)) for page in pages] == [3, 3, 1]
    assert sum(map(titles, pages), []) == whole


@pytest.mark.parametrize("cursor", ["x", "czk5OTk", "cy0x", "AA", "c" * 101])
def test_a_cursor_that_no_search_made_is_refused(as_alice, cursor):
    assert is_problem(as_alice.get(SEARCH, {"q": "kettle", "cursor": cursor}), 400)


def test_facets_count_the_results_and_each_narrows_the_search_to_its_count(as_alice, shop):
    make_item("green kettle", creator='Ada "the kettle" Lovelace')
    embed_and_learn()
    query = {"q": "kettle", "facets": "category,kind,language,creator,price"}
    facets = {row["field"]: row["values"] for row in as_alice.get(SEARCH, query).json()["facets"]}
    assert {row["value"]: row["count"] for row in facets["category"]} == {
        "kitchen": 3,
        "outdoors": 2,
    }
    assert facets["category"][0]["name"] == "Kitchen"
    assert sum(row["count"] for row in facets["price"]) == 5
    for rows in facets.values():
        for row in rows:
            narrowed = as_alice.get(SEARCH, {"q": "kettle", "filter": row["filter"]})
            assert len(titles(narrowed)) == row["count"], row


def test_facets_that_are_not_asked_for_are_not_counted(as_alice, shop):
    embed_and_learn()
    assert as_alice.get(SEARCH, {"q": "kettle"}).json()["facets"] == []
    assert is_problem(as_alice.get(SEARCH, {"q": "kettle", "facets": "popularity"}), 400)


def test_hits_are_marked_in_pieces_of_the_text_and_never_as_markup(as_alice):
    make_item(SCRIPT, description="Far away, " + "where it is cold, " * 20 + "a Kettle sings.")
    embed_and_learn()
    [row] = as_alice.get(SEARCH, {"q": "kettle", "highlights": "true"}).json()["results"]
    title, description = row["highlights"]["title"], row["highlights"]["description"]
    assert "".join(piece["text"] for piece in title) == SCRIPT
    assert [piece["text"] for piece in title if piece["is_hit"]] == ["kettle"]
    assert [piece["text"] for piece in description if piece["is_hit"]] == ["Kettle"]
    assert description[0]["text"].startswith("…")
    assert sum(len(piece["text"]) for piece in description) <= 202


def test_the_word_that_was_meant_is_marked_in_chinese_pairs_are(as_alice):
    make_item("an alien film")
    make_item("好看的科幻片")
    embed_and_learn()
    for query, marked in (("alein", "alien"), ("科幻", "科幻")):
        found = as_alice.get(SEARCH, {"q": query, "highlights": "true"}).json()["results"]
        hits = [p["text"] for p in found[0]["highlights"]["title"] if p["is_hit"]]
        assert hits == [marked]


def test_search_answers_the_fields_asked_for(as_alice, shop):
    embed_and_learn()
    rows = as_alice.get(SEARCH, {"q": "kettle", "fields": "title"}).json()["results"]
    assert {tuple(sorted(row)) for row in rows} == {("id", "title")}


def test_links_to_further_pages_keep_what_was_asked(as_alice, shop):
    query = {"limit": 1, "category": "kitchen", "fields": "title"}
    link = as_alice.get(ITEMS, query).json()["next"]
    asked = parse_qs(urlsplit(link).query)
    assert {name: asked[name] for name in query} == {n: [str(v)] for n, v in query.items()}
