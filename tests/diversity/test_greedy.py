"""What holds for every diversifier: whole lists, caps, clear refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import dpp, greedy, mmr
from tests.diversity.every import every


@every
@pytest.mark.parametrize("diversity", [0, 0.5, 1])
def test_it_returns_what_there_is_when_asked_for_more(choose, diversity):
    assert sorted(choose(np.eye(3), np.ones(3), k=10, diversity=diversity)) == [0, 1, 2]
    assert choose(np.zeros((0, 4)), np.zeros(0), k=5, diversity=diversity).tolist() == []
    assert choose(np.eye(3), np.ones(3), k=0, diversity=diversity).tolist() == []


@every
@pytest.mark.parametrize("diversity", [0, 0.5])
def test_rows_without_a_group_are_not_limited(choose, diversity):
    chosen = choose(
        np.eye(4),
        np.array([4, 3, 2, 1]),
        k=3,
        diversity=diversity,
        groups=np.array([-1, -1, -1, 5]),
        max_per_group=1,
    )
    assert chosen.tolist() == [0, 1, 2]


@every
def test_a_limit_without_groups_and_groups_without_a_limit_do_nothing(choose):
    for more in ({"max_per_group": 1}, {"groups": np.zeros(3, int)}):
        assert choose(np.eye(3), np.array([3, 2, 1]), 3, 0.5, **more).tolist() == [0, 1, 2]


@every
@pytest.mark.parametrize("diversity", [0, 0.5])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(choose, diversity, number):
    with pytest.raises(ValueError, match="not finite"):
        choose(np.eye(3), np.array([1, number, 1]), k=1, diversity=diversity)
    with pytest.raises(ValueError, match="not finite"):
        choose(np.array([[1, 0], [0, number]]), np.ones(2), k=1, diversity=diversity)


@every
def test_shapes_that_disagree_and_sizes_that_cannot_be_are_refused(choose):
    with pytest.raises(ValueError, match="shapes disagree: vectors"):
        choose(np.eye(3), np.ones(2), k=1, diversity=0.5)
    with pytest.raises(ValueError, match="shapes disagree: vectors"):
        choose(np.ones(3), np.ones(3), k=1, diversity=0.5)
    with pytest.raises(ValueError, match="shapes disagree: groups"):
        choose(np.eye(3), np.ones(3), 1, 0.5, groups=np.zeros(2), max_per_group=1)
    with pytest.raises(ValueError, match="max_per_group"):
        choose(np.eye(3), np.ones(3), 1, 0.5, groups=np.zeros(3), max_per_group=0)
    with pytest.raises(ValueError, match="k must"):
        choose(np.eye(3), np.ones(3), k=-1, diversity=0.5)


@st.composite
def pools(draw):
    """Small pools with ties, twins, rows of zeros, groups and rows without one."""
    n = draw(st.integers(0, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = rng.integers(-1, 2, (n, 3)).astype(float)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (
        vectors / np.where(length > 0, length, 1),
        rng.integers(0, 5, n) / 4,
        rng.integers(-1, 3, n),
    )


@every
@given(
    pools(),
    st.integers(0, 16),
    st.sampled_from([0, 0.01, 0.3, 0.7, 1]),
    st.sampled_from([None, 1, 2, 3]),
)
def test_a_list_repeats_nothing_is_as_long_as_it_can_be_and_holds_caps(
    choose, pool, k, diversity, most
):
    vectors, relevance, groups = pool
    before = vectors.tobytes(), relevance.tobytes(), groups.tobytes()
    chosen = choose(vectors, relevance, k, diversity, groups=groups, max_per_group=most)
    again = choose(vectors, relevance, k, diversity, groups=groups, max_per_group=most)
    assert chosen.dtype == np.int64
    assert len(chosen) == len(set(chosen)) == min(k, len(relevance))
    assert set(chosen) <= set(range(len(relevance)))
    assert chosen.tolist() == again.tolist()
    assert (vectors.tobytes(), relevance.tobytes(), groups.tobytes()) == before
    if most is None:
        return
    of = groups[chosen]
    over = np.array([g >= 0 and (of[:n] == g).sum() >= most for n, g in enumerate(of)], dtype=bool)
    sizes = np.bincount(groups[groups >= 0], minlength=1)
    allowed = np.minimum(sizes, most).sum() + np.count_nonzero(groups < 0)
    # All that the caps allow comes first; only then rows over them, by relevance.
    assert not over[:allowed].any()
    assert over[allowed:].all()
    assert (np.diff(relevance[chosen[allowed:]]) <= 0).all()


@pytest.mark.parametrize("choose", [mmr, dpp])
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.2, 0.4]), st.booleans())
def test_to_try_the_most_relevant_alone_first_changes_no_list(choose, seed, diversity, capped):
    """Of sixty rows twelve are tried; many are twins, so that others win now and then."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, (60, 3)).astype(float)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)
    relevance = 1 - rng.random(60) ** 3 if seed % 2 else rng.integers(0, 30, 60) / 30
    more = {"groups": rng.integers(-1, 5, 60), "max_per_group": 1} if capped else {}
    chosen = choose(vectors, relevance, 3, diversity, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy, "FRONT", 60)
        assert choose(vectors, relevance, 3, diversity, **more).tolist() == chosen.tolist()


def test_a_row_behind_the_most_relevant_wins_where_those_are_all_alike():
    vectors = np.zeros((100, 2))
    vectors[:, 0] = 1
    vectors[90] = 0, 1
    relevance = np.r_[np.ones(50), np.full(50, 0.8)]
    relevance[99] = 0
    for choose in (mmr, dpp):
        assert choose(vectors, relevance, 2, 0.4).tolist() == [0, 90]
