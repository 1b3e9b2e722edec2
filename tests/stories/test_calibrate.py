"""What diversity costs is measured here, kept as a row, and obeyed by the next request."""

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from recommender import calibrate, store, tasks
from recommender.diversity import budget_of
from recommender.models import Calibration, Job
from tests.conftest import client_of
from tests.factories import (
    embed_and_learn,
    import_feedback,
    make_calibration,
    make_item,
    make_person,
)

pytestmark = pytest.mark.django_db
KINDS = ("drama", "comedy", "western")
MEASURED = "2026-11-20T10:00:00+00:00"


@pytest.fixture
def crowd(monkeypatch):
    """Twelve people who like one kind each; of a site so small, ten are enough to calibrate."""
    monkeypatch.setattr(calibrate, "FEWEST_PEOPLE", 10)
    items = [make_item(f"{KINDS[n % 3]} number {n}", categories=[KINDS[n % 3]]) for n in range(36)]
    rng = np.random.default_rng(0)
    people = [make_person(f"person {n}") for n in range(12)]
    for number, person in enumerate(people):
        own = items[number % 3 :: 3]
        for place, at in enumerate(rng.permutation(len(own))[:8]):
            import_feedback(person, own[at], days_ago=40 - place)
    embed_and_learn()
    return people


def report(client: APIClient, **query) -> dict:
    response = client.get("/api/v1/recommendations/", {"limit": 8, **query})
    assert response.status_code == 200, response.json()
    return response.json()["diversity"]


def test_a_calibration_is_a_row_with_its_sample_and_its_choice(crowd):
    found = calibrate.calibrate(most_people=11)
    row = Calibration.objects.get()
    assert (row.pk, row.scenario, row.people, row.events) == (found.pk, "home", 11, 12 * 8)
    assert row.strategy in store.curve_of(row.curves["curve"]).strategies()
    assert row.strength == pytest.approx(
        store.curve_of(row.curves["curve"]).strongest_within(row.budget).strength
    )
    plain, *others = row.curves["points"]
    assert (plain["strategy"], plain["kept"]) == ("none", [1, 1, 1])
    assert all(p["kept"][1] <= p["kept"][0] <= p["kept"][2] for p in others)


def test_too_little_feedback_is_refused_and_keeps_nothing(crowd, monkeypatch):
    monkeypatch.setattr(calibrate, "FEWEST_PEOPLE", 13)
    with pytest.raises(CommandError, match="only 12 people .* 13 are needed"):
        call_command("calibrate")
    with pytest.raises(CommandError, match="no active scenario 'nowhere'"):
        call_command("calibrate", scenario="nowhere")
    assert not Calibration.objects.exists()
    calibrate.calibrate_if_possible()  # from the schedule it is no error
    assert not Calibration.objects.exists()


def test_a_dry_run_measures_and_keeps_nothing(crowd, capsys):
    call_command("calibrate", dry_run=True, people=10)
    assert "| mmr |" in capsys.readouterr().out
    assert not Calibration.objects.exists()
    call_command("calibrate", people=10)
    call_command("calibrate", list=True)
    assert "home" in capsys.readouterr().out


def test_the_schedule_asks_by_a_job(crowd):
    tasks.plan("calibrate")
    tasks.calibrate_diversity([Job.objects.get(kind="calibrate").pk])
    assert Job.objects.get(kind="calibrate").done_at is not None
    assert Calibration.objects.count() == 1


def test_without_a_curve_the_answer_says_uncalibrated(crowd):
    client = client_of(crowd[0])
    assert report(client)["calibrated"] == "uncalibrated"
    make_calibration(scenario="elsewhere")
    assert report(client)["calibrated"] == "uncalibrated"


def test_a_budget_is_turned_into_the_measured_strategy_and_strength(crowd):
    make_calibration()
    client = client_of(crowd[0])
    found = report(client, budget=0.26)
    assert (found["strategy"], found["calibrated"]) == ("dpp", MEASURED)
    assert found["strength"] == pytest.approx(0.3 + 0.6 * (0.96 - 0.74) / (0.96 - 0.5))
    assert report(client, budget=0.26, strategy="mmr")["strength"] == pytest.approx(0.4)


def test_a_plain_diversity_costs_as_much_by_either_strategy(crowd):
    """0.5 stands for a budget of 4.1 %, which the two were measured to cost at such strengths."""
    make_calibration()
    curve = store.curve_of(Calibration.objects.get().curves["curve"])
    client = client_of(crowd[0])
    for strategy in ("mmr", "dpp"):
        found = report(client, diversity=0.5, strategy=strategy)
        assert found["strength"] <= curve.strength_within(strategy, budget_of(0.5)) + 1e-9
        assert found["relevance_kept"] >= 1 - budget_of(0.5) - 1e-4


def test_more_budget_is_never_turned_into_less_strength(crowd):
    make_calibration()
    client = client_of(crowd[0])
    strengths = [report(client, budget=b)["strength"] for b in (0, 0.01, 0.02, 0.1, 0.5)]
    assert strengths == sorted(strengths)
    assert strengths[0] == 0


def test_no_list_costs_more_of_its_own_relevance_than_asked_whatever_the_curve_says(crowd):
    generous = [["mmr", 0.0, 1.0, 1.0], ["mmr", 1.0, 1.0, 2.0]]
    make_calibration(strategy="mmr", curve=generous)
    for person in crowd[:4]:
        found = report(client_of(person), budget=0.02)
        assert found["relevance_kept"] >= 0.98 - 1e-4


def test_the_newest_curve_of_the_scenario_counts(crowd):
    make_calibration()
    make_calibration(strategy="mmr")
    assert report(client_of(crowd[0]))["strategy"] == "mmr"
