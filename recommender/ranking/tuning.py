"""What a person would rather have in general: newer, better known, unlike what they know.

Each wish is from -1 to 1 and mixes relevance with the place of an item in the pool by one measure,
so that relevance stays within its scale, nothing falls out, and it works in a pool of any spread.
Novelty as the distance from a profile: Vargas & Castells 2011, doi:10.1145/2043932.2043955.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recommender.diversity import Limits
from recommender.ranking.adjust import Adjustment
from recommender.ranking.model import PARTS, untrained
from recommender.ranking.pipeline import NONE, Person, Pool
from recommender.ranking.scenario import Scenario
from recommender.ranking.steered import ABOVE

WISHES = ("novelty", "recency", "popularity")
# Of relevance that goes by a wish of 1: lists still go by taste as much, and a wish of 0.3 costs
# hardly any NDCG.
SIZE = 0.5


@dataclass(frozen=True)
class Tuning:
    """How lists are to be made, as far as somebody set it."""

    diversity: float | None = None  # 0 to 1; None: as the site has it
    novelty: float = 0.0  # -1 to 1: unlike what the person liked, or like it
    recency: float = 0.0  # newer, or older
    popularity: float = 0.0  # better known, or less
    chronological: bool = False  # newest first, whoever asks; nothing else holds then


CHRONOLOGICAL = "chronological"
# What each moves and costs is measured in docs/steering.md; so far a wish moves its measure for
# about its share of NDCG, and further on NDCG falls ever faster.
PRESETS = {
    "balanced": Tuning(),
    # A wish for novelty alone brings more of one other kind; with variety, of several.
    "discovery": Tuning(diversity=0.5, novelty=0.4),
    # A third fewer people know its items, for a sixth of NDCG; -1 costs three quarters.
    "niche": Tuning(popularity=-0.6),
    CHRONOLOGICAL: Tuning(chronological=True),
}


# For a list by date: how fresh an item is and nothing else, whether somebody touched it or not.
_FRESH = np.array([part == "freshness" for part in PARTS], dtype=np.float32)
BY_DATE = replace(
    untrained(),
    weights=np.tile(_FRESH, (len(untrained().weights), 1)),
    new_item=_FRESH,
    new_item_say=1.0,
)


BY_PERSON = ("personal", "category")  # kinds of scenarios whose lists may go by date instead


def newest_first(scenario: Scenario) -> Scenario:
    """The place without all that would change the order; its filter and pins hold."""
    return replace(
        scenario,
        sources={"new": 1.0},
        half_life_days=None,
        boosts=(),
        diversity=None,
        budget=None,
        strategy=NONE,
        limits=Limits(),
        exploration=0.0,
    )


def preset_of(tuning: Tuning) -> str | None:
    """The name of what is set, if it has one."""
    return next((name for name, preset in PRESETS.items() if preset == tuning), None)


def changed(tuning: Tuning, preset: str | None, given: Mapping[str, float | None]) -> Tuning:
    """The tuning with a preset in its place, if one is named, and then what is given apart.

    Whoever moves one thing of a chronological list has one that goes by taste again.

    >>> changed(PRESETS["chronological"], None, {"recency": 0.5})
    Tuning(diversity=None, novelty=0.0, recency=0.5, popularity=0.0, chronological=False)
    """
    base = PRESETS[preset] if preset else tuning
    moved = {name: value for name, value in given.items() if value != getattr(base, name)}
    return replace(base, chronological=False, **moved) if moved else base


def wished(tuning: Tuning, person: Person, pool: Pool) -> list[Adjustment]:
    """What the wishes add to the relevance of each item; nothing for a wish of 0."""
    amounts = {
        "novelty": _unlike(person, pool),
        "recency": -pool.age_days,
        "popularity": pool.popularity,
    }
    return [
        _leaning(f"wish_{name}", getattr(tuning, name), places(amounts[name]))
        for name in WISHES
        if getattr(tuning, name)
    ]


def _leaning(part: str, wish: float, place: np.ndarray) -> Adjustment:
    towards = place if wish > 0 else 1.0 - place

    def added(relevance: np.ndarray) -> np.ndarray:
        # As for steering: a little above the best, or it would do nothing where all are as good.
        best = min(max(relevance.max(initial=0.0), 0.0) + ABOVE, 1.0)
        mixed = SIZE * abs(wish) * (best * towards - relevance)
        return np.where((relevance >= 0) & np.ptp(place).astype(bool), mixed, 0.0)

    return Adjustment(part, added)


def _unlike(person: Person, pool: Pool) -> np.ndarray:
    """(n,) how far each item is from the nearest like; of somebody without, how little known."""
    if not person.like_vectors.any():
        return -pool.popularity
    unlike = 1.0 - (pool.vectors @ person.like_vectors.T).max(axis=1)
    return np.where(pool.vectors.any(axis=1), unlike, np.nan)


def places(amounts: np.ndarray) -> np.ndarray:
    """(n,) float64 from 0 for the least to 1 for the most; equals share a place, and what is
    unknown stands in the middle.

    >>> places(np.array([3.0, 9.0, np.nan, 9.0, 1.0])).round(2).tolist()
    [0.33, 0.83, 0.5, 0.83, 0.0]
    """
    out, known = np.full(len(amounts), 0.5), ~np.isnan(amounts)
    levels, at, times = np.unique(amounts[known], return_inverse=True, return_counts=True)
    if len(levels) > 1:
        middle = np.cumsum(times) - (times + 1) / 2
        out[known] = (middle / (times.sum() - 1))[at]
    return out
