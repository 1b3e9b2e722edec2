"""Servers: keys with scopes, ten thousand rows a call, an answer for each row."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.api import servers
from catalog.models import Attribute, Feedback, Item, ServerKey, User
from recommender import interests, learn
from recommender.models import Job
from tests.conftest import client_of
from tests.factories import embed_and_learn, make_item, make_key

pytestmark = pytest.mark.django_db

NDJSON = "application/x-ndjson"
DAY = timedelta(days=1)
AT = "2026-11-01T10:00:00Z"
PATHS = {  # what each route wants: its scope, None for any key
    ("post", "/api/v1/server/items/"): "ingest_items",
    ("post", "/api/v1/server/items/hide/"): "ingest_items",
    ("post", "/api/v1/server/people/"): "ingest_people",
    ("post", "/api/v1/server/people/hide/"): "ingest_people",
    ("post", "/api/v1/server/people/show/"): "ingest_people",
    ("post", "/api/v1/server/feedback/"): "ingest_feedback",
    ("get", "/api/v1/server/recommendations/"): "recommend",
    ("post", "/api/v1/server/scores/"): "read_scores",
    ("get", "/api/v1/server/metrics/"): "read_metrics",
    ("get", "/api/v1/server/jobs/"): None,
}


def client_with(key: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


@pytest.fixture
def server() -> APIClient:
    return client_with(make_key())


def lines_of(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def send(client: APIClient, path: str, *rows: object, **extra) -> list[dict]:
    """The answer, a row a line; each says at least what became of it."""
    body = rows[0] if rows and isinstance(rows[0], bytes) else lines_of(*rows)
    answer = client.post(f"/api/v1/server/{path}/", body, content_type=NDJSON, **extra)
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == NDJSON
    return [json.loads(line) for line in answer.getvalue().splitlines()]


def outcomes(answer: list[dict]) -> list[str]:
    return [row["outcome"] for row in answer]


# --- keys -----------------------------------------------------------------------------------------


def ask(client: APIClient, method: str, path: str):
    return getattr(client, method)(path)


def test_a_route_opens_for_its_scope_alone():
    for (method, path), scope in PATHS.items():
        others = [other for other in ServerKey.Scope.values if other != scope]
        refused = ask(client_with(make_key(*others)), method, path).status_code
        opened = ask(client_with(make_key(scope or "recommend")), method, path).status_code
        assert refused == (403 if scope else 200), path
        assert opened not in (401, 403), path


def test_no_token_of_a_person_opens_a_route_of_servers(as_alice):
    for method, path in PATHS:
        assert ask(as_alice, method, path).status_code == 401, path
        assert ask(APIClient(), method, path).status_code == 401, path


def test_no_key_opens_a_route_of_people():
    client, key = APIClient(), make_key()
    for scheme in ("Bearer", "Token"):
        client.credentials(HTTP_AUTHORIZATION=f"{scheme} {key}")
        for path in ("me/", "recommendations/", "items/", "feedback/"):
            assert client.get(f"/api/v1/{path}").status_code == 401, path


def test_a_token_sent_as_a_key_opens_nothing(alice):
    header = client_of(alice)._credentials["HTTP_AUTHORIZATION"].replace("Token", "Bearer")
    assert client_with(header.split()[1]).get("/api/v1/server/jobs/").status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"expires_at": datetime.now(UTC) - DAY}])
def test_a_key_that_was_disabled_or_ran_out_opens_nothing(change):
    key = make_key()
    assert client_with(key).get("/api/v1/server/jobs/").status_code == 200
    ServerKey.objects.update(**change)
    answer = client_with(key).get("/api/v1/server/jobs/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_of_a_key_a_digest_is_kept_and_its_use_once_a_minute():
    key = make_key()
    row = ServerKey.objects.get()
    assert key.startswith(row.prefix)
    assert key.encode() not in bytes(row.digest)
    client_with(key).get("/api/v1/server/jobs/")
    first = ServerKey.objects.get().last_used_at
    with CaptureQueriesContext(
        connection,
    ) as seen:
        client_with(key).get("/api/v1/server/jobs/")
    assert not [query for query in seen if query["sql"].startswith("UPDATE")]
    ServerKey.objects.update(last_used_at=first - timedelta(minutes=2))
    client_with(key).get("/api/v1/server/jobs/")
    assert ServerKey.objects.get().last_used_at >= first


def test_the_admin_shows_a_key_once(admin_client, settings):
    path = f"/{settings.ADMIN_PATH}catalog/serverkey/"
    made = admin_client.post(
        f"{path}add/",
        {
            "name": "shop",
            "source": "shop",
            "scopes": ["ingest_items", "recommend"],
            "expires_at_0": "2030-01-01",
            "expires_at_1": "00:00",
            "is_active": "on",
        },
    )
    key = made.content.decode().partition('<code id="key">')[2].partition("<")[0]
    assert "no-store" in made["Cache-Control"]
    assert client_with(key).get("/api/v1/server/jobs/").status_code == 200
    row = ServerKey.objects.get()
    assert row.scopes == ["ingest_items", "recommend"]
    for page in ("", f"{row.pk}/change/"):
        body = admin_client.get(path + page).content.decode()
        assert row.prefix in body
        assert key not in body
    assert admin_client.post(f"{path}{row.pk}/delete/").status_code == 403


def test_a_key_is_never_of_what_was_made_here(admin_client, settings):
    made = admin_client.post(
        f"/{settings.ADMIN_PATH}catalog/serverkey/add/",
        {
            "name": "shop",
            "source": "medley",
            "scopes": ["ingest_items"],
            "expires_at_0": "2030-01-01",
            "expires_at_1": "00:00",
        },
    )
    assert made.status_code == 200
    assert not ServerKey.objects.exists()


# --- items ----------------------------------------------------------------------------------------

KETTLE = {
    "id": "k1",
    "title": "Kettle <b>red</b>",
    "description": "Boils.",
    "kind": "product",
    "language": "en",
    "published": "2024-05-01",
    "url": "https://shop.example/k1",
    "price": 19.5,
    "currency": "eur",
    "latitude": 52.5,
    "longitude": 13.4,
    "categories": ["Kitchen", "Home"],
    "creators": ["Ada"],
    "attributes": {"colour": "red"},
}


def test_items_are_written_with_all_that_is_said_and_their_work(server):
    Attribute.objects.create(name="colour", type="text")
    answer = send(server, "items", KETTLE, {"id": "k2", "title": "Boots", "available": False})
    assert answer == [
        {"line": 1, "id": "k1", "outcome": "created"},
        {"line": 2, "id": "k2", "outcome": "created"},
    ]
    kettle, boots = Item.objects.order_by("external_id")
    assert (kettle.source, kettle.title, str(kettle.price)) == ("shop", "Kettle red", "19.50")
    assert (kettle.currency, kettle.attributes) == ("EUR", {"colour": "red"})
    assert set(kettle.categories.values_list("slug", flat=True)) == {"kitchen", "home"}
    assert [creator.name for creator in kettle.creators.all()] == ["Ada"]
    assert not boots.is_available
    assert set(Job.objects.values_list("kind", "key")) == {
        ("embed", kettle.pk),
        ("embed", boots.pk),
    }


def test_a_call_sent_again_changes_nothing(server):
    send(server, "items", KETTLE | {"attributes": None})
    before = list(Item.objects.values()), list(Job.objects.values())
    assert outcomes(send(server, "items", KETTLE | {"attributes": None})) == ["unchanged"]
    assert (list(Item.objects.values()), list(Job.objects.values())) == before


def test_an_item_is_what_its_newest_row_says(server):
    send(server, "items", KETTLE | {"attributes": None})
    assert outcomes(send(server, "items", {"id": "k1", "title": "Pot"})) == ["updated"]
    item = Item.objects.get()
    assert (item.title, item.description, item.price) == ("Pot", "", None)
    assert not item.categories.exists()


BAD = (  # a row, what its refusal is called, and what is said if that matters
    (b"{", "not_json", "not JSON"),
    (b"\xff\xfe", "not_json", None),
    (b"[1]", "invalid", "invalid: Expected object, got array"),
    ({"title": "x"}, "invalid", "invalid: Object missing required field id"),
    ({"id": "", "title": "x"}, "invalid", None),
    ({"id": "a", "title": ""}, "no_title", "no title"),
    ({"id": "a", "title": 5}, "invalid", "invalid: Expected str, got int at title"),
    ({"id": "a", "title": "x" * 501}, "invalid", None),
    ({"id": "a", "title": "x", "uuid": "y"}, "invalid", None),
    ({"id": "a", "title": "x\x00"}, "a_nul_character", None),
    (b'{"id":"a","title":"\\ud800"}', "not_json", None),
    ({"id": "a", "title": "x", "price": -1}, "price_is_negative", None),
    (b'{"id":"a","title":"x","price":NaN}', "not_json", None),
    (b'{"id":"a","title":"x","price":1e400}', "price_is_not_a_number", None),
    ({"id": "a", "title": "x", "price": "NaN"}, "price_is_not_a_number", None),
    ({"id": "a", "title": "x", "latitude": 91}, "invalid", None),
    (
        {"id": "a", "title": "x", "url": "javascript:alert(1)"},
        "an_address_that_does_not_begin_with_http",
        None,
    ),
    ({"id": "a", "title": "x", "published": "infinity"}, "published_is_not_a_date", None),
    ({"id": "a", "title": "x", "attributes": {"no": 1}}, "undeclared_attribute", None),
    ({"id": "a", "title": "x", "attributes": {"no": [1]}}, "invalid", None),
    ({"id": "a", "title": "x", "attributes": {"n": "x"}}, "attribute_of_another_type", None),
    ({"id": "a", "title": "x", "categories": ["☃"]}, "a_category_without_letters_or_digits", None),
    (b"[" * 100_000, "invalid", None),
    (b'{"id":"a","title":"' + b"x" * (1 << 20) + b'"}', "a_line_longer_than_1_mb", None),
)


def test_bad_rows_are_named_and_the_others_are_written(server):
    Attribute.objects.create(name="n", type="number")
    bodies = [row if isinstance(row, bytes) else json.dumps(row).encode() for row, *_ in BAD]
    good = lines_of({"id": "good", "title": "Good"})
    answer = send(server, "items", b"\n\n".join([*bodies, good]))
    assert answer.pop() == {"line": 2 * len(BAD) + 1, "id": "good", "outcome": "created"}
    assert [row["line"] for row in answer] == [2 * n + 1 for n in range(len(BAD))]
    assert outcomes(answer) == ["refused"] * len(BAD)
    assert [row["code"] for row in answer] == [code for _, code, _ in BAD]
    for row, (*_, detail) in zip(answer, BAD, strict=True):
        assert row["detail"] == (detail or row["detail"])
    assert answer[5]["id"] == "a"
    assert list(Item.objects.values_list("external_id", flat=True)) == ["good"]


def test_an_id_that_comes_twice_counts_once(server):
    answer = send(server, "items", {"id": "a", "title": "A"}, {"id": "a", "title": "B"})
    assert [row.get("code") for row in answer] == [None, "this_id_is_in_the_file_twice"]
    assert Item.objects.get().title == "A"


def test_hidden_items_come_back_when_they_are_written(server):
    send(server, "items", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    answer = send(server, "items/hide", {"id": "a"}, {"id": "none"})
    assert [row.get("code") for row in answer] == [None, "unknown_item"]
    assert Item.objects.get(is_available=False).external_id == "a"
    assert outcomes(send(server, "items/hide", {"id": "a"})) == ["unchanged"]
    assert outcomes(send(server, "items", {"id": "a", "title": "A"})) == ["updated"]
    assert Item.objects.filter(is_available=True).count() == 2


def test_a_key_writes_what_is_of_its_source_alone(server):
    send(client_with(make_key(source="rival")), "items", {"id": "a", "title": "Theirs"})
    send(server, "items", {"id": "a", "title": "Ours"})
    send(server, "items/hide", {"id": "a"})
    assert Item.objects.get(source="rival").is_available
    assert Item.objects.get(source="rival").title == "Theirs"


# --- people and feedback --------------------------------------------------------------------------


def test_people_are_made_renamed_hidden_and_shown(server):
    assert outcomes(send(server, "people", {"id": "p", "name": "Ann"}, {"id": "q"})) == [
        "created",
        "created",
    ]
    assert outcomes(send(server, "people", {"id": "p", "name": "Bea"}, {"id": "q"})) == [
        "updated",
        "unchanged",
    ]
    assert outcomes(send(server, "people/hide", {"id": "p"})) == ["updated"]
    assert not User.objects.get(external_id="p").is_active
    assert server.get("/api/v1/server/recommendations/?person=p").status_code == 404
    assert outcomes(send(server, "people/show", {"id": "p"})) == ["updated"]
    assert server.get("/api/v1/server/recommendations/?person=p").status_code == 200


@pytest.mark.parametrize("path", ["people", "people/hide"])
def test_who_has_an_account_keeps_their_name_and_is_not_hidden(server, alice, path):
    User.objects.filter(pk=alice.pk).update(source="shop", external_id="al")
    send(server, path, {"id": "al", **({"name": "Mallory"} if path == "people" else {})})
    alice.refresh_from_db()
    assert (alice.name, alice.is_active, alice.kind) == ("alice", True, "member")


def test_feedback_by_ids_of_another_system_is_learned_from_once(server):
    send(server, "people", {"id": "p"})
    send(server, "items", {"id": "a", "title": "A"})
    Job.objects.all().delete()
    rows = [
        {"user": "p", "item": "a", "kind": "like", "at": AT},
        {"user": "p", "item": "a", "kind": "rating", "value": 4.5, "at": 1_793_527_200},
        {"user": "none", "item": "a", "kind": "like", "at": AT},
        {"user": "p", "item": "none", "kind": "like", "at": AT},
        {"user": "p", "item": "a", "kind": "rating", "value": 9, "at": AT},
        {"user": "p", "item": "a", "kind": "view"},
    ]
    answer = send(server, "feedback", *rows)
    assert [row.get("code", row["outcome"]) for row in answer] == [
        "created",
        "created",
        "unknown_user",
        "unknown_item",
        "rating_is_not_from_0_5_to_5",
        "invalid",
    ]
    person = User.objects.get(external_id="p")
    assert set(Feedback.objects.values_list("user", "kind")) == {
        (person.pk, "like"),
        (person.pk, "rating"),
    }
    assert set(Job.objects.values_list("kind", "key")) == {("learn", person.pk)}
    assert outcomes(send(server, "feedback", *rows))[:2] == ["unchanged", "unchanged"]
    assert Feedback.objects.count() == 2


def test_feedback_of_who_does_not_agree_or_is_hidden_is_not_stored(server, alice):
    alice.consents.all().delete()
    User.objects.filter(pk=alice.pk).update(source="shop", external_id="al")
    send(server, "people", {"id": "p"})
    send(server, "people/hide", {"id": "p"})
    send(server, "items", {"id": "a", "title": "A"})
    answer = send(
        server,
        "feedback",
        *({"user": who, "item": "a", "kind": "like", "at": AT} for who in ("al", "p")),
    )
    assert [row["code"] for row in answer] == [
        "this_person_does_not_agree_to_personalisation",
        "this_person_is_hidden",
    ]
    assert not Feedback.objects.exists()


# --- limits ---------------------------------------------------------------------------------------


def post(client: APIClient, body: bytes, **extra):
    return client.post("/api/v1/server/items/", body, content_type=NDJSON, **extra)


def test_more_than_a_megabyte_is_taken_where_a_person_may_not_send_it(server, as_alice):
    long = "x" * 15_000
    rows = [{"id": str(n), "title": "T", "description": long} for n in range(100)]
    assert outcomes(send(server, "items", *rows)) == ["created"] * 100
    large = json.dumps([{"text": long}] * 100)
    said = as_alice.post("/api/v1/feedback/", large, content_type="application/json")
    assert said.status_code == 413


def test_too_many_rows_are_refused_and_none_is_written(server, monkeypatch):
    monkeypatch.setattr(servers, "ROWS", 2)
    answer = post(server, lines_of(*({"id": str(n), "title": "T"} for n in range(3))))
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
    assert not Item.objects.exists()


def test_a_body_that_is_too_large_is_refused(server, monkeypatch):
    monkeypatch.setattr(servers, "BODY_BYTES", 1000)
    assert post(server, b" " * 1001).status_code == 413


def test_a_packed_body_is_unpacked_and_a_bomb_is_not(server):
    row = {"id": "a", "title": "A"}
    packed = gzip.compress(lines_of(row))
    assert outcomes(send(server, "items", packed, HTTP_CONTENT_ENCODING="gzip")) == ["created"]
    bomb = gzip.compress(b" " * 50_000_000)
    answer = post(server, bomb, HTTP_CONTENT_ENCODING="gzip")
    assert answer.status_code == 400
    assert "more than 100 times" in answer.json()["detail"]
    for wrong in (b"\x1f\x8bno", packed[:-9], b"plain"):
        assert post(server, wrong, HTTP_CONTENT_ENCODING="gzip").status_code == 400
    assert post(server, packed, HTTP_CONTENT_ENCODING="br").status_code == 415


@pytest.mark.parametrize("kind", ["application/json", "text/csv", "multipart/form-data"])
def test_another_form_of_content_is_refused(server, kind):
    assert server.post("/api/v1/server/items/", b"{}", content_type=kind).status_code == 415


def test_nothing_is_no_call(server):
    assert post(server, b"").status_code == 400


def test_a_load_under_way_is_not_waited_for_without_end(server, monkeypatch):
    from catalog.importers import bulk

    monkeypatch.setattr(bulk, "WAIT_SECONDS", 1)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [bulk.LOCK])
        answer = post(server, lines_of({"id": "a", "title": "A"}))
    finally:
        other.close()
    assert (answer.status_code, answer["Retry-After"]) == (503, "11")
    assert not Item.objects.exists()


def test_statements_do_not_grow_with_the_rows(server):
    server.get("/api/v1/server/jobs/")  # notes the use of the key
    counts = []
    for n in (2, 60):
        with CaptureQueriesContext(connection) as seen:
            send(server, "items", *({"id": f"{n}-{i}", "title": "T"} for i in range(n)))
        counts.append(len(seen))
    assert counts[0] == counts[1]


# --- reading --------------------------------------------------------------------------------------


@pytest.fixture
def shop(server) -> APIClient:
    """Two people and eight items, and all that was learned of them."""
    titles = ["steel kettle", "copper kettle", "glass kettle", "kettle stand"]
    titles += ["winter boots", "rain boots", "hiking boots", "boot laces"]
    send(server, "items", *({"id": f"i{n}", "title": t} for n, t in enumerate(titles)))
    send(server, "people", {"id": "p"}, {"id": "q"})
    send(
        server,
        "feedback",
        *({"user": "p", "item": f"i{n}", "kind": "like", "at": AT} for n in (0, 1)),
    )
    make_item("iron kettle")
    embed_and_learn()
    return server


def test_a_list_for_a_person_names_items_as_the_server_knows_them(shop):
    found = shop.get("/api/v1/server/recommendations/?person=p&limit=5").json()["results"]
    assert found[0]["item"]["title"] in {"glass kettle", "iron kettle", "kettle stand"}
    known = dict(Item.objects.values_list("title", "external_id"))
    assert [row["external_id"] for row in found] == [known[row["item"]["title"]] for row in found]


@pytest.mark.parametrize("query", ["", "person=none", "person=p&person=q", "person=p&no=1"])
def test_a_list_for_nobody_is_refused(shop, query):
    answer = shop.get(f"/api/v1/server/recommendations/?{query}")
    assert answer.status_code == (404 if query == "person=none" else 400)


def test_a_person_of_another_source_is_nobody(shop, alice):
    User.objects.filter(pk=alice.pk).update(external_id="al")
    assert shop.get("/api/v1/server/recommendations/?person=al").status_code == 404
    rival = client_with(make_key(source="rival"))
    assert rival.get("/api/v1/server/recommendations/?person=p").status_code == 404


def test_scores_of_items_follow_what_a_person_likes(shop):
    asked = {"items": ["i6", "i2", "none"]}
    answer = shop.post("/api/v1/server/scores/?person=p", asked, format="json")
    boots, kettle, none = answer.json()["results"]
    assert (boots["item"], kettle["item"], none) == ("i6", "i2", {"item": "none", "score": None})
    assert 0 <= boots["score"] < kettle["score"] <= 1


def test_scores_do_without_an_interest_that_was_switched_off(shop):
    def lead_of_the_kettle() -> float:
        asked = {"items": ["i2", "i6"]}
        answer = shop.post("/api/v1/server/scores/?person=p", asked, format="json")
        kettle, boots = answer.json()["results"]
        return kettle["score"] - boots["score"]

    person = User.objects.get(source="shop", external_id="p")
    learn.refresh_person(person.pk)
    assert lead_of_the_kettle() > 0.1
    assert interests.choose(person.pk, person.interests.get().uuid, interests.OFF)
    assert abs(lead_of_the_kettle()) < 0.01


def test_metrics_count_what_there_is(shop):
    text = shop.get("/api/v1/server/metrics/").content.decode()
    assert "medley_items_shown 9\n" in text
    assert "medley_items_embedded 9\n" in text
    assert 'medley_jobs_waiting{kind="learn"}' in text


def test_metrics_count_how_often_what_is_shared_was_at_hand(shop, client):
    for _ in range(2):
        client.get("/search/?q=kettles+of+metrics")
    text = shop.get("/api/v1/server/metrics/").content.decode()
    assert "# TYPE medley_shared_total counter\n" in text
    for outcome in ("hit", "miss", "computed"):
        assert f'medley_shared_total{{what="query",outcome="{outcome}"}} ' in text


def test_jobs_say_what_waits(server):
    send(server, "items", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    [row] = server.get("/api/v1/server/jobs/").json()["results"]
    assert (row["kind"], row["waiting"], row["at_work"], row["parked"]) == ("embed", 2, 0, 0)


def test_what_a_server_reads_takes_six_statements_at_most(shop):
    shop.get("/api/v1/server/jobs/")  # notes the use of the key
    taken = []
    for path, body in (
        ("recommendations/?person=p", None),
        ("scores/?person=p", {"items": ["i3", "i4"]}),
        ("metrics/", None),
    ):
        with CaptureQueriesContext(connection) as seen:
            ask = shop.post if body else shop.get
            assert ask(f"/api/v1/server/{path}", body, format="json").status_code == 200
        sent = [q["sql"] for q in seen if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
        taken.append(len(sent))
    # The key with the person; then a list as of any person; ids, and what scores are made of;
    # sizes and jobs.
    assert taken == [6, 5, 3]
