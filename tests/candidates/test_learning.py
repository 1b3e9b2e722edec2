"""What is learned from feedback: signals, tastes, interests, neighbours, popularity, fusion."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates import crowd, neighbours
from recommender.candidates.fusion import reciprocal_rank
from recommender.candidates.interests import learn_interests
from recommender.candidates.neighbours import learn_neighbours, votes
from recommender.candidates.popularity import popularity
from recommender.candidates.signals import KINDS, decay, rating_mean, signal
from recommender.candidates.taste import HALF_LIFE_ITEMS, read_taste

NAN = float("nan")


def says(kind: str, value: float = NAN, mean: float = 3.5) -> float:
    [one] = signal(np.array([KINDS.index(kind)]), np.array([value]), rating_mean=mean)
    return float(one)


def test_an_opinion_says_more_than_an_act_and_an_act_more_than_a_glance():
    assert says("purchase") > says("like") > says("save") > says("dwell", 60) > says("view") > 0
    assert says("dislike") == says("hide") == -1


def test_a_good_rating_is_good_and_a_bad_one_bad_whoever_gave_it():
    for mean in (1.0, 3.5, 5.0):
        assert says("rating", 4.0, mean) >= 0.8
        assert says("rating", 2.0, mean) <= -0.6


def test_a_middling_rating_is_read_against_the_mean_of_the_person():
    assert says("rating", 3.0, 3.0) == pytest.approx(0.4)
    assert says("rating", 3.0, 4.0) == pytest.approx(0.1)
    assert says("rating", 2.5, 4.5) < 0


@pytest.mark.parametrize(("kind", "value"), [("rating", NAN), ("rating", 6), ("dwell", -1)])
def test_a_value_off_its_scale_is_refused(kind, value):
    with pytest.raises(ValueError, match="must be"):
        says(kind, value)


def test_few_ratings_move_the_mean_little():
    assert rating_mean(np.array([])) == 3.5
    assert rating_mean(np.array([5.0])) == pytest.approx((5 + 17.5) / 6)


def test_decay_halves_and_a_clock_ahead_counts_as_today():
    assert decay(np.array([0.0, 7.0, 14.0, -3.0]), 7).tolist() == [1, 0.5, 0.25, 1]


def taste(*rows: tuple[int, str, float]):
    ids, kinds, values = zip(*rows, strict=True)
    return read_taste(np.array(ids), list(kinds), np.array(values))


def test_what_was_said_of_one_item_is_added_up_newest_item_first():
    found = taste((3, "like", NAN), (1, "view", NAN), (3, "view", NAN), (2, "dislike", NAN))
    assert found.likes.tolist() == [3, 1]
    assert found.dislikes.tolist() == [2]
    assert found.weights[0] == pytest.approx(1.15 / 1.2)


def test_a_view_does_not_make_up_for_a_dislike():
    found = taste((3, "view", NAN), (3, "dislike", NAN))
    assert (found.likes.tolist(), found.dislikes.tolist()) == ([], [3])


def test_a_like_fades_by_the_number_of_newer_ones():
    found = taste(*((n, "like", NAN) for n in range(9)))
    half = int(HALF_LIFE_ITEMS)
    assert found.weights[half] == pytest.approx(found.weights[0] / 2)


def test_nobody_known_has_no_taste():
    found = read_taste(np.zeros(0, dtype=np.int64), [], np.zeros(0))
    assert len(found.likes) == len(found.weights) == len(found.dislikes) == 0


def test_two_tastes_become_two_interests_of_their_share():
    east, north = np.array([1.0, 0.05, 0.0]), np.array([0.0, 0.05, 1.0])
    rows = np.array([east, east, east, north, north, north])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = learn_interests(rows, np.array([2.0, 2, 2, 1, 1, 1]))
    assert found.weights.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert found.members.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.vectors[0] @ rows[0] > 0.999


def test_one_or_two_likes_are_one_interest_and_none_are_none():
    rows = np.eye(3)
    assert len(learn_interests(rows[:2], np.ones(2)).weights) == 1
    assert len(learn_interests(rows[:0], np.ones(0)).weights) == 0


def test_likes_that_cancel_out_still_have_a_direction():
    found = learn_interests(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones(2))
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(1)


@given(seed=st.integers(0, 1000), n=st.integers(1, 60))
def test_interests_are_unit_rows_that_share_one(seed, n):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    weights = rng.random(n) + 0.01
    found = learn_interests(rows, weights)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert found.weights.sum() == pytest.approx(1, abs=1e-5)
    assert sorted(found.weights, reverse=True) == found.weights.tolist()
    again = learn_interests(rows, weights)
    assert np.array_equal(found.vectors, again.vectors)


def likes_of(*histories: list[int]):
    people = np.repeat(np.arange(len(histories)), [len(h) for h in histories])
    items = np.array([item for history in histories for item in history])
    return people, items, np.ones(len(items))


@pytest.mark.parametrize("ease_limit", [0, 5000], ids=["cosine", "ease"])
def test_items_that_the_same_people_like_are_neighbours(ease_limit):
    histories = [[0, 1]] * 8 + [[2, 3]] * 8 + [[0, 3]]
    people, items, weights = likes_of(*histories)
    found = learn_neighbours(
        people, items, weights, n_people=17, n_items=5, k=3, ease_limit=ease_limit
    )
    assert found.ids[:4, 0].tolist() == [1, 0, 3, 2]
    assert found.ids[4].tolist() == [-1, -1, -1]
    assert found.weights.sum(axis=1)[:4] == pytest.approx(1, abs=1e-5)


def test_ease_is_the_inverse_of_the_co_occurrence(monkeypatch):
    monkeypatch.setattr(neighbours, "WHOLE", 1.0)  # then a history is one stretch, the plain model
    rng = np.random.default_rng(0)
    table = rng.random((60, 6)) < 0.4
    people, items = np.nonzero(table)
    found = learn_neighbours(people, items, np.ones(len(items)), n_people=60, n_items=6, k=5)
    gram = table.T.astype(float) @ table
    ridge = neighbours.RIDGE * np.sqrt(gram.diagonal().mean())
    inverse = np.linalg.inv(gram + ridge * np.eye(6))
    expected = inverse / -inverse.diagonal()
    np.fill_diagonal(expected, 0)
    expected = np.maximum(expected, 0)
    expected /= expected.sum(axis=1, keepdims=True)
    for item in range(6):
        there = found.ids[item] >= 0
        assert found.weights[item][there] == pytest.approx(
            expected[item][found.ids[item][there]], abs=1e-4
        )


def test_votes_add_up_and_name_who_gave_most():
    ids = np.array([[5, 7, -1], [7, 5, 9]])
    weights = np.array([[0.6, 0.4, 0.0], [0.5, 0.3, 0.2]])
    found, strengths, best = votes(ids, weights, np.array([1.0, 0.5]))
    assert found.tolist() == [5, 7, 9]
    assert strengths == pytest.approx([0.75, 0.65, 0.1])
    assert best.tolist() == [0, 0, 1]


def test_nobody_votes_for_nothing():
    found, strengths, best = votes(np.zeros((0, 3), int), np.zeros((0, 3)), np.zeros(0))
    assert len(found) == len(strengths) == len(best) == 0


def test_a_person_counts_once_an_item_and_dislikes_subtract():
    items = np.array([0, 0, 0, 1, 1, 2])
    people = np.array([0, 0, 0, 0, 1, 1])
    signals = np.array([1.0, 1, 1, 1, 1, -1])
    found = popularity(items, people, signals, np.zeros(6), n_items=4)
    assert found == pytest.approx([np.log(2) / np.log(3), 1, 0, 0])


def test_what_was_liked_long_ago_counts_less():
    found = popularity(
        np.array([0, 1]), np.array([0, 0]), np.ones(2), np.array([0.0, 180.0]), n_items=2
    )
    assert found[0] == 1
    assert found[1] == pytest.approx(np.log(1.5) / np.log(2))


def test_ratings_of_a_generous_and_a_strict_person_are_read_apart():
    rating = KINDS.index("rating")
    events = SimpleNamespace(
        people=np.array([0] * 6 + [1] * 6),
        items=np.arange(12),
        kinds=np.full(12, rating, dtype=np.int8),
        values=np.array([5.0] * 5 + [2.5] + [2.0] * 5 + [2.5]),
        moments=np.zeros(12),
    )
    found = crowd.signals(events)
    assert found[5] < 0.1 < found[11]


def test_reciprocal_rank_of_several_lists_by_hand():
    fused = reciprocal_rank([np.array([7, 3]), np.array([3, 9])], weights=[1, 0.5])
    scores = {7: 1 / 61, 3: 1 / 62 + 0.5 / 61, 9: 0.5 / 62}
    assert fused.tolist() == sorted(scores, key=scores.get, reverse=True)


def test_equal_scores_go_to_the_lower_id_and_the_limit_cuts():
    assert reciprocal_rank([np.array([9]), np.array([4])]).tolist() == [4, 9]
    assert reciprocal_rank([np.array([9]), np.array([4])], limit=1).tolist() == [4]
    assert reciprocal_rank([]).tolist() == []
