"""Every answer is held to the schema, and what holds it can fail."""

import json

import pytest
from django.http import HttpResponse, JsonResponse

from recommender.api import me
from tests.api import contract

pytestmark = pytest.mark.django_db


@pytest.fixture
def an_answer(as_alice) -> dict:
    return as_alice.get("/api/v1/me/").json()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"password": "argon2$…"}, "password"),
        ({"id": "7"}, "uuid"),
        ({"is_guest": None}, "null"),
        ({"interests": [{"words": "tea", "weight": 1.0, "example": "", "vector": []}]}, "vector"),
    ],
)
def test_a_field_too_many_or_of_another_kind_is_a_fault(an_answer, change, fault):
    assert contract.faults_of("GET", "/api/v1/me/", JsonResponse(an_answer)) is None
    changed = JsonResponse(an_answer | change)
    assert fault in contract.faults_of("GET", "/api/v1/me/", changed)


def test_a_field_too_few_is_a_fault(an_answer):
    del an_answer["consent"]
    assert "consent" in contract.faults_of("GET", "/api/v1/me/", JsonResponse(an_answer))


@pytest.mark.parametrize(
    ("method", "address", "answer"),
    [
        ("GET", "/api/v1/me/", HttpResponse("<h1>Server Error</h1>", status=500)),
        ("GET", "/api/v1/me/", HttpResponse("<p>hello", content_type="text/html")),
        ("GET", "/api/v1/me/", JsonResponse({"detail": "no"}, status=404)),
        ("GET", "/api/v1/nothing/", JsonResponse({})),
        ("GET", "/api/v1/nothing/", HttpResponse("<h1>Not found</h1>", status=404)),
        ("TRACE", "/api/v1/me/", JsonResponse({})),
        ("DELETE", "/api/v1/me/wishes/", HttpResponse("bye", status=204)),
        ("GET", "/api/v1/me/", HttpResponse('{"name": NaN}', content_type="application/json")),
    ],
)
def test_an_answer_that_the_schema_does_not_have_is_a_fault(method, address, answer):
    assert contract.faults_of(method, address, answer)


def test_the_client_of_all_tests_fails_for_a_leak(as_alice, monkeypatch):
    told = me.me_out
    monkeypatch.setattr(me, "me_out", lambda user: told(user) | {"password": user.password})
    with pytest.raises(AssertionError, match="password"):
        as_alice.get("/api/v1/me/")


def test_every_operation_tells_its_refusals():
    """Each lists what comes from around the view, in the one shape."""
    for path, operations in contract.schema()["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert {"400", "429", "503"} <= set(answers), (method, path)
            if operation["security"] != [{}]:
                assert {"401", "403"} <= set(answers), (method, path)
            if "requestBody" in operation:
                assert {"413", "415"} <= set(answers), (method, path)
            for status, answer in answers.items():
                if status[0] == "4" and "content" in answer:
                    assert contract.PROBLEM in answer["content"], (method, path, status)


def test_the_schema_can_be_written_to_a_file(tmp_path):
    from django.core.management import call_command

    target = tmp_path / "schema.json"
    options = {"validate": True, "fail_on_warn": True, "format": "openapi-json"}
    call_command("spectacular", file=str(target), **options)
    assert json.loads(target.read_text())["openapi"].startswith("3.1")
