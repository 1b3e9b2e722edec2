"""What a person or an operator withdraws counts from the next request, with no worker running."""

import pytest
from django.apps import apps
from django.test import Client

from catalog import services
from catalog.models import Item
from recommender import learn, store
from recommender.models import Candidates
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import give, make_person
from tests.privacy.conftest import busy

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/recommendations/"


def shown(client, **query) -> list[str]:
    asked = {"limit": 20, "diversity": 0, "seed": 1} | query
    rows = client.get(LISTS, asked).json()["results"]
    return [row["item"]["id"] for row in rows]


def test_with_consent_withdrawn_the_next_list_is_the_one_of_somebody_unknown(shop, version):
    ann, _ = busy("ann", shop)
    client, stranger = client_of(ann), client_of(make_person("stranger"))
    assert Candidates.objects.get(user=ann).item_ids  # all that a list is made from is warm
    assert store.interests_of(ann.pk)
    client.patch("/api/v1/me/", {"consent": False, "preset": "balanced"}, format="json")
    seen = {str(row.item.uuid) for row in ann.feedback.filter(retracted_at=None)}
    rows = client.get(LISTS, {"limit": 20, "diversity": 0, "seed": 1}).json()["results"]
    assert {row["reason"]["kind"] for row in rows if row["reason"]} <= {"popular", "new"}
    assert shown(client) == [item for item in shown(stranger) if item not in seen]
    client.patch("/api/v1/me/", {"consent": True}, format="json")
    assert shown(client) != [item for item in shown(stranger) if item not in seen]


def test_consent_is_withdrawn_and_given_in_the_account(alice, shop):
    web = Client()
    web.force_login(alice)
    page = web.get("/account/").content.decode()
    assert 'name="agrees" value="no"' in page
    form = {"agrees": "no", "next": "/account/#privacy"}
    assert web.post("/consent/", form)["Location"] == "/account/#privacy"
    assert not store.agrees(alice.pk)
    assert 'name="agrees" value="yes"' in web.get("/account/").content.decode()
    web.post("/consent/", form | {"agrees": "yes"})
    assert store.agrees(alice.pk)


@pytest.mark.parametrize("how", ["removed", "not available"])
def test_an_item_that_is_taken_away_is_in_no_answer_from_then_on(as_alice, alice, shop, how):
    give(alice, shop[0])
    learn.refresh_person(alice.pk)
    gone = shop[2]
    web, address = Client(), str(gone.uuid)
    web.force_login(alice)
    pages = ["/", f"/items/{shop[0].uuid}/", "/search/?q=kettle"]
    assert address in shown(as_alice)
    if how == "removed":
        services.remove_items([gone.pk])
    else:
        Item.objects.filter(pk=gone.pk).update(is_available=False)
    asked = [LISTS, f"/api/v1/items/{shop[0].uuid}/similar/", "/api/v1/search/?q=kettle",
             "/api/v1/items/", "/api/v1/recommendations/?scenario=home"]  # fmt: skip
    for path in asked:
        assert address not in as_alice.get(path).content.decode(), path
    for path in pages:
        assert address not in web.get(path).content.decode(), path
    assert is_problem(as_alice.get(f"/api/v1/items/{address}/"), 404)
    assert web.get(f"/items/{address}/").status_code == 404


def test_without_consent_no_table_has_a_row_more(shop):
    client = client_of(make_person("carol", agrees=False))
    served = client.get(LISTS).json()["id"]
    item = str(shop[0].uuid)
    told = [
        ("feedback/", {"item": item, "kind": "like"}),
        ("feedback/", {"item": item, "kind": "comment", "text": "lovely"}),
        (
            "feedback/",
            [{"item": item, "kind": "view"}, {"item": item, "kind": "dwell", "value": 3}],
        ),
        ("impressions/", {"list": served, "positions": [1]}),
        ("impressions/", [{"list": served, "positions": [1]}]),
        ("me/steering/", {"action": "more", "kind": "category", "target": "kettle"}),
        ("me/wishes/", {"text": "quiet kettles"}),
    ]
    before = rows()
    for path, body in told:
        answer = client.post(f"/api/v1/{path}", body, format="json")
        assert is_problem(answer, 403), path
        assert answer.json()["type"] == "urn:medley:no_consent"
        assert "consent" in answer.json()["detail"]
    assert rows() == before


def rows() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}
