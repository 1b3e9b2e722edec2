"""What feedback says as a number: opinions over acts over glances, ratings by who gave them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.signals import (
    CARED,
    DEFAULT_WEIGHTS,
    KINDS,
    WEIGHTS,
    decay,
    kind_weights,
    rating_mean,
    signal,
)

NAN = float("nan")


OF_A_VALUE = {"rating", "comment", "dwell"}


def says(kind: str, value: float = NAN, mean: float = 3.5, **changed: float) -> float:
    kinds, weights = np.array([KINDS.index(kind)]), kind_weights(changed)
    return float(signal(kinds, np.array([value]), rating_mean=mean, weights=weights)[0])


@pytest.mark.parametrize(
    ("kind", "number"), [(k, n) for k, n in DEFAULT_WEIGHTS.items() if k not in OF_A_VALUE]
)
def test_a_kind_without_a_value_says_the_same_of_every_item(kind, number):
    assert says(kind) == pytest.approx(number)


def test_an_opinion_says_more_than_an_act_and_an_act_more_than_a_glance():
    assert says("purchase") > says("like") > says("save") > says("dwell", 60) > says("view") > 0


def test_a_like_says_one_and_its_opposites_minus_one():
    assert (says("like"), says("dislike"), says("hide")) == (1, -1, -1)


@pytest.mark.parametrize(
    ("stars", "number"),
    [(5, 1.0), (4.5, 0.9), (4, 0.8), (3.5, 0.4), (3, 0.25), (2.5, 0.1), (2, -0.6), (0.5, -1.0)],
)
def test_a_rating_of_a_usual_rater(stars, number):
    assert says("rating", stars) == pytest.approx(number)


def test_the_middle_of_the_scale_is_read_against_the_mean_of_the_person():
    assert says("rating", 3, mean=4.5) == pytest.approx(-0.05)  # 0.4 - 0.3 x 1.5
    assert says("rating", 3, mean=2.5) == pytest.approx(0.4)  # never more than at the mean
    assert says("rating", 2.5, mean=5) == pytest.approx(-0.35)


def test_at_both_ends_the_sign_does_not_depend_on_the_person():
    assert says("rating", 4, mean=5) == pytest.approx(0.8)
    assert says("rating", 2, mean=0.5) == pytest.approx(-0.6)


@given(st.floats(0.5, 5), st.floats(0.5, 5), st.floats(0.5, 5))
def test_more_stars_never_say_less(one, other, mean):
    low, high = sorted((one, other))
    assert says("rating", low, mean) <= says("rating", high, mean)


@pytest.mark.parametrize(
    ("seconds", "number"), [(0, 0), (30, 0.15), (60, 0.3), (3600, 0.3), (NAN, 0)]
)
def test_a_dwell_counts_in_proportion_up_to_a_minute(seconds, number):
    assert says("dwell", seconds) == pytest.approx(number)


@pytest.mark.parametrize(
    ("sign", "number"),
    [(1, 0.8), (-1, -0.8), (0.5, 0.45), (-0.5, -0.35), (0, 0.1), (NAN, 0.1), (7, 0.8)],
)
def test_a_comment_says_its_sign_and_a_little_where_it_takes_no_side(sign, number):
    assert CARED == 0.125
    assert says("comment", sign) == pytest.approx(number)  # 0.8 x (sign + 0.125 x (1 - |sign|))


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_kinder_comment_never_says_less(one, other):
    low, high = sorted((one, other))
    assert says("comment", low) <= says("comment", high)


def test_each_kind_has_a_weight_that_can_be_changed():
    assert set(DEFAULT_WEIGHTS) == set(KINDS)
    assert WEIGHTS.tolist() == [DEFAULT_WEIGHTS[kind] for kind in KINDS]
    assert says("view", view=-2) == -2
    assert says("hide", hide=0) == 0
    assert says("rating", 5, rating=0.5) == pytest.approx(0.5)
    assert says("rating", 2, rating=0.5) == pytest.approx(-0.3)
    assert says("comment", -1, comment=1.5) == -1.5
    assert says("dwell", 30, dwell=1) == pytest.approx(0.5)


def test_a_changed_weight_changes_no_other_kind():
    for kind in KINDS:
        changed = kind_weights({kind: 1.9})
        assert changed[KINDS.index(kind)] == 1.9
        assert np.flatnonzero(changed != WEIGHTS).tolist() == [KINDS.index(kind)]


def test_a_weight_of_a_kind_that_is_gone_is_passed_over():
    assert kind_weights({"wink": 1.0}).tolist() == WEIGHTS.tolist()


@pytest.mark.parametrize("weight", [2.1, -2.1, NAN, float("inf")])
def test_a_weight_off_the_scale_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        kind_weights({"view": weight})


def test_weights_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="weights"):
        signal(np.array([1]), np.array([NAN]), rating_mean=3.5, weights=np.ones(3))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("rating", 0.4), ("rating", 5.1), ("rating", NAN), ("dwell", -1), ("dwell", float("inf"))],
)
def test_a_value_off_its_scale_is_refused(kind, value):
    with pytest.raises(ValueError, match=kind):
        says(kind, value)


@pytest.mark.parametrize("mean", [0.4, 5.1, NAN])
def test_a_mean_that_is_no_rating_is_refused(mean):
    with pytest.raises(ValueError, match="rating_mean"):
        says("like", mean=mean)


@pytest.mark.parametrize("kind", [-1, len(KINDS)])
def test_an_unknown_kind_is_refused(kind):
    with pytest.raises(ValueError, match="kind"):
        signal(np.array([kind]), np.array([NAN]), rating_mean=3.5)


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        signal(np.array([1, 1]), np.array([NAN]), rating_mean=3.5)


def test_no_feedback_says_nothing():
    assert signal(np.zeros(0, int), np.zeros(0), rating_mean=3.5).shape == (0,)


def test_a_mean_of_few_ratings_is_near_the_usual_one():
    assert rating_mean(np.zeros(0)) == 3.5
    assert rating_mean(np.array([5.0])) == 3.75  # (5 + 5 x 3.5) / 6
    assert rating_mean(np.full(45, 0.5)) == pytest.approx(0.8)  # (22.5 + 17.5) / 50


def test_a_rating_that_is_no_number_has_no_mean():
    with pytest.raises(ValueError, match="finite"):
        rating_mean(np.array([4, NAN]))


def test_what_was_said_halves_with_every_half_life():
    assert decay(np.array([0, 180, 360, -5]), 180).tolist() == [1, 0.5, 0.25, 1]
    assert decay(np.array([np.inf]), 180).tolist() == [0]


def test_an_unknown_age_and_a_half_life_of_nothing_are_refused():
    with pytest.raises(ValueError, match="nan"):
        decay(np.array([NAN]), 180)
    for days in (0, -1, NAN):
        with pytest.raises(ValueError, match="half_life_days"):
            decay(np.zeros(1), days)
