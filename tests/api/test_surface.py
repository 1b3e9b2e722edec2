"""What the API offers a mobile client: accounts, items, search, feedback, oneself."""

import re

import pytest
from django.urls import get_resolver

from catalog import services
from recommender import embed, understand
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db


def test_register_sign_in_and_out(client):
    account = {"email": "Ann@example.org", "password": "correct horse battery"}
    made = client.post("/api/v1/auth/register/", account, content_type="application/json")
    assert made.status_code == 201
    assert made.json()["token"].startswith("rec_")
    token = client.post("/api/v1/auth/login/", account, content_type="application/json").json()
    headers = {"HTTP_AUTHORIZATION": f"Token {token['token']}"}
    assert client.get("/api/v1/me/", **headers).json()["email"] == "ann@example.org"
    assert client.post("/api/v1/auth/logout/", **headers).status_code == 204
    assert client.get("/api/v1/me/", **headers).status_code == 401


def test_signing_out_everywhere_ends_every_token(client, alice):
    from tests.conftest import client_of

    phone, tablet = client_of(alice), client_of(alice)
    assert phone.post("/api/v1/auth/logout-all/").status_code == 204
    assert tablet.get("/api/v1/me/").status_code == 401


def test_items_come_newest_first_in_pages_that_a_new_item_does_not_shift(as_alice):
    for n in range(5):
        make_item(f"kettle {n}")
    first = as_alice.get("/api/v1/items/?limit=2").json()
    make_item("kettle 5")
    second = as_alice.get(first["next"]).json()
    titles = [row["title"] for page in (first, second) for row in page["results"]]
    assert titles == ["kettle 4", "kettle 3", "kettle 2", "kettle 1"]


def test_items_of_a_category(as_alice):
    make_item("kettle", categories=["kitchen"])
    make_item("boots", categories=["outdoors"])
    [row] = as_alice.get("/api/v1/items/?category=kitchen").json()["results"]
    assert row["title"] == "kettle"
    assert row["categories"] == [{"slug": "kitchen", "name": "Kitchen"}]


def test_a_page_of_items_costs_the_same_statements_for_any_size(
    as_alice, django_assert_num_queries
):
    for n in range(12):
        make_item(f"kettle {n}", categories=["kitchen"], creator="Ada")
    for limit in (2, 12):
        # token, items with what belongs to them
        with django_assert_num_queries(2):
            as_alice.get(f"/api/v1/items/?limit={limit}")


def test_an_item_that_is_removed_is_nowhere(as_alice):
    item = make_item("kettle")
    embed_and_learn()
    services.remove_items([item.pk])
    assert as_alice.get("/api/v1/items/").json()["results"] == []
    assert as_alice.get(f"/api/v1/items/{item.uuid}/").status_code == 404
    assert as_alice.get("/api/v1/search/?q=kettle").json()["results"] == []


def test_an_item_comes_with_what_it_is_about(as_alice):
    item = make_item("blue kettle", language="en")
    embed.embed_everything()
    understand.understand_everything()
    found = as_alice.get(f"/api/v1/items/{item.uuid}/").json()
    assert (found["title"], found["language"]) == ("blue kettle", "en")
    [topic] = found["topics"]
    assert topic.pop("weight") > 0
    assert topic == {
        "slug": "blue-kettle",
        "name": "blue kettle",
        "language": "en",
        "is_shared": False,
    }


def test_similar_items_come_by_content(as_alice):
    kettle = make_item("blue kettle")
    make_item("red kettle")
    make_item("hiking boots")
    embed_and_learn()
    rows = as_alice.get(f"/api/v1/items/{kettle.uuid}/similar/").json()["results"]
    assert [row["item"]["title"] for row in rows] == ["red kettle", "hiking boots"]


def test_ones_own_feedback_and_nobody_elses(as_alice, alice, bob):
    item = make_item("kettle")
    mine = give(alice, item)
    give(bob, item, "dislike")
    [row] = as_alice.get("/api/v1/feedback/").json()["results"]
    assert (row["id"], row["kind"], row["title"]) == (str(mine.uuid), "like", "kettle")


def test_feedback_of_another_is_as_if_it_were_not_there(as_alice, bob):
    row = give(bob, make_item("kettle"))
    assert as_alice.delete(f"/api/v1/feedback/{row.uuid}/").status_code == 404
    row.refresh_from_db()
    assert row.retracted_at is None


def test_personal_answers_are_kept_by_no_cache(as_alice):
    for path in ("me", "recommendations"):
        assert as_alice.get(f"/api/v1/{path}/")["Cache-Control"] == "private, no-store"


def test_relevance_comes_in_steps_and_no_vector_leaves(as_alice, alice):
    give(alice, make_item("blue kettle"))
    for n in range(5):
        make_item(f"kettle {n}")
    embed_and_learn()
    body = as_alice.get("/api/v1/recommendations/").json()
    assert all(round(row["relevance"], 2) == row["relevance"] for row in body["results"])
    assert not [
        value
        for value in walk(body)
        if isinstance(value, list) and len(value) > 8 and all(isinstance(x, float) for x in value)
    ]


def walk(value):
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from walk(part)


def test_messages_come_in_the_language_asked_for(as_alice):
    answer = as_alice.get("/api/v1/recommendations/?limit=0", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert answer.status_code == 400
    assert answer["Content-Language"] == "zh-hans"


def test_every_view_of_the_api_is_in_the_schema(client):
    schema = client.get("/api/schema/?format=json").json()
    assert schema["openapi"].startswith("3.1")
    routed = set()
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) == "api/v1/":
            routed |= {
                "/api/v1/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(p.pattern))
                for p in pattern.url_patterns
            }
    assert set(schema["paths"]) == routed


def test_the_page_of_the_documentation_opens(client):
    assert client.get("/api/docs/").status_code == 200


def test_health_tells_alive_and_ready(client):
    assert client.get("/health/live").json() == {"status": "ok"}
    assert client.get("/health/ready").json() == {"status": "ok"}
