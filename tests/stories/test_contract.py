"""Diversity as a contract: what is asked for in the API is kept, or the answer says why not."""

import pytest
from rest_framework.test import APIClient

from recommender.models import Served
from tests.conftest import client_of
from tests.factories import embed_and_learn, import_feedback, make_item, make_person

KINDS = ("drama", "comedy", "western", "crime", "war")


@pytest.fixture
def client(db) -> APIClient:
    """Likes dramas, of a catalogue of thirty films: twelve dramas and the rest of four kinds."""
    films = [make_item(f"A drama of {n}", categories=["drama"]) for n in range(12)]
    for kind in KINDS[1:]:
        films += [make_item(f"The {kind} of {n}", categories=[kind]) for n in range(4)]
    person = make_person("somebody")
    for film in films[:3]:
        import_feedback(person, film)
    embed_and_learn()
    return client_of(person)


def kinds(answer: dict) -> list[str]:
    return [row["item"]["categories"][0]["slug"] for row in answer["results"]]


def ask(client, **query) -> dict:
    response = client.get("/api/v1/recommendations/", {"limit": 8, **query})
    assert response.status_code == 200, response.json()
    return response.json()


def test_a_floor_of_categories_and_a_ceiling_are_kept(client):
    plain = ask(client, diversity=0)
    assert len(set(kinds(plain))) < 5
    kept = ask(client, diversity=0, min_categories=5, max_per_category=2)
    assert len(set(kinds(kept))) == 5
    assert max(map(kinds(kept).count, KINDS)) == 2
    assert set(kept["diversity"]["binding"]) <= {"min_categories", "max_per_category"}
    assert kept["diversity"]["binding"]
    assert kept["diversity"]["unmet"] == []
    assert Served.objects.get(pk=kept["id"]).settings["max_per_category"] == 2


def test_what_cannot_be_kept_is_named_with_its_reason(client):
    found = ask(client, min_categories=7)
    (unmet,) = found["diversity"]["unmet"]
    assert (unmet["limit"], unmet["asked"], unmet["got"]) == ("min_categories", 7, 5)
    assert "more than 5" in unmet["reason"]
    assert len(found["results"]) == 8  # a list is never shorter for a limit


@pytest.mark.parametrize("strategy", ["mmr", "msd", "dpp", "ssd", "xquad", "calibrated"])
def test_no_more_is_spent_than_the_budget(client, strategy):
    kept = [
        ask(client, strategy=strategy, budget=budget)["diversity"] for budget in (0, 0.02, 0.1, 0.5)
    ]
    for report, budget in zip(kept, (0, 0.02, 0.1, 0.5), strict=True):
        assert report["budget"] == budget
        assert 1 - report["relevance_kept"] <= budget + 1e-3
    assert [r["strength"] for r in kept] == sorted(r["strength"] for r in kept)


def test_the_report_tells_how_much_was_in_the_last_list(client):
    assert ask(client)["diversity"]["in_last"] == 0
    assert ask(client)["diversity"]["in_last"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"budget": 2}, "budget"),
        ({"budget": "nan"}, "budget"),
        ({"budget": 0.1, "diversity": 0.1}, "budget"),
        ({"strategy": "magic"}, "strategy"),
        ({"min_categories": -1}, "min_categories"),
        ({"max_per_category": 0}, "max_per_category"),
        ({"max_per_creator": "many"}, "max_per_creator"),
        ({"max_similarity": 1.5}, "max_similarity"),
    ],
)
def test_what_means_nothing_is_refused_and_nothing_is_kept(client, query, field):
    response = client.get("/api/v1/recommendations/", query)
    assert response.status_code == 400
    assert field in str(response.json())
    assert not Served.objects.exists()
