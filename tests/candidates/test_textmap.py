"""What the words of an item say about who will take it up: a map, a promise, stand-ins."""

import numpy as np
import pytest

from recommender.candidates import textmap
from recommender.candidates.textmap import (
    MAP_RIDGE,
    PROMISE_RIDGE,
    SPACE_RIDGE,
    learn_map,
    learn_promise,
    stand_ins,
)


def learn(vectors: np.ndarray, likes: np.ndarray) -> np.ndarray:
    """From a table (people, items) of how much each counts, 0 for not."""
    people, items = np.nonzero(likes)
    return learn_map(
        np.asarray(vectors, np.float32), people, items, likes[people, items], n_people=len(likes)
    )


def test_two_items_that_go_together_map_to_each_other_by_the_closed_form():
    # n people took up both: together is n [[1, 1], [1, 1]], others n [[0, 1], [1, 0]]. The inverse
    # of together + r is [[n + r, -n], [-n, n + r]] / (r (2 n + r)), the space of items 1 + 30.
    n, r = 1000, MAP_RIDGE
    found = learn(np.eye(2), np.ones((n, 2)))
    assert found == pytest.approx(
        np.array([[-n, n + r], [n + r, -n]]) * n / (r * (2 * n + r)) / (1 + SPACE_RIDGE), rel=1e-4
    )


def test_an_item_says_nothing_of_itself():
    assert learn(np.eye(2), np.eye(2)).tolist() == [[0, 0], [0, 0]]


def test_how_much_a_pair_counts_is_weighed_on_both_sides():
    # One person, weights 1 and 2: together [[1, 2], [2, 4]], own [1, 4], others [[0, 2], [2, 0]].
    left = np.linalg.solve([[1 + MAP_RIDGE, 2], [2, 4 + MAP_RIDGE]], [[0, 2], [2, 0]])
    assert learn(np.eye(2), np.array([[1.0, 2]])) == pytest.approx(
        left / (1 + SPACE_RIDGE), rel=1e-4
    )


def test_a_planted_relation_of_texts_is_found_also_for_items_nobody_touched():
    # What goes with an item is the item whose text is turned by a hidden rotation.
    rng = np.random.default_rng(0)
    d, n = 6, 200
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    texts = rng.normal(size=(n, d))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    first, second = np.hstack([texts, 0 * texts]), np.hstack([0 * texts, texts @ turn])
    vectors = np.concatenate([first, second])  # of item i and of its partner n + i
    likes = np.zeros((20 * n // 2, 2 * n))
    pair = np.arange(len(likes)) % (n // 2)  # the other half of the pairs is seen by nobody
    likes[np.arange(len(likes)), pair] = 1
    likes[np.arange(len(likes)), n + pair] = 1
    looked_for = vectors @ learn(vectors, likes)
    unseen = np.arange(n // 2, n)
    assert np.argmax(looked_for[unseen] @ second.T, axis=1).tolist() == unseen.tolist()
    assert np.argmax(looked_for[n + unseen] @ first.T, axis=1).tolist() == unseen.tolist()


def test_the_texts_of_items_that_nobody_took_up_change_no_map():
    likes = np.array([[1.0, 2], [1, 1]])
    vectors = np.concatenate([np.eye(2), [[0.6, 0.8], [0.8, 0.6]]])
    more = learn(vectors, np.hstack([likes, np.zeros((2, 2))]))
    assert more.tolist() == learn(np.eye(2), likes).tolist()


def test_without_feedback_or_vectors_the_map_is_nothing():
    assert learn(np.eye(3), np.zeros((0, 3))).tolist() == np.zeros((3, 3)).tolist()
    assert learn(np.zeros((2, 3)), np.ones((4, 2))).tolist() == np.zeros((3, 3)).tolist()


def test_the_promise_of_a_text_is_how_far_above_the_mean_its_items_lie():
    # Rows at right angles: each has (log(1 + people) - mean) / (1 + 10).
    counts = np.array([3, 7])
    logs = np.log([4, 8])
    found = learn_promise(np.eye(2, dtype=np.float32), counts)
    assert found == pytest.approx((logs - logs.mean()) / (1 + PROMISE_RIDGE))


def test_items_without_people_or_vector_promise_nothing_and_are_not_learned_from():
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float32)
    few = learn_promise(vectors[:2], np.array([3, 7]))
    assert learn_promise(vectors, np.array([3, 7, 0, 500])).tolist() == few.tolist()
    assert learn_promise(vectors, np.zeros(4, int)).tolist() == [0, 0]


def test_stand_ins_are_the_nearest_with_feedback_and_share_one_say():
    vectors = np.array([[1, 0], [0.6, 0.8], [0.8, 0.6], [1, 0]], np.float32)
    known = np.array([False, True, True, False])
    ids, weights = stand_ins(vectors, known, np.array([0]), k=3)
    assert ids.tolist() == [[2, 1, -1]]  # 3 is nearer, but nobody touched it
    assert weights == pytest.approx(np.array([[0.8 / 1.4, 0.6 / 1.4, 0]]))
    ids, weights = stand_ins(vectors, known, np.array([0]), k=1)
    assert (ids.tolist(), weights.tolist()) == ([[2]], [[1]])


def test_what_is_not_near_at_all_stands_for_nothing():
    vectors = np.array([[1, 0], [-1, 0], [0, 1], [0.6, 0.8]], np.float32)
    known = np.array([False, True, True, True])
    ids, weights = stand_ins(vectors, known, np.array([0]), k=3)
    assert (ids.tolist(), weights.tolist()) == ([[3, -1, -1]], [[1, 0, 0]])


def test_an_item_without_a_vector_has_no_stand_ins_and_is_none():
    vectors = np.array([[0, 0], [1, 0], [0, 0]], np.float32)
    known = np.array([False, True, True])
    ids, weights = stand_ins(vectors, known, np.array([0, 1]), k=2)
    assert ids.tolist() == [[-1, -1], [1, -1]]
    assert weights.tolist() == [[0, 0], [1, 0]]
    ids, weights = stand_ins(vectors, np.zeros(3, bool), np.array([1]), k=2)
    assert (ids.tolist(), weights.tolist()) == ([[-1, -1]], [[0, 0]])


def test_of_those_that_are_as_near_the_lower_row_comes_first():
    near = np.arange(1, 101) % 3 != 0  # of a hundred rows two in three, and the others farther off
    vectors = np.array([[1, 0], *np.where(near[:, None], [0.8, 0.6], [0.6, 0.8])], np.float32)
    ids, _ = stand_ins(vectors, np.arange(101) > 0, np.array([0]), k=67)
    assert ids[0].tolist() == (np.flatnonzero(near) + 1).tolist()


def test_the_size_of_blocks_changes_no_stand_in(monkeypatch):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 4)).astype(np.float32)
    known = np.arange(30) < 20
    before = stand_ins(vectors, known, np.arange(20, 30), k=5)
    monkeypatch.setattr(textmap, "BLOCK_ITEMS", 3)
    after = stand_ins(vectors, known, np.arange(20, 30), k=5)
    assert after[0].tolist() == before[0].tolist()
    assert after[1] == pytest.approx(before[1])
