"""What was asked for in words is held against the items of a pool."""

import numpy as np
import pytest

from recommender.ranking.asked import HALF_FADED_LIKES, SHARE, Wishes, hold_against, with_asked

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
WAR, WESTERN = 7, 8


def held(wanted=(), unwanted=(), *, items, kinds=None, of_items=None, n_likes=0):
    """Wishes as directions; `kinds` of each wish, `of_items` of each item."""
    vectors = np.array([*wanted, *unwanted], dtype=np.float32).reshape(-1, 2)
    signs = np.array([True] * len(wanted) + [False] * len(unwanted), dtype=bool)
    wishes = Wishes([""] * len(signs), vectors, signs, kinds or [[]] * len(signs))
    of_items = of_items or [[]] * len(items)
    return hold_against(wishes, np.array(items, np.float32), of_items, n_likes=n_likes)


def test_the_item_nearest_to_a_wish_counts_whole_and_others_in_proportion():
    asked = held([EAST], items=[[0.4, 0.9], [0.2, 0.98], WEST])
    assert asked.near.tolist() == pytest.approx([1.0, 0.5, 0.0])
    assert asked.best.tolist() == [0, 0, -1]


def test_a_best_that_is_hardly_near_is_not_stretched():
    assert held([EAST], items=[[0.1, 0.995]]).near.tolist() == pytest.approx([0.4])


def test_of_several_wishes_the_nearest_counts_each_by_its_own_measure():
    asked = held([EAST, NORTH], items=[[0.3, 0.0], [0.0, 0.9], [0.3, 0.45]])
    assert asked.near.tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert asked.best.tolist() == [0, 1, 0]


def test_a_kind_that_is_named_counts_beside_the_words():
    asked = held([EAST], items=[EAST, EAST, NORTH], kinds=[[WAR]], of_items=[[WAR], [], [WAR, 1]])
    assert asked.near.tolist() == pytest.approx([1.0, 0.6, 0.4])


def test_of_two_kinds_that_are_named_each_is_half():
    asked = held([EAST], items=[NORTH, NORTH], kinds=[[WAR, WESTERN]], of_items=[[WAR], [8, 7]])
    assert asked.near.tolist() == pytest.approx([0.2, 0.4])


def test_of_an_unwanted_wish_words_or_kind_are_enough():
    asked = held(
        unwanted=[EAST], items=[EAST, NORTH, NORTH], kinds=[[WAR]], of_items=[[], [WAR], []]
    )
    assert asked.against.tolist() == [1.0, 1.0, 0.0]
    assert asked.near.tolist() == [0.0, 0.0, 0.0]
    assert asked.share == 0.0, "a no alone says nothing for any item"


def test_wanted_wishes_fade_with_likes_and_a_no_does_not():
    few, many = (
        held([EAST], [NORTH], items=[EAST, NORTH], n_likes=n) for n in (0, int(HALF_FADED_LIKES))
    )
    assert few.share == SHARE
    assert many.share == SHARE / 2
    assert many.against.tolist() == few.against.tolist() == [0.0, 1.0]


def test_contributions_of_behaviour_make_room_and_a_whole_no_outweighs_them():
    asked = held([EAST], [NORTH], items=[EAST, NORTH])
    parts = with_asked(np.array([[0.4, 0.6], [0.4, 0.6]], dtype=np.float32), asked)
    assert parts[0].tolist() == pytest.approx([0.06, 0.09, 0.85, 0.0])
    assert parts[1].tolist() == pytest.approx([0.06, 0.09, 0.0, -1.0])


def test_without_wishes_or_without_items_nothing_is_asked():
    nothing = held(items=[EAST])
    assert (nothing.share, nothing.near.tolist(), nothing.against.tolist()) == (0.0, [0.0], [0.0])
    assert nothing.best.tolist() == [-1]
    assert held([EAST], [WEST], items=np.zeros((0, 2))).near.tolist() == []


def test_an_item_without_a_vector_is_near_to_nothing():
    asked = held([EAST], [NORTH], items=[[0.0, 0.0]])
    assert (asked.near[0], asked.against[0], asked.best[0]) == (0.0, 0.0, -1)
