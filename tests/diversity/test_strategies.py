"""Strategies trade relevance for variety, keep the limits per group, and say no to bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.dpp import dpp
from recommender.diversity.mmr import mmr
from tests.diversity.every import every

TWINS_AND_A_STRANGER = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
both = pytest.mark.parametrize("choose", [mmr, dpp], ids=["mmr", "dpp"])


def unit_rows(seed: int, n: int, d: int = 8) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@every
def test_zero_diversity_keeps_the_order_of_relevance(choose):
    relevance = np.array([0.2, 0.9, 0.5])
    assert choose(TWINS_AND_A_STRANGER, relevance, k=3, diversity=0).tolist() == [1, 2, 0]


@both
def test_a_twin_of_a_chosen_item_gives_way_to_a_less_relevant_stranger(choose):
    relevance = np.array([0.9, 0.8, 0.5])
    assert choose(TWINS_AND_A_STRANGER, relevance, k=2, diversity=0.5).tolist() == [0, 2]


@every
def test_equals_come_in_the_order_of_their_rows(choose):
    assert choose(np.eye(4, dtype=np.float32), np.ones(4), k=4, diversity=0.5).tolist() == [
        0, 1, 2, 3,
    ]  # fmt: skip


@every
def test_at_most_so_many_of_a_group_while_others_are_left(choose):
    groups = np.array([7, 7, 7, -1, -1])
    relevance = np.array([0.9, 0.8, 0.7, 0.2, 0.1])
    for diversity in (0, 0.3):
        chosen = choose(
            np.eye(5, dtype=np.float32), relevance, 4, diversity, groups=groups, max_per_group=2
        )
        assert chosen.tolist() == [0, 1, 3, 4]


@every
def test_a_list_is_filled_past_the_limit_rather_than_left_short(choose):
    chosen = choose(
        np.eye(3, dtype=np.float32), np.array([0.1, 0.3, 0.2]), 3, 0.2,
        groups=np.zeros(3, dtype=int), max_per_group=1,
    )  # fmt: skip
    assert chosen.tolist() == [1, 2, 0]


@every
def test_nothing_and_too_much_are_asked_for(choose):
    assert choose(np.empty((0, 4)), np.empty(0), k=5, diversity=0.5).tolist() == []
    assert len(choose(TWINS_AND_A_STRANGER, np.ones(3), k=10, diversity=0.5)) == 3


@every
@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_diversity_outside_zero_to_one_is_refused(choose, diversity):
    with pytest.raises(ValueError, match="diversity"):
        choose(TWINS_AND_A_STRANGER, np.ones(3), k=1, diversity=diversity)


@every
def test_shapes_that_disagree_and_numbers_that_are_none_are_refused(choose):
    with pytest.raises(ValueError, match="shapes disagree"):
        choose(TWINS_AND_A_STRANGER, np.ones(2), k=1, diversity=0.5)
    with pytest.raises(ValueError, match="not finite"):
        choose(TWINS_AND_A_STRANGER, np.array([1, np.nan, 1]), k=1, diversity=0.5)
    with pytest.raises(ValueError, match="not finite"):
        choose(TWINS_AND_A_STRANGER * np.nan, np.ones(3), k=1, diversity=0.5)


@every
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 40),
    k=st.integers(0, 50),
    diversity=st.floats(0, 1),
    limit=st.integers(1, 4),
)
def test_no_row_comes_twice_and_no_limit_is_broken_early(choose, seed, n, k, diversity, limit):
    rng = np.random.default_rng(seed)
    groups = rng.integers(-1, 4, size=n)
    chosen = choose(
        unit_rows(seed, n), rng.random(n), k, diversity, groups=groups, max_per_group=limit
    )
    assert len(chosen) == len(set(chosen.tolist())) == min(k, n)
    used: dict[int, int] = {}
    for row in chosen.tolist():
        group = int(groups[row])
        used[group] = used.get(group, 0) + 1
        if group >= 0 and used[group] > limit:
            others = set(range(n)) - set(chosen.tolist())
            assert all(groups[r] >= 0 and used.get(int(groups[r]), 0) >= limit for r in others)


@given(seed=st.integers(0, 10_000), diversity=st.floats(0.05, 0.95))
def test_mmr_is_what_its_formula_says(seed, diversity):
    vectors, relevance = unit_rows(seed, 12), np.random.default_rng(seed).random(12)
    worth = (relevance - relevance.min()) / np.ptp(relevance)
    left, expected = list(range(12)), []
    while left:
        gains = [
            (1 - diversity) * worth[r]
            - diversity * max([0.0, *(float(vectors[r] @ vectors[c]) for c in expected)])
            for r in left
        ]
        expected.append(left.pop(int(np.argmax(gains))))
    assert mmr(vectors, relevance, 12, diversity).tolist() == expected


@given(seed=st.integers(0, 10_000))
def test_at_full_diversity_dpp_takes_the_row_that_adds_the_largest_volume(seed):
    vectors = unit_rows(seed, 9, 6)
    chosen = dpp(vectors, np.zeros(9), 5, 1.0).tolist()
    for step in range(1, 5):
        volumes = {
            row: np.linalg.det(vectors[[*chosen[:step], row]] @ vectors[[*chosen[:step], row]].T)
            for row in range(9)
            if row not in chosen[:step]
        }
        assert volumes[chosen[step]] == pytest.approx(max(volumes.values()), abs=1e-4)


def test_when_the_chosen_rows_span_all_others_dpp_goes_on_by_relevance():
    vectors = unit_rows(3, 10, 2)  # two rows span the plane
    relevance = np.linspace(1, 0.1, 10)
    chosen = dpp(vectors, relevance, 10, 0.6).tolist()
    rest = [row for row in range(10) if row not in chosen[:2]]
    assert chosen[2:] == rest


@every
def test_the_scale_of_relevance_does_not_matter(choose):
    vectors, relevance = unit_rows(1, 30), np.random.default_rng(1).random(30)
    expected = choose(vectors, relevance, 10, 0.4).tolist()
    assert choose(vectors, relevance * 0.01 + 5, 10, 0.4).tolist() == expected
