"""Neighbours of items: a linear model where there is enough feedback, cosine where not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates import neighbours
from recommender.candidates.neighbours import RIDGE, SHRINKAGE, learn_neighbours


def learn(likes: np.ndarray, **more) -> neighbours.Neighbours:
    """From a table (people, items) of how much each was liked, 0 for not."""
    people, items = np.nonzero(likes)
    return learn_neighbours(
        people,
        items,
        likes[people, items],
        n_people=likes.shape[0],
        n_items=likes.shape[1],
        **more,
    )


def table(found: neighbours.Neighbours) -> np.ndarray:
    """(n, n) weight of each neighbour of each item."""
    n = len(found.ids)
    out = np.zeros((n, n))
    for row in range(n):
        there = found.ids[row] >= 0
        out[row, found.ids[row][there]] = found.weights[row][there]
    return out


def ease(likes: np.ndarray) -> np.ndarray:
    """Steck's B by a plain inverse: column j is what foretells item j."""
    n = likes.shape[1]
    gram = likes.T @ likes
    inverse = np.linalg.inv(gram + np.eye(n) * RIDGE * np.sqrt(np.trace(gram) / n))
    weights = -inverse / inverse.diagonal()
    np.fill_diagonal(weights, 0)
    return weights


def some_likes(seed: int, people: int = 40, items: int = 8, share: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((people, items)) < share, rng.uniform(0.1, 1, (people, items)), 0)


# Ten people took up item 0, and each one of items 1 and 2, but never both.
RIVALS = np.array([[1.0, 1, 0]] * 5 + [[1, 0, 1]] * 5)


def test_two_items_of_the_same_five_people_say_what_the_closed_form_says():
    # The inverse of [[5 + r, 5], [5, 5 + r]] is [[5 + r, -5], [-5, 5 + r]] but for a factor.
    ridge = RIDGE * np.sqrt(5)
    found = learn(np.ones((5, 2)))
    assert found.ids[:, 0].tolist() == [1, 0]
    assert found.weights[:, 0] == pytest.approx([5 / (5 + ridge)] * 2, rel=1e-5)
    assert (found.ids[:, 1:] == -1).all()


def test_of_three_items_two_rivals_speak_against_each_other():
    # With a = 10 + r and b = 5 + r on the diagonal, the inverse of [[a, 5, 5], [5, b, 0],
    # [5, 0, b]] is [[bb, -5b, -5b], [-5b, ab - 25, 25], [-5b, 25, ab - 25]] but for a factor.
    ridge = RIDGE * np.sqrt(20 / 3)
    a, b = 10 + ridge, 5 + ridge
    found = learn(RIVALS, k=2)
    assert sorted(found.ids[0].tolist()) == [1, 2]
    assert found.ids[1:].tolist() == [[0, 2], [0, 1]]
    assert found.weights[0] == pytest.approx([5 * b / (a * b - 25)] * 2, rel=1e-5)
    assert found.weights[1] == pytest.approx([5 / b, -25 / (a * b - 25)], rel=1e-4)
    assert found.weights[1, 1] < 0


@pytest.mark.parametrize("seed", range(5))
def test_enough_feedback_is_ease_as_a_plain_inverse_gives_it(seed):
    likes = some_likes(seed)
    assert (np.count_nonzero(likes, axis=0) >= neighbours.ENOUGH_LIKES).all()
    assert table(learn(likes)) == pytest.approx(ease(likes), abs=1e-5)


def test_the_k_strongest_are_kept_be_they_for_or_against():
    # Item 3 goes with 0 a little; 1 and 2 never come together, which says more.
    likes = np.zeros((70, 4))
    likes[:60, 0] = 1
    likes[:30, 1] = 1
    likes[30:60, 2] = 1
    likes[[0, 1, 30, 60, 61, 62, 63, 64], 3] = 1
    plain = ease(likes)[1]
    assert plain[0] > -plain[2] > abs(plain[3]) > 0 > plain[2]
    two = learn(likes, k=2)
    assert two.ids[1].tolist() == [0, 2]
    assert two.weights[1] == pytest.approx([plain[0], plain[2]], rel=1e-3)


def test_what_a_linear_model_cannot_connect_is_no_neighbour():
    # Items 0 and 1 have people of their own, 2 and 3 share theirs.
    likes = np.zeros((18, 4))
    likes[:6, 0] = likes[6:12, 1] = 1
    likes[12:, 2:] = 1
    found = learn(likes)
    assert (found.ids[:2] == -1).all()
    assert table(found)[2, 3] > 0
    assert [sorted(set(row)) for row in found.ids[2:].tolist()] == [[-1, 3], [-1, 2]]


