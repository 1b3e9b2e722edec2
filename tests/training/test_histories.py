"""Histories and popularity as training reads them: what was said for and against, by its weight."""

import numpy as np
import pytest

from recommender.candidates.signals import WEIGHTS, kind_weights
from recommender.training.learned import popularities, taken
from tests.events import Events, events

NAN = float("nan")


def popular(said: Events, weights: np.ndarray = WEIGHTS) -> dict[int, float]:
    ids = np.unique(said.items)
    return dict(zip(ids.tolist(), popularities(said, ids, weights)[0].tolist(), strict=True))


def counts(said: Events, weights: np.ndarray = WEIGHTS) -> dict[tuple[int, int], float]:
    """What each item counts for in each history, by person and item."""
    ids, people = np.unique(said.items), np.unique(said.people)
    found = taken(said, ids, weights)
    pairs = zip(people[found.people].tolist(), ids[found.items].tolist(), strict=True)
    return {pair: pytest.approx(n) for pair, n in zip(pairs, found.affinity.tolist(), strict=True)}


def test_what_was_disliked_is_in_nobodys_history():
    said = events((1, 70, "like", NAN, 0), (1, 30, "hide", NAN, 0), (2, 30, "dislike", NAN, 0))
    assert counts(said) == {(1, 70): 1.0}


def test_what_was_said_against_an_item_takes_from_what_was_said_for_it():
    rows = [(1, 30, "like", NAN, 0), (1, 70, "like", NAN, 0), (1, 30, "comment", -1.0, 1)]
    # 0.25 for what was taken up, and 0.75 of the 0.2 that is left of the like
    assert counts(events(*rows)) == {(1, 30): 0.4, (1, 70): 1.0}
    assert counts(events(*rows, (1, 30, "comment", -1.0, 2))) == {(1, 30): 0.25, (1, 70): 1.0}


def test_a_comment_alone_is_in_a_history_by_its_sign():
    said = events(
        (1, 30, "comment", 1.0, 0), (1, 50, "comment", NAN, 0), (1, 70, "comment", -1.0, 0)
    )
    assert counts(said) == {(1, 30): 0.8, (1, 50): 0.1}


def test_the_weights_decide_what_counts():
    said = events((1, 70, "view", NAN, 0), (2, 50, "like", NAN, 0), (2, 30, "rating", 5.0, 0))
    assert 0 < popular(said)[70] < popular(said)[50]
    assert set(counts(said)) == {(1, 70), (2, 30), (2, 50)}
    changed = kind_weights({"view": 0, "rating": 0})
    assert popular(said, changed) == {30: 0, 50: 1, 70: 0}
    assert set(counts(said, changed)) == {(2, 50)}


def test_popularity_is_by_item_id_and_as_of_the_newest_event():
    said = events((1, 70, "like", NAN, 0), (2, 30, "save", NAN, 180), (3, 30, "hide", NAN, 180))
    assert popular(said) == {30: 0, 70: 1}  # 0.8 - 1 is below nothing; half a like is left


def test_a_day_later_for_all_changes_no_popularity():
    rows = [(1, 70, "like", NAN, 0), (2, 30, "save", NAN, 100)]
    later = [(*row[:4], row[4] + 1) for row in rows]
    assert popular(events(*rows)) == popular(events(*later))


def test_no_events_say_nothing_of_no_items():
    assert popular(events()) == {}
    assert counts(events()) == {}
