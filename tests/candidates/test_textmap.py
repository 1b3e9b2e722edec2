"""What the words of an item say about who will take it up: carried votes, promise, stand-ins."""

import numpy as np
import pytest

from recommender.candidates import textmap
from recommender.candidates.textmap import (
    CARRY_RIDGE,
    OWN,
    PROMISE_RIDGE,
    Carry,
    learn_carry,
    learn_promise,
    stand_ins,
)


def learn(
    vectors: np.ndarray, votes: np.ndarray, touched: np.ndarray | None = None, **how
) -> Carry:
    """From a table (items, items) of how much each votes for each."""
    n = len(votes)
    rows = np.tile(np.arange(n), (n, 1))
    return learn_carry(
        np.asarray(vectors, np.float32),
        np.ones(n, bool) if touched is None else touched,
        np.where(votes != 0, rows, -1),
        votes,
        **how,
    )


def related(carry: Carry) -> np.ndarray:
    """(n, d) the text that each item makes look for by the items related to it."""
    return carry.factors @ carry.basis


def test_a_vote_for_an_item_makes_look_for_its_text_by_the_closed_form():
    # Texts at right angles: each has 1 / (1 + ridge) of itself.
    carry = learn(np.eye(2), np.array([[0.0, 3.0], [-1.0, 0.0]]))
    expected = np.array([[0, 3], [-1, 0]]) / (1 + CARRY_RIDGE)
    assert related(carry) == pytest.approx(expected, abs=1e-6)
    assert carry.own == pytest.approx(OWN * np.eye(2) / (1 + CARRY_RIDGE))


def test_texts_that_are_alike_share_what_is_voted():
    texts = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    carry = learn(texts, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    expected = [2 / (2 + CARRY_RIDGE), 1 / (1 + CARRY_RIDGE)]
    assert related(carry)[2] == pytest.approx(expected)


def test_a_planted_relation_of_texts_is_found_also_for_items_nobody_touched():
    # What goes with an item is the item whose text is turned by a hidden rotation.
    rng = np.random.default_rng(0)
    d, n = 6, 400
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    texts = rng.normal(size=(n, d))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    first, second = np.hstack([texts, 0 * texts]), np.hstack([0 * texts, texts @ turn])
    vectors = np.concatenate([first, second])  # of item i and of its partner n + i
    votes = np.zeros((2 * n, 2 * n))
    votes[np.arange(n), n + np.arange(n)] = 1
    touched = np.arange(2 * n) % n < n // 2  # the other half is seen by nobody
    carry = learn(vectors, votes * touched, touched)
    looked_for = related(carry)[: n // 2]
    # The nearest text among those nobody touched is that of the partner's nearest.
    unseen = np.arange(n // 2, n)
    near = np.argmax(texts[: n // 2] @ texts[unseen].T, axis=1)
    found = np.argmax(looked_for @ second[unseen].T, axis=1)
    assert np.mean(found == near) > 0.7  # by chance 0.005


def test_votes_for_items_that_nobody_took_up_or_without_text_say_nothing():
    votes = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    texts = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    only = related(learn(texts[:2], votes[:2, :2]))
    untouched = related(learn(texts, votes, np.array([True, True, False])))
    without = related(learn(np.vstack([texts[:2], [[0, 0]]]), votes))
    assert untouched[:2] == pytest.approx(only, abs=1e-6)
    assert without[:2] == pytest.approx(only, abs=1e-6)


def test_of_fewer_dimensions_those_that_matter_most_are_kept():
    votes = np.diag([5.0, 3.0, 0.1])
    kept = related(learn(np.eye(3), votes, rank=2))
    expected = np.diag([5.0, 3.0, 0.0]) / (1 + CARRY_RIDGE)
    assert kept == pytest.approx(expected, abs=1e-6)


def test_factors_fit_into_half_precision_whatever_the_votes():
    for size in (1e-6, 1e6):
        carry = learn(np.eye(2), np.array([[0.0, size], [size / 3, 0.0]]))
        assert np.abs(carry.factors).max() == pytest.approx(1)
        kept = carry.factors.astype(np.float16).astype(np.float32) @ carry.basis
        assert kept == pytest.approx(related(carry), rel=1e-3)


def test_without_feedback_or_vectors_nothing_is_carried():
    for carry in (
        learn(np.eye(2), np.zeros((2, 2)), np.zeros(2, bool)),
        learn(np.zeros((2, 3)), np.ones((2, 2))),
        learn(np.zeros((0, 3)), np.zeros((0, 0))),
    ):
        assert not carry.factors.any()
        assert not carry.basis.any()
        assert not carry.own.any()


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
