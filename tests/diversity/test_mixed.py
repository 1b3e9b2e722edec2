"""Mixed: calibration and distance in one gain, step by step."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import calibrated, mixed
from recommender.diversity.mixed import APART
from recommender.evaluation.metrics import miscalibration
from tests.diversity.test_msd import random_rows


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.99))
def test_each_step_takes_relevance_nearness_to_the_mix_and_distance_together(seed, diversity):
    vectors, relevance = random_rows(seed, n=12, d=4)
    rng = np.random.default_rng(seed)
    aspects, mix = rng.random((12, 5)) < 0.4, rng.random(5)
    mix /= mix.sum()

    def divergence(rows) -> float:
        of_each = [aspects[row] / aspects[row].sum() for row in rows if aspects[row].any()]
        shown = np.mean(of_each, axis=0) if of_each else np.zeros(5)
        return float((mix * np.log(mix / (0.99 * shown + 0.01 * mix))).sum())

    def gain(row: int, chosen: list[int]) -> float:
        far = sum(1 - vectors[row] @ vectors[other] for other in chosen)
        right = relevance[row] - diversity * divergence([*chosen, row])
        return (1 - diversity) * right + diversity**2 * APART * far

    order = mixed(vectors, relevance, 8, diversity, aspects=aspects, mix=mix).tolist()
    assert len(set(order)) == 8
    for place, row in enumerate(order):
        best = max(gain(other, order[:place]) for other in range(12) if other not in order[:place])
        assert gain(row, order[:place]) >= best - 1e-4  # as far as float32 tells


def test_of_two_that_are_as_right_for_the_mix_it_takes_the_one_further_away():
    vectors = np.array([[1.0, 0.0], [0.9, np.sqrt(0.19)], [0.0, 1.0]])
    relevance, drama = np.array([1.0, 0.5, 0.5]), np.ones((3, 1))
    assert mixed(vectors, relevance, 2, 0.5, aspects=drama).tolist() == [0, 2]
    assert calibrated(vectors, relevance, 2, 0.5, aspects=drama).tolist() == [0, 1]


def test_all_of_it_leads_away_from_a_mix_that_is_narrow():
    drama, others = np.array([[1, 0]] * 6), np.array([[0, 1]] * 6)
    vectors, relevance = np.eye(12), np.linspace(1, 0.5, 12)
    vectors[:6] = 0.8 * vectors[:1] + 0.6 * vectors[:6]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    aspects, only_drama = np.concatenate([drama, others]), np.array([1.0, 0.0])
    little, much = (
        mixed(vectors, relevance, 4, d, aspects=aspects, mix=only_drama) for d in (0.3, 1.0)
    )
    assert set(little) == {0, 1, 2, 3}
    assert (much >= 6).sum() == 3


def test_it_brings_a_list_nearer_to_what_somebody_likes():
    vectors, relevance = random_rows(3, n=60, d=8)
    aspects = np.random.default_rng(3).random((60, 6)) < 0.3
    liked = aspects[:20]
    mix = (liked / np.maximum(liked.sum(axis=1, keepdims=True), 1)).sum(axis=0)
    off = [
        miscalibration(aspects[mixed(vectors, relevance, 10, d, aspects=aspects, mix=mix)], liked)
        for d in (0.0, 0.5)
    ]
    assert off[1] < 0.7 * off[0]
