"""xQuAD answers to every aspect, calibration gives each its share, as their formulas say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import calibrated, xquad
from recommender.diversity.calibration import SMOOTHING

COMEDIES_AND_DRAMAS = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], dtype=float)
FALLING = np.array([1, 0.9, 0.8, 0.7, 0.1, 0.0])
both = pytest.mark.parametrize("choose", [xquad, calibrated])


def pool(seed: int, n: int = 12, a: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    aspects = np.round(rng.random((n, a)), 1) * (rng.random((n, a)) < 0.6)
    relevance = rng.random(n)
    relevance[:2] = 0, 1
    return aspects, relevance, rng.random(a) + 0.01


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_xquad_takes_what_its_formula_says(seed, diversity):
    aspects, relevance, mix = pool(seed)
    wanted = mix / mix.sum()

    def gain(chosen, row):
        unanswered = np.prod(1 - aspects[chosen], axis=0)
        # To the digits of float32, so that what is equal there is equal here.
        return round(
            (1 - diversity) * relevance[row] + diversity * (wanted * aspects[row] @ unanswered), 5
        )

    chosen = xquad(np.eye(12), relevance, 6, diversity, aspects=aspects, mix=mix).tolist()
    for place, row in enumerate(chosen):
        best = max(gain(chosen[:place], r) for r in range(12) if r not in chosen[:place])
        assert gain(chosen[:place], row) >= best - 2e-5


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_calibration_takes_what_its_formula_says(seed, diversity):
    aspects, relevance, mix = pool(seed)
    wanted = mix / mix.sum()
    total = aspects.sum(axis=1, keepdims=True)
    each = aspects / np.where(total > 0, total, 1)

    def objective(rows):
        sums = each[rows].sum(axis=0)
        of_list = sums / max(sums.sum(), 1e-12) * (1 - SMOOTHING) + SMOOTHING * wanted
        divergence = (wanted * np.log(wanted / of_list)).sum()
        return (1 - diversity) * relevance[rows].sum() - diversity * divergence

    chosen = calibrated(np.eye(12), relevance, 6, diversity, aspects=aspects, mix=mix).tolist()
    for place in range(6):
        left = [row for row in range(12) if row not in chosen[:place]]
        best = max(objective([*chosen[:place], row]) for row in left)
        assert objective(chosen[: place + 1]) >= best - 1e-4


def test_xquad_answers_to_each_aspect_once_and_then_goes_by_relevance():
    chosen = xquad(np.eye(6), FALLING, 6, 0.7, aspects=COMEDIES_AND_DRAMAS, mix=np.ones(2))
    assert chosen.tolist() == [0, 4, 1, 2, 3, 5]


def test_a_calibrated_list_is_two_thirds_comedies_for_somebody_who_is():
    chosen = calibrated(
        np.eye(6), FALLING, 6, 0.9, aspects=COMEDIES_AND_DRAMAS, mix=np.array([2.0, 1.0])
    )
    assert COMEDIES_AND_DRAMAS[chosen[:3]].sum(axis=0).tolist() == [2, 1]
    assert COMEDIES_AND_DRAMAS[chosen[:6]].sum(axis=0).tolist() == [4, 2]


@both
def test_the_scale_of_the_mix_does_not_matter(choose):
    aspects, relevance, mix = pool(3)
    one, other = (
        choose(np.eye(12), relevance, 8, 0.6, aspects=aspects, mix=m).tolist()
        for m in (mix, mix * 37)
    )
    assert one == other


@both
def test_without_a_mix_the_more_relevant_candidates_say_what_is_wanted(choose):
    aspects, relevance, _ = pool(4)
    shares = aspects / np.maximum(aspects.sum(axis=1, keepdims=True), 1e-12)
    expected = choose(np.eye(12), relevance, 8, 0.6, aspects=aspects, mix=relevance @ shares)
    assert choose(np.eye(12), relevance, 8, 0.6, aspects=aspects).tolist() == expected.tolist()


@both
def test_where_nothing_has_an_aspect_or_none_is_wanted_relevance_alone_speaks(choose):
    for aspects, mix in ((np.zeros((6, 2)), np.ones(2)), (COMEDIES_AND_DRAMAS, np.zeros(2))):
        chosen = choose(np.eye(6), FALLING, 6, 0.9, aspects=aspects, mix=mix)
        assert chosen.tolist() == [0, 1, 2, 3, 4, 5]
    assert choose(np.eye(6), FALLING, 2, 0.9, aspects=np.zeros((6, 0))).tolist() == [0, 1]


@both
def test_bad_aspects_and_mixes_are_refused(choose):
    def chosen(aspects, mix=None):
        return choose(np.eye(6), FALLING, 2, 0.5, aspects=aspects, mix=mix)

    with pytest.raises(ValueError, match="shapes disagree: aspects"):
        chosen(np.ones((5, 2)))
    with pytest.raises(ValueError, match="shapes disagree: aspects"):
        chosen(np.ones(6))
    with pytest.raises(ValueError, match="shapes disagree: mix"):
        chosen(COMEDIES_AND_DRAMAS, np.ones(3))
    for number in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="an aspect is"):
            chosen(np.where(COMEDIES_AND_DRAMAS > 0, number, 0))
        with pytest.raises(ValueError, match="of the mix is"):
            chosen(COMEDIES_AND_DRAMAS, np.array([1, number]))


def test_xquad_refuses_a_chance_above_one():
    with pytest.raises(ValueError, match="above 1"):
        xquad(np.eye(6), FALLING, 2, 0.5, aspects=COMEDIES_AND_DRAMAS * 1.1)
