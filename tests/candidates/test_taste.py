"""A history read newest first: what is liked and how much, what is not, and what says nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.signals import KINDS, kind_weights
from recommender.candidates.taste import (
    HALF_LIFE_ITEMS,
    TAKEN_UP,
    Taste,
    affinity,
    read_affinities,
    read_taste,
    taken_up,
)

NAN = float("nan")


def taste(*events: tuple, **changed: float) -> Taste:
    """Events are (item, kind) or (item, kind, value), newest first; weights by kind."""
    return read_taste(
        np.array([event[0] for event in events], dtype=np.int64),
        [event[1] for event in events],
        np.array([event[2] if len(event) > 2 else NAN for event in events]),
        kind_weights(changed),
    )


def likes(found: Taste) -> list[int]:
    return found.items[found.liked].tolist()


def dislikes(found: Taste) -> list[int]:
    return found.items[found.disliked].tolist()


def test_likes_and_dislikes_come_newest_first():
    found = taste((7, "like"), (3, "hide"), (9, "like"), (1, "dislike"))
    assert likes(found) == [7, 9]
    assert dislikes(found) == [3, 1]


def test_a_like_fades_to_half_behind_eight_newer_ones():
    found = taste(*((item, "like") for item in range(9)))
    assert found.weights[0] == pytest.approx(1 / 1.2)
    assert found.weights[8] == pytest.approx(found.weights[0] / 2)
    assert HALF_LIFE_ITEMS == 8


def test_a_dislike_between_two_likes_does_not_fade_the_older_one():
    assert (
        taste((1, "like"), (2, "hide"), (3, "like")).weights.tolist()
        == taste((1, "like"), (3, "like")).weights.tolist()
    )


def test_a_purchase_counts_full_and_what_is_said_again_no_more_than_that():
    assert taste((1, "purchase")).weights.tolist() == [1]
    assert taste((1, "purchase"), (1, "like"), (1, "save")).weights.tolist() == [1]


def test_what_was_said_of_one_item_adds_up():
    assert taste((1, "view")).weights[0] == pytest.approx(0.15 / 1.2)
    assert taste((1, "view"), (1, "view")).weights[0] == pytest.approx(0.3 / 1.2)
    found = taste((1, "dislike"), (1, "like"))
    assert (likes(found), dislikes(found)) == ([], [])


def test_a_short_glance_is_no_like_and_a_middling_rating_is_one():
    assert likes(taste((1, "dwell", 10.0))) == []  # 0.05, below 0.1
    assert likes(taste((1, "rating", 3.0))) == [1]  # 0.25 + 0.3 x 0.08


def test_what_is_hardly_disliked_is_neither_liked_nor_disliked():
    lenient = [(item, "rating", 5.0) for item in range(10)]
    found = taste((99, "rating", 2.5), *lenient)  # 0.4 - 0.3 x 1.84
    assert 99 not in likes(found)
    assert 99 not in dislikes(found)


def test_ratings_are_read_against_the_mean_of_this_person():
    lenient = [(item, "rating", 5.0) for item in range(10)]
    assert 99 in likes(taste((99, "rating", 3.0)))
    assert 99 not in likes(taste((99, "rating", 3.0), *lenient))


def test_a_comment_counts_for_an_item_or_against_it_by_its_sign():
    found = taste((1, "comment", 0.9), (2, "comment", -0.9), (3, "comment"))
    assert likes(found) == [1, 3]
    assert found.weights[0] > 5 * found.weights[1]
    assert dislikes(found) == [2]


def test_a_bad_word_for_what_was_liked_takes_from_it():
    assert taste((1, "comment", -1.0), (1, "like")).weights[0] == pytest.approx(0.2 / 1.2)


def test_the_weights_decide_what_is_a_like():
    assert likes(taste((1, "view"), view=0)) == []
    assert dislikes(taste((1, "view"), view=-1)) == [1]
    assert likes(taste((1, "hide"), hide=0.5)) == [1]


def test_names_and_numbers_of_kinds_are_the_same():
    by_name = taste((1, "like"), (2, "rating", 4.5), (3, "hide"))
    by_number = read_taste(
        np.array([1, 2, 3]),
        np.array([KINDS.index(kind) for kind in ("like", "rating", "hide")], dtype=np.int8),
        np.array([NAN, 4.5, NAN]),
    )
    assert likes(by_number) == likes(by_name)
    assert by_number.weights.tolist() == by_name.weights.tolist()
    assert dislikes(by_number) == dislikes(by_name)


def test_what_was_seen_counts_a_quarter_whatever_was_thought_of_it():
    found = taste((1, "like"), (2, "rating", 1.0), (3, "view"), (4, "purchase"), (5, "hide"))
    assert found.items.tolist() == [1, 2, 3, 4, 5]
    assert found.affinity.tolist() == pytest.approx([1, TAKEN_UP, 0.15, 0.25 + 0.75 * 1.2, 0])
    assert TAKEN_UP == 0.25


def test_a_bad_word_leaves_what_was_taken_up():
    assert taste((1, "dislike"), (1, "like")).affinity.tolist() == [0.25]
    assert taste((1, "like"), (1, "like")).affinity.tolist() == pytest.approx([1.15])  # at most


def test_a_rating_was_of_something_seen_and_a_hide_of_nothing():
    kinds = np.array([KINDS.index(kind) for kind in ("rating", "hide", "save")])
    assert taken_up(kinds, np.array([-1.0, -1, 0.8])).tolist() == pytest.approx([1, 0, 0.8])
    assert affinity(np.array([-1.0, 0.5]), np.array([1.0, 0])).tolist() == [0.25, 0.375]


def test_a_kind_that_weighs_nothing_is_as_if_it_had_not_happened():
    said = [(1, "rating", 5.0), (2, "rating", 1.0), (3, "like")]
    assert taste(*said).affinity.tolist() == pytest.approx([1, 0.25, 1])
    assert taste(*said, rating=0, like=0).affinity.tolist() == [0, 0, 0]


def test_nothing_said_is_no_taste():
    found = taste()
    assert [len(found.items), len(found.liking), len(found.affinity), len(found.weights)] == [0] * 4


EVENT = st.tuples(st.integers(1, 8), st.sampled_from(KINDS), st.floats(0.5, 5))


@given(st.lists(EVENT, min_size=1, max_size=120))
def test_no_item_is_both_liked_and_disliked_and_weights_are_between_0_and_1(events):
    found = taste(*events)
    assert not set(likes(found)) & set(dislikes(found))
    assert len(set(likes(found))) == len(likes(found)) == len(found.weights)
    assert ((found.weights > 0) & (found.weights <= 1)).all()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.integers(1, 5),
            st.sampled_from(["like", "view", "hide", "rating"]),
            st.sampled_from([0.5, 3.0, 5.0]),
        )
    )
)
def test_many_people_read_together_are_read_as_each_alone(events):
    owners = np.array([event[0] for event in events], dtype=np.int64)
    values = np.array([event[3] if event[2] == "rating" else NAN for event in events])
    items = np.array([event[1] for event in events], dtype=np.int64)
    kinds = [event[2] for event in events]
    whose, which, counts = read_affinities(owners, items, kinds, values)
    for owner in range(4):
        mine = owners == owner
        alone = read_taste(
            items[mine], [k for k, m in zip(kinds, mine, strict=True) if m], values[mine]
        )
        order = np.argsort(alone.items)
        assert which[whose == owner].tolist() == alone.items[order].tolist()
        assert counts[whose == owner] == pytest.approx(alone.affinity[order])
