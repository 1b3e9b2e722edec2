"""Floors and ceilings are kept whenever some list can keep them, beside every list there is."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.diversity import mmr
from recommender.diversity.contract import Contract, Kept, Limits
from tests.diversity.every import every

DIRECTIONS = np.array([[1.0, 0], [0.8, 0.6], [0, 1], [-1, 0], [0, 0]])
FALLING = np.linspace(1, 0, 6)


def kept(limits, k, relevance, categories, creators, vectors, *, choose=mmr, diversity=0.3) -> Kept:
    contract = Contract(
        limits, k, relevance, categories=categories, creators=creators, vectors=vectors
    )
    return contract.keep(lambda gate: choose(vectors, relevance, k, diversity, gate=gate))


def keeps(rows, limits, categories, creators, vectors) -> bool:
    """By the words of the limits, one pair and one count at a time."""
    rows = list(rows)
    in_category = categories[rows].sum(axis=0)
    by = [c for c in creators[rows] if c >= 0]
    pairs = [vectors[a] @ vectors[b] for a, b in combinations(rows, 2)]
    return all(
        (
            limits.min_categories is None or (in_category > 0).sum() >= limits.min_categories,
            limits.max_per_category is None
            or in_category.max(initial=0) <= limits.max_per_category,
            limits.max_per_creator is None
            or max((by.count(c) for c in by), default=0) <= limits.max_per_creator,
            limits.max_similarity is None or max(pairs, default=-1) <= limits.max_similarity,
        )
    )


@st.composite
def pools(draw):
    n = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    thin = draw(st.sampled_from([0.15, 0.3, 0.5]))
    return (
        rng.integers(0, 5, n) / 4,
        rng.random((n, draw(st.integers(0, 6)))) < thin,
        rng.integers(-1, 3, n),
        DIRECTIONS[rng.integers(0, 5, n)],
    )


limits_of_all_kinds = st.builds(
    Limits,
    min_categories=st.sampled_from([None, 0, 1, 2, 3, 4, 6]),
    max_per_category=st.sampled_from([None, 1, 2]),
    max_per_creator=st.sampled_from([None, 1, 2]),
    max_similarity=st.sampled_from([None, 0.9, 0.7, 0.3, -0.5]),
)


@every
@settings(max_examples=60)
@given(pools(), limits_of_all_kinds, st.integers(0, 5), st.sampled_from([0, 0.3, 0.9]))
def test_limits_are_kept_whenever_any_list_of_that_length_can(choose, pool, limits, k, diversity):
    relevance, *facts = pool
    k = min(k, len(relevance))
    found = kept(limits, k, *pool, choose=choose, diversity=diversity)
    assert len(found.order) == len(set(found.order.tolist())) == k
    possible = any(keeps(rows, limits, *facts) for rows in combinations(range(len(relevance)), k))
    assert keeps(found.order, limits, *facts) == possible == (not found.unmet)
    for unmet in found.unmet:
        assert unmet.reason
        assert not keeps(found.order, limits.only(unmet.limit), *facts)
    assert {unmet.limit for unmet in found.unmet} <= set(found.binding) <= set(limits.asked())


@settings(max_examples=100)
@given(pools(), st.integers(1, 6), st.integers(1, 5))
def test_a_floor_that_cannot_be_met_is_met_as_far_as_any_list_can(pool, floor, k):
    relevance, categories, *_ = pool
    k = min(k, len(relevance))
    found = kept(Limits(min_categories=floor, max_per_creator=1), k, *pool)
    most = max(
        np.count_nonzero(categories[list(rows)].any(axis=0))
        for rows in combinations(range(len(relevance)), k)
    )
    assert np.count_nonzero(categories[found.order].any(axis=0)) >= min(floor, most)


@settings(max_examples=100)
@given(pools(), st.sampled_from(["max_per_category", "max_per_creator"]), st.integers(1, 5))
def test_a_ceiling_that_cannot_be_kept_gives_way_by_as_little_as_can_be(pool, name, k):
    relevance, *facts = pool
    k = min(k, len(relevance))
    found = kept(Limits(**{name: 1}), k, *pool)
    least = next(
        ceiling
        for ceiling in range(1, 6)
        if any(
            keeps(rows, Limits(**{name: ceiling}), *facts)
            for rows in combinations(range(len(relevance)), k)
        )
    )
    assert keeps(found.order, Limits(**{name: least}), *facts)
    if least > 1:
        assert [(u.limit, u.asked, u.got) for u in found.unmet] == [(name, 1, least)]


@every
@given(pools(), st.sampled_from([0, 0.3, 0.9]))
def test_limits_that_the_list_keeps_anyway_change_nothing(choose, pool, diversity):
    relevance, categories, creators, vectors = pool
    free = choose(vectors, relevance, 4, diversity)
    loose = Limits(0, 4, 4, 1.0)
    found = kept(loose, 4, *pool, choose=choose, diversity=diversity)
    assert (found.order.tolist(), found.binding, found.unmet) == (free.tolist(), (), ())


SIX = (
    FALLING,
    np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1]], dtype=bool),
    np.array([7, 7, 8, 8, -1, -1]),
    np.eye(6),
)


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        (Limits(), [0, 1, 2]),
        (Limits(min_categories=2), [0, 1, 3]),
        (Limits(min_categories=3), [0, 3, 5]),
        (Limits(max_per_category=2), [0, 1, 4]),
        (Limits(max_per_category=1), [0, 4, 5]),
        (Limits(max_per_creator=1), [0, 2, 4]),
        (Limits(max_per_creator=1, max_per_category=1), [0, 4, 5]),
    ],
)
def test_it_departs_from_relevance_only_as_far_as_it_must(limits, order):
    found = kept(limits, 3, *SIX, diversity=0)
    assert found.order.tolist() == order
    assert found.unmet == ()
    assert set(found.binding) == (set() if order == [0, 1, 2] else set(limits.asked()))


def test_a_ceiling_of_likeness_keeps_the_more_relevant_of_two():
    vectors = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0, 1]])
    pool = np.array([0.9, 1, 0.8, 0.1]), np.zeros((4, 0), bool), np.full(4, -1), vectors
    found = kept(Limits(max_similarity=0.7), 3, *pool, diversity=0)
    # Row 1 is near to row 0 alone, and without row 1 there still are three.
    assert found.order.tolist() == [1, 2, 3]
    assert found.binding == ("max_similarity",)
    assert kept(Limits(max_similarity=0.5), 3, *pool, diversity=0).order.tolist() == [0, 2, 3]


def test_it_says_what_could_not_be_met_and_why():
    found = kept(Limits(min_categories=4), 3, *SIX, diversity=0)
    (unmet,) = found.unmet
    assert (unmet.limit, unmet.asked, unmet.got) == ("min_categories", 4, 3)
    assert unmet.reason == "no 3 of the candidates have more than 3"

    found = kept(Limits(max_per_category=1), 5, *SIX, diversity=0)
    (unmet,) = found.unmet
    assert (unmet.limit, unmet.asked, unmet.got) == ("max_per_category", 1, 3)
    assert unmet.reason == "no 5 of the candidates keep to it"

    found = kept(Limits(max_per_category=1), 6, *SIX, diversity=0)
    assert found.unmet[0].reason == "there are only 6 candidates"


def test_two_limits_that_each_could_be_kept_but_not_both():
    # One creator made all comedies, and nobody else anything but dramas.
    categories = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], dtype=bool)
    pool = np.array([0.1, 0.9, 0.8, 0.7]), categories, np.array([1, 1, 2, 3]), np.eye(4)
    found = kept(Limits(min_categories=2, max_per_category=1, max_per_creator=1), 2, *pool)
    assert sorted(found.order.tolist()) == [0, 2]
    found = kept(Limits(min_categories=2, max_per_creator=1), 3, *pool)
    assert sorted(found.order.tolist()) == [0, 2, 3]
    found = kept(Limits(min_categories=2, max_per_category=1), 3, *pool)
    (unmet,) = found.unmet
    assert (unmet.limit, unmet.got) == ("max_per_category", 2)


def test_the_row_of_most_categories_is_left_out_where_two_others_cover_more():
    categories = np.array(
        [[0, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]], dtype=bool
    )
    pool = np.array([0.9, 0.5, 0.4, 1]), categories, np.full(4, -1), np.eye(4)
    found = kept(Limits(min_categories=6), 2, *pool)
    assert (found.order.tolist(), found.unmet) == ([1, 2], ())


def test_rows_of_nobody_fill_what_creators_may_not():
    categories = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], dtype=bool)
    pool = np.linspace(1, 0, 5), categories, np.array([1, 1, -1, -1, -1]), np.eye(5)
    found = kept(Limits(min_categories=2, max_per_creator=1), 3, *pool, diversity=0)
    assert (found.order.tolist(), found.unmet) == ([0, 2, 4], ())
    assert found.binding == ("min_categories", "max_per_creator")


@pytest.mark.parametrize("seed", range(4))
def test_limits_of_a_page_are_kept_among_many(seed):
    rng = np.random.default_rng(seed)
    n = 200
    vectors = rng.standard_normal((n, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    popular = 0.5 / np.arange(1, 19) ** 0.7
    categories = rng.random((n, 18)) < popular
    pool = rng.random(n), categories, rng.integers(-1, 30, n), vectors
    limits = Limits(min_categories=14, max_per_category=8, max_per_creator=1, max_similarity=0.6)
    found = kept(limits, 20, *pool)
    assert found.unmet == ()
    assert keeps(found.order, limits, *pool[1:])


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_categories": -1},
        {"min_categories": 1.5},
        {"max_per_category": 0},
        {"max_per_creator": 0},
        {"max_similarity": 1.1},
        {"max_similarity": float("nan")},
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


def test_shapes_that_disagree_are_refused():
    facts = {"categories": SIX[1], "creators": SIX[2], "vectors": SIX[3]}
    make = partial(Contract, Limits(), 3, FALLING)
    for name in facts:
        with pytest.raises(ValueError, match=name):
            make(**(facts | {name: facts[name][:5]}))
    with pytest.raises(ValueError, match="k must"):
        Contract(Limits(), -1, FALLING, **facts)
