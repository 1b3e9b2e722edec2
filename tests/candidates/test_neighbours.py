"""Neighbours of items: EASE where there is enough, cosine where not, and the votes they cast."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates import neighbours
from recommender.candidates.neighbours import RIDGE, SHRINKAGE, learn_neighbours, votes


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


def some_likes(seed: int, people: int = 40, items: int = 8, share: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((people, items)) < share, rng.uniform(0.1, 1, (people, items)), 0)


def test_two_items_the_same_people_like_are_each_others_only_neighbours():
    found = learn(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    assert found.ids[:, 0].tolist() == [1, 0, -1]
    assert found.weights[:, 0].tolist() == [1, 1, 0]
    assert (found.ids[:, 1:] == -1).all()


def test_an_item_without_likes_has_no_neighbours():
    assert (learn(np.array([[1.0, 1, 0]])).ids[2] == -1).all()
    assert (learn(np.zeros((0, 3))).ids == -1).all()


def test_thin_feedback_is_cosine_with_shrinkage():
    # Item 0 and 1 share two people, 0 and 2 one: norms are sqrt 3, sqrt 2, 1.
    likes = np.array([[1.0, 1, 0], [1, 1, 0], [1, 0, 1]])
    near = 2 / (np.sqrt(3) * np.sqrt(2) + SHRINKAGE)
    far = 1 / (np.sqrt(3) * 1 + SHRINKAGE)
    found = learn(likes)
    assert found.ids[0, :3].tolist() == [1, 2, -1]
    assert found.weights[0, :2].tolist() == pytest.approx([near / (near + far), far / (near + far)])


@pytest.mark.parametrize("seed", range(5))
def test_enough_feedback_is_ease_as_a_plain_inverse_gives_it(seed):
    likes = some_likes(seed)
    assert (np.count_nonzero(likes, axis=0) >= neighbours.ENOUGH_LIKES).all()
    gram = likes.T @ likes
    inverse = np.linalg.inv(gram + np.eye(8) * RIDGE * np.sqrt(np.trace(gram) / 8))
    weights = -inverse / inverse.diagonal()  # column j speaks for item j, Steck's B
    np.fill_diagonal(weights, 0)
    weights = np.maximum(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    assert table(learn(likes)) == pytest.approx(weights, abs=1e-4)


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    thin, thick = some_likes(1, people=4, items=9), some_likes(1, items=9)
    before = [table(learn(likes)) for likes in (thin, thick)]
    monkeypatch.setattr(neighbours, "BLOCK_ITEMS", 2)
    after = [table(learn(likes)) for likes in (thin, thick)]
    assert after[0].tolist() == before[0].tolist()
    assert after[1].tolist() == before[1].tolist()


def test_equally_near_items_come_in_the_order_of_their_numbers():
    found = learn(np.ones((3, 5)))
    assert found.ids[2, :4].tolist() == [0, 1, 3, 4]


def test_above_its_limit_ease_gives_way_to_cosine():
    likes = some_likes(2)
    gram = likes.T @ likes
    norms = np.sqrt(gram.diagonal())
    cosine = gram / (np.outer(norms, norms) + SHRINKAGE)
    np.fill_diagonal(cosine, 0)
    cosine /= cosine.sum(axis=1, keepdims=True)
    assert table(learn(likes, ease_limit=7)) == pytest.approx(cosine, abs=1e-5)
    assert table(learn(likes, ease_limit=8)) != pytest.approx(cosine, abs=1e-2)


def test_a_thin_item_among_thick_ones_still_has_neighbours():
    likes = some_likes(3)
    likes[:, 0] = 0
    likes[:2, 0] = 1  # two likes, below five
    found = learn(likes)
    assert (found.ids[0] >= 0).any()
    assert not (found.ids[1:] == 0).any()  # and the linear model says nothing of it


def test_only_the_k_strongest_are_kept_and_share_one_vote():
    likes = some_likes(4)
    full, two = learn(likes), learn(likes, k=2)
    assert two.ids.shape == (8, 2)
    assert two.ids.tolist() == full.ids[:, :2].tolist()
    assert two.weights.sum(axis=1).tolist() == pytest.approx([1] * 8)


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


def test_likes_close_in_time_are_nearer_than_likes_far_apart():
    # One person of 90 likes in a row: the first is nearer to the second than to the last.
    n = 90
    found = learn_neighbours(np.zeros(n, int), np.arange(n), np.ones(n), n_people=1, n_items=n)
    near = table(found)[0]
    assert near[1] == pytest.approx(near[14])  # the same stretch of both tilings
    assert near[20] < near[14]  # of one tiling alone
    assert near[89] < near[20]  # of the whole history alone
    assert near[89] == pytest.approx(near[1] * 0.3)
    assert near[20] == pytest.approx(near[1] * 0.65)


def test_what_comes_again_stands_where_it_came_last():
    # Item 0 comes first and again last: it is near the last one, not the second.
    n = 90
    items = np.r_[np.arange(n), 0]
    found = learn_neighbours(np.zeros(n + 1, int), items, np.ones(n + 1), n_people=1, n_items=n)
    assert table(found)[0][89] > table(found)[0][1]


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
def test_weights_are_finite_fall_and_make_one_vote_or_none(seed, people, share):
    found = learn(some_likes(seed, people=people, share=share))
    there = found.ids >= 0
    assert np.isfinite(found.weights).all()
    assert ((found.weights > 0) == there).all()
    assert (np.diff(found.weights, axis=1) <= 0).all()
    total = found.weights.sum(axis=1)
    assert total == pytest.approx(there.any(axis=1).astype(float), abs=1e-5)
    assert not (found.ids == np.arange(8)[:, None]).any()
    for row in found.ids:
        kept = row[row >= 0]
        assert len(set(kept)) == len(kept)


def test_votes_add_up_over_likes_and_name_the_like_that_gave_most():
    ids = np.array([[10, 20, -1], [20, 30, -1]])
    weights = np.array([[0.75, 0.25, 0], [0.5, 0.5, 0]])
    found, given_votes, best = votes(ids, weights, np.array([1.0, 0.5]))
    assert found.tolist() == [10, 20, 30]
    assert given_votes.tolist() == [0.75, 0.5, 0.25]
    assert best.tolist() == [0, 0, 1]  # 20 had 0.25 from both: the lower row


def test_a_dislike_speaks_against_and_never_is_the_one_that_gave_most():
    found, given_votes, best = votes(np.array([[5], [5], [6]]), np.ones((3, 1)), [-2.0, 0.5, -1.0])
    assert found.tolist() == [5, 6]
    assert given_votes.tolist() == [-1.5, -1]
    assert best.tolist() == [1, -1]


def test_without_neighbours_there_are_no_votes():
    for ids in (np.zeros((0, 3), int), np.full((2, 3), -1)):
        assert [len(part) for part in votes(ids, np.zeros(ids.shape), np.ones(len(ids)))] == [0] * 3


def test_votes_refuse_what_is_not_finite_and_shapes_that_differ():
    with pytest.raises(ValueError, match="not finite"):
        votes(np.array([[1]]), np.array([[np.nan]]), np.ones(1))
    with pytest.raises(ValueError, match="not finite"):
        votes(np.array([[1]]), np.ones((1, 1)), np.array([np.inf]))
    with pytest.raises(ValueError, match="shape"):
        votes(np.array([[1]]), np.ones((1, 2)), np.ones(1))
    with pytest.raises(ValueError, match="rows of neighbours"):
        votes(np.array([[1]]), np.ones((1, 1)), np.ones(2))
