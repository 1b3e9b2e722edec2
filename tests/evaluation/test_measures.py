"""Splits, metrics and intervals, with numbers that can be checked by hand."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.evaluation import compare, metrics
from recommender.evaluation.splits import FEWEST_EVENTS, after, last_fraction, newest_items

SHOWN, LIKED = np.array([5, 3, 9, 1]), np.array([3, 1, 8])


def test_the_last_fifth_of_each_person_is_held_out():
    people = np.array([1] * 10 + [2] * 5 + [3] * 4)
    moments = np.r_[np.arange(10)[::-1], np.arange(5), np.arange(4)].astype(float)
    held = last_fraction(people, moments, 0.2)
    assert np.flatnonzero(held).tolist() == [0, 1, 14]  # the third has too few to spare any


def test_however_much_is_held_out_something_stays_known():
    assert last_fraction(np.zeros(5, int), np.arange(5.0), 0.99).tolist() == [False] + [True] * 4


def test_whoever_has_two_events_can_be_asked_for_the_last():
    people = np.array([1, 1, 2, 3, 3, 3])
    held = last_fraction(people, np.arange(6.0), 0.1, fewest=2)
    assert np.flatnonzero(held).tolist() == [1, 5]
    assert not last_fraction(people, np.arange(6.0), 0.1).any()


def test_of_equal_moments_the_last_row_is_held_out():
    held = last_fraction(np.zeros(5, int), np.zeros(5), 0.2)
    assert held.tolist() == [False] * 4 + [True]


@pytest.mark.parametrize("fraction", [0, 1, -1, float("nan")])
def test_a_fraction_of_nothing_or_all_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction"):
        last_fraction(np.zeros(5, int), np.zeros(5), fraction)


def test_a_moment_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="nan"):
        last_fraction(np.zeros(5, int), np.array([1, 2, np.nan, 4, 5]))
    with pytest.raises(ValueError, match="shapes disagree"):
        last_fraction(np.zeros(5, int), np.zeros(4))


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=80), st.floats(0.05, 0.95)
)
def test_nothing_held_out_is_older_than_what_is_known_of_the_same_person(events, fraction):
    people = np.array([person for person, _ in events], dtype=int)
    moments = np.array([moment for _, moment in events], dtype=float)
    held = last_fraction(people, moments, fraction)
    for person in set(people.tolist()):
        own = people == person
        foretold = np.count_nonzero(held & own)
        if own.sum() < FEWEST_EVENTS:
            assert foretold == 0
            continue
        assert foretold == np.clip(np.rint(fraction * own.sum()), 1, own.sum() - 1)
        assert moments[own & ~held].max() <= moments[own & held].min()


def test_what_is_at_the_moment_itself_is_known():
    assert after(np.array([1.0, 2.0, 3.0]), 2.0).tolist() == [False, False, True]


def test_the_newest_items_of_a_history_are_all_that_was_done_since_there_were_so_many():
    items = np.array([5, 7, 5, 8, 8, 7])
    assert newest_items(items, 0).tolist() == []
    assert newest_items(items, 1).tolist() == [5]
    assert newest_items(items, 2).tolist() == [3, 4, 5]
    assert newest_items(items, 3).tolist() == newest_items(items, 9).tolist() == [0, 1, 2, 3, 4, 5]


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(0, 9))
def test_there_are_as_many_newest_items_as_were_asked_for(items, n):
    history = np.array(items, dtype=int)
    rows = newest_items(history, n)
    assert rows.tolist() == list(range(len(items)))[len(items) - len(rows) :]
    assert len(set(history[rows].tolist())) == min(n, len(set(items)))


def test_accuracy_by_hand():
    assert metrics.recall(SHOWN, LIKED, 4) == pytest.approx(2 / 3)
    assert metrics.recall(SHOWN, LIKED, 2) == pytest.approx(1 / 2)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert metrics.ndcg(SHOWN, LIKED, 4) == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / ideal)
    assert metrics.reciprocal_rank(SHOWN, LIKED, 4) == 0.5


def test_an_ideal_list_scores_one_and_an_empty_one_nothing():
    assert metrics.ndcg(LIKED, LIKED, 10) == pytest.approx(1)
    for measure in (metrics.recall, metrics.ndcg, metrics.reciprocal_rank):
        assert measure(np.zeros(0, int), LIKED, 10) == 0


@pytest.mark.parametrize("measure", [metrics.recall, metrics.ndcg, metrics.reciprocal_rank])
def test_where_nothing_can_be_found_nothing_is_scored(measure):
    with pytest.raises(ValueError, match="nothing is relevant"):
        measure(SHOWN, np.zeros(0, int), 4)
    with pytest.raises(ValueError, match="k must be"):
        measure(SHOWN, LIKED, 0)


def test_novelty_is_the_surprise_of_having_had_an_item():
    assert metrics.novelty(np.array([1, 2]), {1: 8, 2: 2}, 8) == pytest.approx((0 + 2) / 2)
    assert metrics.novelty(np.array([3]), {}, 8) == pytest.approx(4)


def test_a_list_with_the_persons_own_mix_is_calibrated():
    history = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], bool)
    assert metrics.mix(history) == pytest.approx([2.5 / 4, 1.5 / 4])
    assert metrics.miscalibration(history, history) == pytest.approx(0)
    lopsided = np.array([[1, 0]], bool)
    p, q = np.array([0.625, 0.375]), 0.99 * np.array([1, 0]) + 0.01 * np.array([0.625, 0.375])
    assert metrics.miscalibration(lopsided, history) == pytest.approx((p * np.log(p / q)).sum())


def test_coverage_and_gini_of_all_lists_together():
    assert metrics.coverage(np.array([1, 1, 2]), 4) == 0.5
    assert metrics.gini(np.array([1, 2, 3, 4]), 4) == pytest.approx(0)
    assert metrics.gini(np.array([1, 1, 1, 1]), 4) == pytest.approx(0.75)


def test_two_of_three_lists_are_alike_and_share_one_item_with_the_third():
    together = np.array([1, 2, 1, 3, 1, 2])  # pairs have 1, 2 and 1 of 2 places in common
    assert metrics.in_common(together, 3, 2) == pytest.approx((1 + 2 + 1) / 3 / 2)
    assert metrics.in_common(np.array([1, 2, 1, 2]), 2, 2) == 1.0
    assert metrics.in_common(np.array([1, 2, 3, 4]), 2, 2) == 0.0
    assert metrics.in_common(np.array([1, 2]), 1, 2) == metrics.in_common(np.array([]), 0, 2) == 0.0


@given(st.lists(st.sets(st.integers(0, 8), max_size=4), min_size=2, max_size=12))
def test_what_lists_have_in_common_is_the_mean_over_all_pairs(lists):
    pairs = [len(one & two) / 4 for one, two in combinations(lists, 2)]
    together = np.array([item for one in lists for item in one], dtype=int)
    assert metrics.in_common(together, len(lists), 4) == pytest.approx(np.mean(pairs))


def test_intervals_are_the_same_for_the_same_seed_and_hold_the_mean():
    values = np.random.default_rng(0).random(200)
    one, two = compare.bootstrap(values), compare.bootstrap(values)
    assert one == two
    assert one.low < one.mean < one.high


@pytest.mark.parametrize(("shift", "verdict"), [(0.5, "WIN"), (-0.5, "LOSS"), (0.0, "TIE")])
def test_a_paired_difference_is_judged_by_its_interval(shift, verdict):
    theirs = np.random.default_rng(0).random(100)
    noise = np.random.default_rng(1).normal(0, 0.1, 100)
    assert compare.paired(theirs + shift + noise - noise.mean(), theirs).verdict == verdict


def test_a_difference_within_its_noise_is_a_tie():
    ours = np.array([1.0, -1.0] * 20 + [0.1])
    found = compare.paired(ours, np.zeros(41))
    assert found.mean > 0
    assert found.verdict == "TIE"


def test_an_interval_of_zeros_and_ones_is_about_that_of_the_binomial():
    values = np.repeat([0.0, 1.0], 200)  # 0.5, and 1.96 x 0.5 / sqrt 400 to each side
    found = compare.bootstrap(values)
    assert found.mean == 0.5
    assert (found.low, found.high) == pytest.approx((0.451, 0.549), abs=0.006)


def test_a_value_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        compare.bootstrap(np.array([1, np.nan]))
    with pytest.raises(ValueError, match="shapes disagree"):
        compare.paired(np.ones(2), np.ones(3))


def test_nobody_to_average_over_is_refused():
    with pytest.raises(ValueError, match="nobody"):
        compare.bootstrap(np.zeros(0))
