"""Raw events of everybody become popularity and neighbours, by the ids that events name."""

from dataclasses import dataclass

import numpy as np
import pytest

from recommender.candidates.crowd import DAY, item_neighbours, item_popularity, signals
from recommender.candidates.signals import KINDS, kind_weights

NAN = float("nan")


@dataclass(frozen=True)
class Events:
    people: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    values: np.ndarray
    moments: np.ndarray


def events(*rows: tuple) -> Events:
    """Rows are (person, item, kind, value, day), oldest first."""
    people, items, kinds, values, days = zip(*rows, strict=True) if rows else [[]] * 5
    return Events(
        np.array(people, dtype=np.int64),
        np.array(items, dtype=np.int64),
        np.array([KINDS.index(kind) for kind in kinds], dtype=np.int8),
        np.array(values, dtype=np.float64),
        np.array(days, dtype=np.float64) * DAY,
    )


def likes(*pairs: tuple) -> Events:
    return events(*((person, item, "like", NAN, 0) for person, item in pairs))


def test_ratings_are_read_against_the_mean_of_the_person_who_gave_them():
    lenient = [(1, item, "rating", 5.0, 0) for item in range(5)]
    says = signals(events(*lenient, (1, 9, "rating", 3.0, 0), (2, 9, "rating", 3.0, 0)))
    # Person 1 has a mean of (28 + 17.5) / 11, person 2 one of (3 + 17.5) / 6.
    assert says[5] == pytest.approx(0.4 + 0.3 * (3 - 45.5 / 11))
    assert says[6] == pytest.approx(0.4 + 0.3 * (3 - 20.5 / 6))


def test_the_people_of_events_may_come_in_any_order():
    rows = [(2, 1, "rating", 3.0, 0), (1, 1, "rating", 5.0, 0), (2, 2, "like", NAN, 0)]
    rows += [(1, 2, "rating", 3.0, 0)]
    forth, back = signals(events(*rows)), signals(events(*rows[::-1]))
    assert forth.tolist() == back[::-1].tolist()


def test_popularity_is_by_item_id_and_as_of_the_newest_event():
    ids, scores = item_popularity(
        events((1, 70, "like", NAN, 0), (2, 30, "save", NAN, 180), (3, 30, "hide", NAN, 180))
    )
    assert ids.tolist() == [30, 70]
    assert scores.tolist() == [0, 1]  # 0.8 - 1 is below nothing; a like of half a year ago is left


def test_a_day_later_for_all_changes_no_popularity():
    rows = [(1, 70, "like", NAN, 0), (2, 30, "save", NAN, 100)]
    later = [(*row[:4], row[4] + 1) for row in rows]
    assert item_popularity(events(*rows))[1].tolist() == item_popularity(events(*later))[1].tolist()


def test_neighbours_are_item_ids():
    ids, found = item_neighbours(likes((1, 70), (1, 30), (2, 70), (2, 30), (3, 50)))
    assert ids.tolist() == [30, 50, 70]
    assert found.ids[:, 0].tolist() == [70, -1, 30]
    assert found.ids.dtype == np.int64


def test_what_was_disliked_makes_nobody_neighbours():
    said = events(
        (1, 70, "like", NAN, 0), (1, 30, "hide", NAN, 0), (2, 70, "like", NAN, 0),
        (2, 30, "dislike", NAN, 0),
    )  # fmt: skip
    ids, found = item_neighbours(said)
    assert ids.tolist() == [30, 70]
    assert (found.ids == -1).all()


def test_what_was_said_against_an_item_takes_from_what_was_said_for_it():
    both = [(person, item, "like", NAN, 0) for person in (1, 2) for item in (30, 70)]
    against = [(person, 30, "comment", -1.0, 1) for person in (1, 2)]
    ids, found = item_neighbours(events(*both, *against))
    assert found.ids[:, 0].tolist() == [70, 30]  # a like of 0.2 is still one
    gone = [(person, 30, "comment", -1.0, 2) for person in (1, 2)]
    ids, found = item_neighbours(events(*both, *against, *gone))
    assert (found.ids == -1).all()


def test_the_weights_decide_what_counts():
    said = events((1, 70, "view", NAN, 0), (1, 30, "view", NAN, 0), (2, 50, "like", NAN, 0))
    nothing = kind_weights({"view": 0})
    assert item_popularity(said)[1].tolist()[2] > 0
    assert item_popularity(said, nothing)[1].tolist() == [0, 1, 0]
    assert item_neighbours(said)[1].ids[0, 0] == 70
    assert (item_neighbours(said, nothing)[1].ids == -1).all()


def test_no_events_say_nothing_of_no_items():
    assert len(signals(events())) == 0
    assert [len(part) for part in item_popularity(events())] == [0, 0]
    ids, found = item_neighbours(events())
    assert (len(ids), len(found.ids)) == (0, 0)
