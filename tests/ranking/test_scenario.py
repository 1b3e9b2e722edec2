"""Pins, themes and ages, by hand."""

import numpy as np

from recommender.ranking.explore import Explored
from recommender.ranking.scenario import Pin, freshness, put_pins, theme

IDS = np.arange(10, 20)


def explored(*order: int, places: tuple = ()) -> Explored:
    chances = np.full(len(order), 0.5)
    return Explored(np.array(order), chances, np.array(places, dtype=np.int64))


def pinned(*pins: Pin, limit: int = 4, fits=lambda rows: True, places: tuple = ()):
    return put_pins(explored(0, 1, 2, 3, places=places), pins, IDS, limit=limit, fits=fits)


def test_a_pin_moves_what_stands_there_down_and_the_last_goes():
    made = pinned(Pin(15, 2))
    assert made.order.tolist() == [0, 5, 1, 2]
    assert made.propensity.tolist() == [0.5, 1.0, 0.5, 0.5]
    assert made.labels == {1: "promoted"}


def test_an_item_of_the_list_is_moved_and_nothing_goes():
    assert pinned(Pin(13, 1)).order.tolist() == [3, 0, 1, 2]


def test_what_is_no_candidate_is_not_pinned():
    assert pinned(Pin(99, 1)).order.tolist() == [0, 1, 2, 3]


def test_a_pin_behind_the_end_stands_at_the_end():
    assert pinned(Pin(15, 50)).order.tolist() == [0, 1, 2, 5]


def test_what_goes_for_a_pin_lets_the_list_keep_its_limits():
    made = pinned(Pin(15, 1), fits=lambda rows: not {1, 5} <= set(rows.tolist()))
    assert made.order.tolist() == [5, 0, 2, 3]


def test_places_that_were_given_away_are_counted_anew():
    assert pinned(Pin(15, 1), places=(1,)).explored.tolist() == [2]


def test_what_is_not_wanted_stays_behind_whatever_a_list_is_about():
    relevance, against = np.array([0.5, -0.5]), np.array([0.0, 1.0])
    moved = relevance + theme(np.array([0.5, 1.0]), against).added(relevance)
    assert moved[1] < 0 < moved[0]


def test_ages_count_from_the_youngest():
    assert freshness(np.array([110.0, 100.0]), 10.0).tolist() == [0.5, 1.0]