def test_thin_feedback_is_cosine_with_shrinkage():
    # Item 0 and 1 share two people, 0 and 2 one: norms are sqrt 3, sqrt 2, 1.
    found = learn(np.array([[1.0, 1, 0], [1, 1, 0], [1, 0, 1]]))
    assert found.ids[0, :3].tolist() == [1, 2, -1]
    assert found.weights[0, :2].tolist() == pytest.approx(
        [2 / (np.sqrt(6) + SHRINKAGE), 1 / (np.sqrt(3) + SHRINKAGE)]
    )


def test_an_item_without_people_or_alone_in_each_history_has_no_neighbours():
    found = learn(np.array([[1.0, 1, 0, 0], [0, 0, 1, 0]]))
    assert found.ids[:, 0].tolist() == [1, 0, -1, -1]
    assert (found.ids[:, 1:] == -1).all()
    assert (learn(np.zeros((0, 3))).ids == -1).all()


def test_above_its_limit_ease_gives_way_to_cosine():
    likes = some_likes(2)
    gram = likes.T @ likes
    norms = np.sqrt(gram.diagonal())
    cosine = gram / (np.outer(norms, norms) + SHRINKAGE)
    np.fill_diagonal(cosine, 0)
    assert table(learn(likes, ease_limit=7)) == pytest.approx(cosine, abs=1e-5)
    assert table(learn(likes, ease_limit=8)) == pytest.approx(ease(likes), abs=1e-5)


def test_a_thin_item_among_thick_ones_still_has_neighbours():
    likes = some_likes(3)
    likes[:, 0] = 0
    likes[:2, 0] = 1  # two likes, below five
    found = learn(likes)
    assert (found.ids[0] >= 0).any()
    assert not (found.ids[1:] == 0).any()  # and the linear model says nothing of it


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    thin, thick = some_likes(1, people=4, items=9), some_likes(1, items=9)
    before = [table(learn(likes)) for likes in (thin, thick)]
    monkeypatch.setattr(neighbours, "BLOCK_ITEMS", 2)
    after = [table(learn(likes)) for likes in (thin, thick)]
    assert after[0].tolist() == before[0].tolist()
    assert after[1].tolist() == before[1].tolist()


def test_equally_near_items_come_in_the_order_of_their_numbers():
    assert learn(np.ones((3, 5))).ids[2, :4].tolist() == [0, 1, 3, 4]


def test_a_pair_that_comes_twice_counts_once_for_the_larger_weight():
    once = learn_neighbours(
        np.array([0, 0, 1, 1]),
        np.array([0, 1, 0, 2]),
        np.array([0.9, 0.5, 1, 1]),
        n_people=2,
        n_items=3,
    )
    twice = learn_neighbours(
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 0, 1, 0, 2]),
        np.array([0.2, 0.9, 0.5, 1, 1]),
        n_people=2,
        n_items=3,
    )
    assert table(twice).tolist() == table(once).tolist()


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_a_weight_not_above_0_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        learn_neighbours(np.array([0]), np.array([0]), np.array([weight]), n_people=1, n_items=1)


def test_rows_out_of_range_lengths_that_differ_and_k_of_0_are_refused():
    one = np.array([0]), np.array([0]), np.ones(1)
    with pytest.raises(ValueError, match="person is outside"):
        learn_neighbours(np.array([1]), *one[1:], n_people=1, n_items=1)
    with pytest.raises(ValueError, match="item is outside"):
        learn_neighbours(one[0], np.array([-1]), one[2], n_people=1, n_items=1)
    with pytest.raises(ValueError, match="length"):
        learn_neighbours(np.array([0, 0]), *one[1:], n_people=1, n_items=1)
    with pytest.raises(ValueError, match="k must be"):
        learn_neighbours(*one, n_people=1, n_items=1, k=0)


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 8, 40]), st.floats(0.1, 0.9))
def test_weights_are_finite_and_fall_and_no_item_is_its_own_neighbour(seed, people, share):
    found = learn(some_likes(seed, people=people, share=share))
    there = found.ids >= 0
    assert np.isfinite(found.weights).all()
    assert ((found.weights != 0) == there).all()
    assert not (found.ids == np.arange(8)[:, None]).any()
    for ids, weights in zip(found.ids, found.weights, strict=True):
        kept = weights[ids >= 0]
        assert (np.diff(kept) <= 0).all()
        assert len(set(ids[ids >= 0])) == len(kept)
