"""One function for a diverse list from plain arrays: a strategy, a budget and limits together."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recommender.diversity.budget import budget_of, spend
from recommender.diversity.calibration import calibrated
from recommender.diversity.contract import Contract, Kept, Limits, Unmet
from recommender.diversity.dpp import dpp
from recommender.diversity.greedy import Gate
from recommender.diversity.mixed import mixed
from recommender.diversity.mmr import mmr
from recommender.diversity.msd import msd
from recommender.diversity.ssd import ssd
from recommender.diversity.xquad import xquad

# By the name to ask for one by.
STRATEGIES = {
    "mmr": mmr,
    "msd": msd,
    "dpp": dpp,
    "ssd": ssd,
    "xquad": xquad,
    "calibrated": calibrated,
    "mixed": mixed,
}
NEED_ASPECTS = frozenset({"xquad", "calibrated", "mixed"})
# What these maximise is of a set of rows, whatever its order. So it is shown by relevance, which
# costs least of that.
OF_SETS = frozenset({"msd", "dpp", "calibrated", "mixed"})
DEFAULT_DIVERSITY = 0.3
NOT_UNIT = 1e-3  # float16 and bf16 round a length by less


@dataclass(frozen=True)
class Diversified:
    """A list, what it cost, and what the limits did to it."""

    order: np.ndarray  # (min(k, n),) int64 row numbers, in the order to show
    strategy: str
    strength: float  # the diversity that the strategy was given
    budget: float  # share of relevance that it might cost
    cost: float  # and did: 1 - DCG / DCG of the order of relevance
    binding: tuple[str, ...]  # limits that turned down a row the strategy would have taken
    unmet: tuple[Unmet, ...]  # limits that the list does not keep, and why


def diversify(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    *,
    strategy: str = "mmr",
    diversity: float | None = None,
    budget: float | None = None,
    at_most: float = 1.0,
    limits: Limits | None = None,
    categories: np.ndarray | None = None,
    creators: np.ndarray | None = None,
    aspects: np.ndarray | None = None,
    mix: np.ndarray | None = None,
) -> Diversified:
    """Choose up to k of n rows, in the order in which to show them.

    vectors     (n, f) of any length; a row of zeros is unlike every other
    relevance   (n,) on any scale; where some are negative, costs count from the lowest
    strategy    a name in STRATEGIES
    diversity   0 to 1, which costs about as much relevance whatever the strategy: it stands for the
                budget budget_of(diversity). Without a budget either, 0.3
    budget      0 to 1: the share of the list's relevance that may be given up. The strategy is
                turned up as far as that allows; limits come first, whatever they cost
    at_most     0 to 1: the greatest strength that the strategy may be given, whatever the budget
    limits      floors and ceilings; see contract.py for what is promised
    categories  (n, c) bool, for limits; and aspects, if no others are given
    creators    (n,) whole numbers, below 0 for none, for limits
    aspects     (n, a) 0 to 1, categories and topics, for xquad, calibrated and mixed
    mix         (a,) how much of each the person wants
    Equal inputs give equal lists. Raises ValueError if shapes disagree, a number is not finite or
    outside its range, a strategy is unknown or lacks aspects, both diversity and budget are given,
    or a limit speaks of categories or creators that are not given
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"no strategy {strategy!r}: {', '.join(STRATEGIES)}")
    if budget is None:
        budget = budget_of(DEFAULT_DIVERSITY if diversity is None else diversity)
    elif diversity is not None:
        raise ValueError("give a diversity or a budget, not both")
    vectors, relevance = unit(vectors), np.asarray(relevance)
    choose = partial(STRATEGIES[strategy], vectors, relevance, k)
    if strategy in NEED_ASPECTS:
        aspects = categories if aspects is None else aspects
        if aspects is None:
            raise ValueError(f"{strategy} needs aspects, or categories")
        choose = partial(choose, aspects=aspects, mix=mix)
    contract = _contract(limits, k, relevance, categories, creators, vectors)
    caps = {}
    if contract and limits.max_per_creator is not None:
        caps = {"groups": creators, "max_per_group": limits.max_per_creator}
    made: dict[float, Kept] = {}

    def listed(strength: float) -> np.ndarray:
        def gated(gate: Gate | None) -> np.ndarray:
            # Of a creator's ceiling alone the strategies take the rows that a gate would admit, in
            # a tenth of the time; and most requests have no other limit.
            return choose(strength, gate=gate, **({} if gate else caps))

        kept = contract.keep(gated) if contract else Kept(gated(None), (), ())
        if strategy in OF_SETS:
            by_relevance = np.argsort(-relevance[kept.order], kind="stable")
            kept = replace(kept, order=kept.order[by_relevance])
        made[strength] = kept
        return kept.order

    spent = spend(budget, listed, relevance, at_most=at_most)
    kept = made[spent.strength]
    binding = kept.binding
    if caps and not binding and "max_per_creator" in contract.broken(choose(spent.strength)):
        binding = ("max_per_creator",)
    return Diversified(
        kept.order, strategy, spent.strength, budget, max(spent.cost, 0.0), binding, kept.unmet
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """(n, f) float32 rows of length 1; rows of zeros stay. Raises ValueError if not (n, f)."""
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be (n, f), got {vectors.shape}")
    lengths = np.sqrt(np.einsum("nf,nf->n", vectors, vectors))
    lengths[lengths == 0] = 1
    if (np.abs(lengths - 1) <= NOT_UNIT).all():
        return vectors
    return vectors / lengths[:, None]


def _contract(
    limits: Limits | None,
    k: int,
    relevance: np.ndarray,
    categories: np.ndarray | None,
    creators: np.ndarray | None,
    vectors: np.ndarray,
) -> Contract | None:
    if limits is None or not limits.asked():
        return None
    n = len(relevance)
    for name in limits.asked():
        if name.endswith(("categories", "category")) and categories is None:
            raise ValueError(f"{name} needs categories")
        if name.endswith("creator") and creators is None:
            raise ValueError(f"{name} needs creators")
    return Contract(
        limits,
        k,
        relevance,
        categories=np.zeros((n, 0), dtype=bool) if categories is None else categories,
        creators=np.full(n, -1) if creators is None else creators,
        vectors=vectors,
    )
