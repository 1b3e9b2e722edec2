"""Variety that is of use, and how much of a list was there before or is everybody's."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.evaluation.metrics import alpha_ndcg, mean_overlap, ndcg, overlap

COMEDY, DRAMA, BOTH = np.eye(2, dtype=bool)[0], np.eye(2, dtype=bool)[1], np.ones(2, dtype=bool)
ASPECTS = {1: COMEDY, 2: COMEDY, 3: DRAMA, 4: BOTH}
SECOND = 1 / np.log2(3)


@pytest.mark.parametrize(
    ("shown", "score"),
    [
        ([1, 3], 1),
        ([3, 2], 1),
        ([1, 2], (1 + 0.5 * SECOND) / (1 + SECOND)),
        ([9, 1], SECOND / (1 + SECOND)),
        ([1], 1 / (1 + SECOND)),
        ([], 0),
    ],
)
def test_a_second_comedy_counts_half(shown, score):
    assert alpha_ndcg(np.array(shown), np.array([1, 2, 3]), ASPECTS, 2) == pytest.approx(score)


def test_an_item_of_two_aspects_finds_both_at_once():
    found = alpha_ndcg(np.array([4, 1]), np.array([1, 4]), ASPECTS, 2)
    assert found == 1
    swapped = alpha_ndcg(np.array([1, 4]), np.array([1, 4]), ASPECTS, 2)
    assert swapped == pytest.approx((1 + 1.5 * SECOND) / (2 + 0.5 * SECOND))


def test_items_of_which_no_aspect_is_known_find_nothing():
    relevant = np.array([1, 7])
    assert alpha_ndcg(np.array([7, 1]), relevant, ASPECTS, 2) == pytest.approx(SECOND)
    assert alpha_ndcg(np.array([7]), np.array([7]), ASPECTS, 2) == 0


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1), st.integers(1, 10))
def test_with_one_aspect_for_all_and_nothing_lost_it_is_ndcg(shown, relevant, k):
    everything = dict.fromkeys(range(12), np.array([True]))
    shown, relevant = np.array(shown), np.array(sorted(relevant))
    assert alpha_ndcg(shown, relevant, everything, k, alpha=0) == pytest.approx(
        ndcg(shown, relevant, k)
    )


def test_what_cannot_be_scored_is_refused_as_by_the_other_measures():
    with pytest.raises(ValueError, match="nothing is relevant"):
        alpha_ndcg(np.array([1]), np.array([]), ASPECTS, 2)
    with pytest.raises(ValueError, match="k must"):
        alpha_ndcg(np.array([1]), np.array([1]), ASPECTS, 0)


def test_overlap_is_the_share_that_was_there_before():
    assert overlap(np.array([1, 2, 3, 4]), np.array([4, 9, 1])) == 0.5
    assert overlap(np.array([]), np.array([1])) == overlap(np.array([1]), np.array([])) == 0


@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_mean_overlap_is_that_of_a_loop_over_pairs(seed, people):
    rng = np.random.default_rng(seed)
    lists = [rng.permutation(9)[:4] for _ in range(people)]
    shares = [len(np.intersect1d(one, other)) / 4 for one, other in combinations(lists, 2)]
    assert mean_overlap(lists) == pytest.approx(np.mean(shares))


def test_one_list_for_all_overlaps_wholly_and_nobody_overlaps_with_nobody():
    assert mean_overlap([np.array([1, 2])] * 3) == 1
    assert mean_overlap([np.array([1, 2])]) == mean_overlap([]) == 0
    assert mean_overlap([np.array([]), np.array([])]) == 0
