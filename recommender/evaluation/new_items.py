"""How good lists are at items that nobody has touched, and how often they show such items at all.

Popularity says nothing of them. So they are judged beside a random order and beside the plainest
use of their texts: nearest to the mean of what the person liked.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recommender.evaluation import metrics
from recommender.evaluation.fitting import is_good
from recommender.evaluation.replay import Past, list_for, rows_by_person
from recommender.evaluation.splits import Leak
from recommender.ranking.pipeline import Rules


@dataclass(frozen=True)
class NewItems:
    """What a system did with new items."""

    name: str
    ndcg: np.ndarray  # (p,) where they alone may be shown
    recall: np.ndarray  # (p,) of the same people where all items may be shown
    share: float  # of the places of these lists, how many went to new items
    coverage: float  # of the new items, how many stood in one of these lists


def judge_new_items(
    past: Past,
    ids: np.ndarray,
    targets: dict[int, np.ndarray],
    rules: Rules,
    *,
    pool_size: int,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> list[NewItems]:
    """A random order, the mean of texts, and the order by the rules, at new items.

    ids      of the new items; Leak is raised when the past knows an event of one
    targets  of each person with a history the ids of new items to foretell, at least one
    """
    if np.isin(past.events.items, ids).any():
        raise Leak("there are events of items that nobody is meant to have touched")
    rng = np.random.default_rng(seed)
    k, library = rules.limit, past.library
    is_new = np.isin(library.ids, ids)
    ways: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "random order": lambda history, only: rng.permutation(library.ids[only])[:k],
        "mean of texts": lambda history, only: nearest_to_mean(past, history, k, only),
        "relevance order": lambda history, only: list_for(
            past, history, rules, pool_size=pool_size, only=only
        ),
    }
    rows_of = rows_by_person(past.events.people)
    found = []
    for name, way in ways.items():
        alone, among_all, places = [], [], []
        for person, wanted in targets.items():
            history = rows_of[person]
            free = library.shown & ~np.isin(library.ids, past.events.items[history])
            alone.append(metrics.ndcg(way(history, free & is_new), wanted, k))
            shown = way(history, free)
            among_all.append(metrics.recall(shown, wanted, k))
            places.append(shown)
            progress(1)
        together = np.concatenate(places)
        new = together[np.isin(together, ids)]
        found.append(
            NewItems(
                name,
                np.array(alone),
                np.array(among_all),
                len(new) / max(len(together), 1),
                metrics.coverage(new, int((is_new & library.shown).sum())),
            )
        )
    return found


def nearest_to_mean(past: Past, history: np.ndarray, k: int, only: np.ndarray) -> np.ndarray:
    """The k items, only (n,) bool of the library's, with texts nearest to the mean of good ones."""
    events, library = past.events, past.library
    good = history[is_good(events.kinds[history], events.values[history])]
    liked = np.isin(library.ids, events.items[good])
    score = np.where(only, library.vectors @ library.vectors[liked].sum(axis=0), -np.inf)
    best = np.argsort(-score, kind="stable")[:k]
    return library.ids[best[only[best]]]
