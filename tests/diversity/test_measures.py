"""The report of a list, in numbers that can be checked by hand."""

import json
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.measures import category_distance, dcg, report, vector_distance

VECTORS = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.float32)
CATEGORIES = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=bool)


def test_distances_are_means_over_pairs():
    assert vector_distance(VECTORS[:3]) == pytest.approx((1 + 0 + 1) / 3)
    assert category_distance(CATEGORIES[:3]) == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_an_item_of_which_nothing_is_known_is_in_no_pair():
    assert vector_distance(VECTORS) == vector_distance(VECTORS[:3])
    assert category_distance(CATEGORIES) == category_distance(CATEGORIES[:3])


def test_a_list_of_one_or_none_has_no_pairs():
    for rows in (VECTORS[:1], VECTORS[:0]):
        assert vector_distance(rows) == 0
    assert category_distance(CATEGORIES[:1]) == 0


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_distances_are_what_a_loop_over_pairs_gives(seed, n):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sets = rng.random((n, 5)) < 0.5
    sets[:, 0] = True
    pairs = list(combinations(range(n), 2))
    far = np.mean([1 - vectors[a] @ vectors[b] for a, b in pairs])
    unlike = np.mean([1 - (sets[a] & sets[b]).sum() / (sets[a] | sets[b]).sum() for a, b in pairs])
    assert vector_distance(vectors) == pytest.approx(far)
    assert category_distance(sets) == pytest.approx(unlike)


def test_dcg_halves_the_third_place():
    assert dcg(np.array([1.0, 0.0, 1.0])) == pytest.approx(1 + 0.5)


def made(order, relevance):
    return report(
        np.array(order, dtype=np.int64), np.array(relevance), VECTORS, CATEGORIES,
        np.array([5, 5, -1, -1]), strategy="mmr", diversity=0.3,
    )  # fmt: skip


def test_the_report_counts_what_is_shown():
    found = made([0, 1, 2], [0.9, 0.6, 0.3, 0.0])
    assert (found.distinct_categories, found.pool_size, found.list_size) == (2, 4, 3)
    assert found.largest_category_share == pytest.approx(2 / 3, abs=1e-4)
    assert found.largest_creator_share == pytest.approx(2 / 3, abs=1e-4)
    assert (found.strategy, found.strength) == ("mmr", 0.3)


def test_items_without_a_creator_are_nobodys():
    assert made([1, 2, 3], [0.9, 0.6, 0.3, 0.1]).largest_creator_share == 0.3333


def test_the_order_of_relevance_keeps_all_of_it_and_another_order_less():
    assert made([0, 1], [0.9, 0.6, 0.3, 0.0]).relevance_kept == 1
    kept = made([2, 0], [0.9, 0.6, 0.3, 0.0]).relevance_kept
    assert kept == pytest.approx((0.3 + 0.9 / 1.58496) / (0.9 + 0.6 / 1.58496), abs=1e-4)


def test_an_empty_list_is_reported_without_complaint():
    found = made([], [0.9, 0.6, 0.3, 0.0])
    assert (found.list_size, found.largest_category_share, found.relevance_kept) == (0, 0, 1)


def test_any_list_in_order_of_relevance_keeps_exactly_all_of_it():
    rng = np.random.default_rng(0)
    for n in (1, 7, 50):
        relevance = rng.random(n).astype(np.float32)
        rows = np.zeros((n, 2), np.float32), np.zeros((n, 1), bool), np.full(n, -1)
        order = np.argsort(-relevance, kind="stable")[:20]
        assert report(order, relevance, *rows, strategy="mmr", diversity=0).relevance_kept == 1


def test_a_report_is_json():
    found = made([0, 1, 2], np.array([0.9, 0.6, 0.3, 0.0], np.float32))
    assert json.loads(json.dumps(asdict(found))) == asdict(found)
