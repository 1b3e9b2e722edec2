"""No bytes give a 500: each bad request is answered 4xx in the one shape, and nothing is stored."""

import json
from uuid import UUID, uuid4

import pytest

from catalog.models import Feedback
from tests.factories import make_item

pytestmark = pytest.mark.django_db
TYPE = "application/problem+json"


def is_problem(response, status: int) -> bool:
    body = json.loads(response.content)
    return (
        response.status_code == status
        and response["Content-Type"] == TYPE
        and body["status"] == status
        and {"type", "title", "detail"} <= set(body)
    )


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=1000000000",
        "limit=ten",
        "limit=-1",
        "diversity=2",
        "diversity=nan",
        "diversity=inf",
        "diversity=-0.1",
        "strategy=best",
        "limit=5&limit=6",
        "colour=red",
        "_connector=OR",
        "limit=%00",
        "limit=9999999999999999999999999999999999999999",
    ],
)
def test_bad_parameters_are_refused(as_alice, query):
    assert is_problem(as_alice.get(f"/api/v1/recommendations/?{query}"), 400)


def test_an_unknown_parameter_is_told_what_is_known(as_alice):
    body = as_alice.get("/api/v1/recommendations/?limt=5").json()
    [error] = body["errors"]
    assert (error["field"], error["code"]) == ("limt", "unknown")
    assert "limit" in error["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"like"',
        b"[]",
        b"{}",
        b'{"item": "\\u0000", "kind": "like"}',
        b'{"\\ud800": 1}',
        b'{"item": NaN}',
        b'{"item": 1e400, "kind": "like"}',
        b'{"item": {"$gt": ""}, "kind": ["like"]}',
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 30 + b"1" + b"}" * 30,
        b"\xff\xfe\x00",
        b'{"kind": "like", "item": "\xed\xa0\x80"}',
    ],
)
def test_a_body_that_cannot_be_read_or_stored_is_refused(as_alice, body):
    response = as_alice.generic("POST", "/api/v1/feedback/", body, "application/json")
    assert is_problem(response, 400), response.content
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "adore"},
        {"kind": "rating"},
        {"kind": "rating", "value": 11},
        {"kind": "rating", "value": True},
        {"kind": "dwell", "value": -1},
        {"kind": "comment"},
        {"text": "x" * 5001, "kind": "comment"},
        {"occurred_at": "yesterday"},
        {"occurred_at": "99999-01-01"},
        {"id": "not a uuid"},
        {"user": 1},
        {"received_at": "2020-01-01T00:00Z"},
        {"value": 2e9},
        {"text": "half \ud800 a character"},
    ],
)
def test_feedback_of_the_wrong_form_is_refused(as_alice, change):
    item = make_item("kettle")
    data = json.dumps({"item": str(item.uuid), "kind": "like"} | change)
    response = as_alice.generic("POST", "/api/v1/feedback/", data, "application/json")
    assert is_problem(response, 400), response.content
    assert not Feedback.objects.exists()


def test_feedback_on_what_is_not_there_is_400_and_undoing_it_404(as_alice):
    body = {"item": str(uuid4()), "kind": "like"}
    assert is_problem(as_alice.post("/api/v1/feedback/", body, format="json"), 400)
    assert is_problem(as_alice.delete(f"/api/v1/feedback/{uuid4()}/"), 404)


def test_one_id_for_two_pieces_of_feedback_is_409(as_alice):
    item = make_item("kettle")
    body = {"id": str(uuid4()), "item": str(item.uuid), "kind": "like"}
    assert as_alice.post("/api/v1/feedback/", body, format="json").status_code == 201
    assert as_alice.post("/api/v1/feedback/", body, format="json").status_code == 200
    other = as_alice.post("/api/v1/feedback/", body | {"kind": "hide"}, format="json")
    assert is_problem(other, 409)
    assert Feedback.objects.count() == 1


def test_in_a_batch_each_piece_is_answered_for_itself(as_alice):
    item = make_item("kettle")
    good = {"id": str(uuid4()), "item": str(item.uuid), "kind": "like"}
    batch = [good, {"item": str(uuid4()), "kind": "like"}, {"kind": 7}, good, "like"]
    response = as_alice.post("/api/v1/feedback/", batch, format="json")
    assert response.status_code == 207
    assert [row["status"] for row in response.json()] == [201, 404, 400, 200, 400]
    assert Feedback.objects.count() == 1


def test_a_batch_of_more_than_a_hundred_is_refused(as_alice):
    item = make_item("kettle")
    batch = [{"item": str(item.uuid), "kind": "view"}] * 101
    assert is_problem(as_alice.post("/api/v1/feedback/", batch, format="json"), 400)
    assert not Feedback.objects.exists()


def test_a_body_that_is_too_large_is_413(as_alice):
    body = json.dumps({"text": "x" * 1_100_000})
    response = as_alice.generic("POST", "/api/v1/feedback/", body, "application/json")
    assert is_problem(response, 413)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing/", 404),
        ("GET", "/api/v1/items/7/", 404),
        ("GET", f"/api/v1/items/{UUID(int=7)}/", 404),
        ("GET", f"/api/v1/items/{UUID(int=7)}/similar/", 404),
        ("PUT", "/api/v1/feedback/", 405),
        ("GET", "/api/v1/items/?cursor=forged", 400),
        ("GET", "/api/v1/items/?limit=1000", 400),
        ("GET", "/api/v1/items/?category=a%00b", 400),
        ("GET", "/api/v1/search/?q=", 400),
        ("GET", "/api/v1/search/?q=a%00b", 400),
        ("GET", "/api/v1/feedback/?kind=adore", 400),
    ],
)
def test_what_is_not_there_is_said_in_the_same_shape(as_alice, method, path, status):
    assert is_problem(as_alice.generic(method, path), status)


def test_a_form_is_not_read_where_json_is(as_alice):
    response = as_alice.post("/api/v1/feedback/", "kind=like", content_type="text/plain")
    assert is_problem(response, 415)


@pytest.mark.parametrize("header", ["", "Token", "Token x", "Token x y", "Bearer x", "Token é"])
def test_without_a_good_token_nothing_is_told(client, header):
    response = client.get("/api/v1/recommendations/", HTTP_AUTHORIZATION=header)
    assert is_problem(response, 401)
    assert "Token" in response["WWW-Authenticate"]


def test_a_session_of_the_site_does_not_open_the_api(client, alice):
    client.force_login(alice)
    assert is_problem(client.get("/api/v1/me/"), 401)


def test_an_unknown_account_and_a_wrong_password_look_alike(client, alice):
    answers = [
        client.post(
            "/api/v1/auth/login/",
            {"email": email, "password": "wrong"},
            content_type="application/json",
        )
        for email in (alice.email, "nobody@example.org")
    ]
    assert all(is_problem(answer, 401) for answer in answers)
    assert answers[0].content == answers[1].content
