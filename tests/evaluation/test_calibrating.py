"""Curves are measured on what was held out, fall with strength, and equal a list made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import STRATEGIES, Limits
from recommender.evaluation import calibrating, metrics
from recommender.evaluation.calibrating import MEASURES, SETTINGS, Measured, falling, measure
from recommender.evaluation.fitting import part
from recommender.evaluation.replay import list_for, look_back, model_of, rows_by_person
from recommender.evaluation.splits import last_fraction
from recommender.evaluation.trial import targets_of
from recommender.ranking.model import untrained
from recommender.ranking.pipeline import Rules
from tests.evaluation.worlds import in_order, library


@pytest.fixture(scope="module")
def trial():
    """The people of a small world, the past of whom is all but their last fifth."""
    events = in_order()
    held = last_fraction(events.people, events.moments, 0.2)
    past = look_back(library(), part(events, ~held))
    return past, model_of(past.learned, untrained()), targets_of(events, held, past)


def value(measured: Measured, setting: tuple[str, float], name: str) -> np.ndarray:
    return measured.values[:, SETTINGS.index(setting), MEASURES.index(name)]


def test_what_is_measured_is_what_the_lists_of_a_replay_come_to(trial):
    past, model, targets = trial
    found = measure(past, model, targets, limits=Limits(), pool_size=30)
    rows = rows_by_person(past.events.people)
    rules = Rules(limit=10, diversity=0.0, model=model)
    plain = [
        metrics.ndcg(list_for(past, rows[p], rules, pool_size=30), wanted, 10)
        for p, wanted in targets.items()
    ]
    assert value(found, ("none", 0.0), "ndcg") == pytest.approx(plain, abs=1e-6)
    assert (value(found, ("none", 0.0), "relevance") == 1).all()
    for strategy in ("mmr", "msd"):
        much = value(found, (strategy, 0.9), "vector_distance").mean()
        assert much > value(found, (strategy, 0.1), "vector_distance").mean()


def test_a_curve_starts_at_the_order_of_relevance_and_never_rises(trial):
    past, model, targets = trial
    curve = measure(past, model, targets, limits=Limits(), pool_size=30).curve()
    assert curve.strategies() == tuple(STRATEGIES)
    for strategy in STRATEGIES:
        kept = [p.kept for p in curve.points if p.strategy == strategy]
        assert kept[0] == 1
        assert (np.diff(kept) <= 0).all()


def test_shares_are_of_the_order_of_relevance_with_an_interval_over_people():
    values = np.zeros((4, len(SETTINGS), len(MEASURES)))
    ndcg = MEASURES.index("ndcg")
    values[:, 0, ndcg] = (0.2, 0.4, 0.6, 0.8)
    values[:, 1:, ndcg] = np.array([0.2, 0.4, 0.6, 0.4])[:, None]
    kept = Measured(values).kept()
    assert kept[0].tolist() == [1, 1, 1]
    assert kept[1] == pytest.approx([0.8, kept[1, 1], 1.0])
    assert 0.5 <= kept[1, 1] < 0.8


def test_where_the_order_of_relevance_finds_nothing_there_is_nothing_to_keep():
    with pytest.raises(ValueError, match="finds nothing"):
        Measured(np.zeros((3, len(SETTINGS), len(MEASURES)))).kept()


def test_without_categories_distance_alone_is_diversity():
    values = np.zeros((1, len(SETTINGS), len(MEASURES)))
    values[:, :, MEASURES.index("vector_distance")] = 0.5
    values[:, 1, MEASURES.index("vector_distance")] = 0.6
    assert Measured(values).diversity()[:3] == pytest.approx([1, 1.2, 1])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_what_falls_is_never_above_what_came_before_and_keeps_the_mean(values):
    found = falling(np.array(values))
    assert len(found) == len(values)
    assert (np.diff(found) <= 1e-12).all()
    if values:
        assert found.mean() == pytest.approx(np.mean(values))


def test_what_falls_already_stays():
    assert falling(np.array([0.9, 0.5, 0.1])).tolist() == [0.9, 0.5, 0.1]
    assert calibrating.falling(np.zeros(0)).tolist() == []
