"""What each piece of everybody's feedback says, read against the person who gave it."""

import pytest

from recommender.candidates.crowd import signals
from recommender.candidates.signals import kind_weights
from tests.events import events

NAN = float("nan")


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


def test_the_weights_decide_what_an_event_says():
    said = events((1, 70, "view", NAN, 0), (1, 30, "like", NAN, 0))
    assert signals(said).tolist() == pytest.approx([0.15, 1.0])
    assert signals(said, kind_weights({"view": -1.0, "like": 0.5})).tolist() == [-1, 0.5]


def test_no_events_say_nothing():
    assert signals(events()).shape == (0,)
