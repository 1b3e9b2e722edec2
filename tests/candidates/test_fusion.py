"""Reciprocal rank fusion: rank counts, scores do not; ties and duplicates have one answer."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.fusion import CONSTANT, reciprocal_rank


def fused(*lists: list[int], **more) -> list[int]:
    return reciprocal_rank([np.array(row, dtype=np.int64) for row in lists], **more).tolist()


def test_what_stands_in_two_lists_comes_before_what_leads_one():
    assert fused([7, 3, 5], [3, 9]) == [3, 7, 9, 5]  # 1/62 + 1/61, 1/61, 1/62, 1/63


def test_a_small_constant_lets_a_leader_lead():
    # With 0: 1 has 1, 2 has 1/2 + 1/3; with 60: 1/61 < 1/62 + 1/63
    assert fused([1, 2], [3, 4, 2], constant=0)[:2] == [1, 3]
    assert fused([1, 2], [3, 4, 2])[0] == 2


def test_equal_scores_go_to_the_lower_id_whatever_the_order_of_lists():
    assert fused([9, 4], [4, 9]) == [4, 9]
    assert fused([1, 9, 9], [9], [5, 1]) == fused([5, 1], [9], [1, 9])


def test_sums_that_float_differently_still_tie():
    # Item 1 has ranks 1, 7, 2 and item 2 ranks 2, 1, 7: equal, but not in the last bit.
    lists = ([1, 2], [2, 11, 12, 13, 14, 15, 1], [21, 1, 22, 23, 24, 25, 2])
    assert fused(*lists)[:2] == [1, 2]


def test_ranks_count_from_one():
    assert fused([1, 2], [3, 2], constant=0) == [1, 2, 3]  # 1, 1/2 + 1/2, 1


def test_weights_decide_between_lists():
    assert fused([1], [2], weights=[0.1, 1]) == [2, 1]
    assert fused([1], [2], weights=[1, 0]) == [1, 2]  # of no weight, and still found


def test_an_id_that_comes_twice_in_a_list_counts_where_it_comes_first():
    assert fused([8, 8, 8], [5, 8]) == [8, 5]
    assert fused([5, 8, 8, 8], [5]) == [5, 8]
    assert fused([8, 8, 5], [5]) == [5, 8]  # 8 has 1/61, not three times


def test_a_limit_cuts_and_nothing_gives_nothing():
    assert fused([3, 2, 1], limit=2) == [3, 2]
    assert fused() == fused([]) == fused([1], limit=0) == []


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf])
def test_a_weight_below_0_or_not_finite_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        fused([1], weights=[weight])


def test_a_weight_too_many_and_a_constant_below_0_are_refused():
    with pytest.raises(ValueError, match="1 lists and 2 weights"):
        fused([1], weights=[1, 1])
    for constant in (-1, np.nan):
        with pytest.raises(ValueError, match="constant"):
            fused([1], constant=constant)


@given(st.lists(st.lists(st.integers(1, 30), max_size=20, unique=True), max_size=5))
def test_it_is_the_sum_of_reciprocal_ranks_in_exact_numbers(lists):
    score: dict[int, Fraction] = {}
    for row in lists:
        for rank, item in enumerate(row, start=1):
            score[item] = score.get(item, Fraction(0)) + Fraction(1, CONSTANT + rank)
    assert fused(*lists) == sorted(score, key=lambda item: (-score[item], item))
