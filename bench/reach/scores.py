"""What lists of all people come to by each measure, worked out when it is asked for."""

from functools import cache

import numpy as np

from bench.reach.cases import Cases
from bench.reach.lists import AT
from recommender.evaluation import metrics


class Scores:
    """A measure's name → (p,) of the lists of p people.

    ndcg            text, genres, behaviour: mean distance of pairs, by texts, genres, and people
    alpha_ndcg      miscalibration
    cost            share of the lists' own relevance that was given up
    """

    def __init__(self, found: Cases, places: np.ndarray) -> None:
        """places  (p, AT) in the candidates"""
        places = places.astype(np.int64)
        self._found = found
        self._shown = np.take_along_axis(found.rows, places, axis=1)
        self._relevance = np.take_along_axis(found.relevance, places, axis=1)
        self._known: dict[str, np.ndarray] = {}

    def __getitem__(self, measure: str) -> np.ndarray:
        if measure not in self._known:
            self._known[measure] = getattr(self, f"_{measure}")()
        return self._known[measure]

    def _ndcg(self) -> np.ndarray:
        pairs = zip(self._shown, self._found.wanted_by(), strict=True)
        return np.array([metrics.ndcg(shown, wanted, AT) for shown, wanted in pairs])

    def _alpha_ndcg(self) -> np.ndarray:
        aspects = dict(enumerate(self._found.genres))
        pairs = zip(self._shown, self._found.wanted_by(), strict=True)
        return np.array([metrics.alpha_ndcg(s, wanted, aspects, AT) for s, wanted in pairs])

    def _text(self) -> np.ndarray:
        vectors = self._found.text[self._shown]
        return _mean_distance(np.einsum("pid,pjd->pij", vectors, vectors))

    def _genres(self) -> np.ndarray:
        genres = self._found.genres[self._shown].astype(np.float32)  # (p, AT, c)
        sizes = genres.sum(axis=2)
        shared = np.einsum("pic,pjc->pij", genres, genres)
        return _mean_distance(
            shared / np.maximum(sizes[:, :, None] + sizes[:, None, :] - shared, 1)
        )

    def _behaviour(self) -> np.ndarray:
        together = _together(self._found)
        return _mean_distance(together[self._shown[:, :, None], self._shown[:, None, :]])

    def _miscalibration(self) -> np.ndarray:
        history = self._found.mixes
        mixes = np.array([metrics.mix(self._found.genres[row]) for row in self._shown])
        smoothed = 0.99 * mixes + 0.01 * history
        ratio = np.where(history > 0, history / np.maximum(smoothed, 1e-12), 1)
        return (history * np.log(ratio)).sum(axis=1)

    def _cost(self) -> np.ndarray:
        discount = 1 / np.log2(np.arange(2, AT + 2))
        return 1 - (self._relevance @ discount) / (self._found.relevance[:, :AT] @ discount)


@cache
def _together(found: Cases) -> np.ndarray:
    """(n, n) cosine of the people who had two items: what no diversifier is given."""
    had = np.zeros((found.had_by.max() + 1, len(found.text)), dtype=np.float32)
    had[found.had_by, found.had] = 1
    had /= np.maximum(np.linalg.norm(had, axis=0), 1e-9)
    return had.T @ had


def _mean_distance(likeness: np.ndarray) -> np.ndarray:
    """(p,) over all pairs of (p, AT, AT)."""
    one, other = np.triu_indices(AT, 1)
    return 1 - likeness[:, one, other].mean(axis=1)
