"""How good lists are for people of whom little is known.

People are judged as they are, and once more as if they had come later: with nothing but the newest
items of their history, for the same items to foretell. So a short history is told apart from the
kind of people who have one, and there is something to say of it where everybody has a long one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recommender.evaluation import metrics
from recommender.evaluation.replay import Past, list_for, popular_for, rows_by_person
from recommender.evaluation.splits import newest_items
from recommender.ranking.model import LENGTHS
from recommender.ranking.pipeline import Rules


@dataclass(frozen=True)
class Group:
    """People with feedback on so many items, and the NDCG of the lists of each."""

    low: int
    high: int | None  # None: any number from low on
    is_cut: bool  # the older part of their history was left out
    ndcg: np.ndarray  # (p,)
    of_popularity: np.ndarray  # (p,) of the same people

    def __str__(self) -> str:
        if self.high is None:
            return f"{self.low} or more"
        return f"{self.low}–{self.high}" if self.high > self.low else f"{self.low}"


def by_length(
    past: Past,
    targets: dict[int, np.ndarray],
    rules: Rules,
    *,
    pool_size: int,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Group]:
    """Groups of people by the length of their history, those that have somebody in them.

    targets  of each person the ids of the items to foretell, at least one, none of the history
    rules    by which lists are made, as long as they are judged
    What somebody had is not shown to them again where their history was cut either.
    """
    rng = np.random.default_rng(seed)
    events, library = past.events, past.library
    nothing = np.zeros(0, dtype=np.int64)
    rows_of = rows_by_person(events.people)
    highs = [*(low - 1 for low in LENGTHS[1:]), None]
    found: dict[tuple[int, bool], list[tuple[float, float]]] = {}
    for person, wanted in targets.items():
        history = rows_of.get(person, nothing)
        items = events.items[history]
        n = len(np.unique(items))
        free = library.shown & ~np.isin(library.ids, items)
        own = int(np.searchsorted(LENGTHS, n, side="right")) - 1
        for row in range(own + 1):
            is_cut = row < own
            length = int(rng.integers(LENGTHS[row], highs[row] + 1)) if is_cut else n
            part = history[newest_items(items, length)]
            ours = list_for(past, part, rules, pool_size=pool_size, only=free)
            popular = popular_for(past, part, rules.limit, free)
            found.setdefault((row, is_cut), []).append(
                (
                    metrics.ndcg(ours, wanted, rules.limit),
                    metrics.ndcg(popular, wanted, rules.limit),
                )
            )
            progress(1)
    return [
        Group(LENGTHS[row], highs[row], is_cut, *np.array(values).T)
        for (row, is_cut), values in sorted(found.items())
    ]
