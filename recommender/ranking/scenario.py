"""A scenario: a named place where lists are shown, and what holds for the lists of that place.

It chooses among the sources of candidates, moves relevance by what the list is about, by age and
by boosts, and puts pins where they are to stand. Without one, the settings of the site hold.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from recommender.diversity import Curve, Limits
from recommender.diversity.features import Shares
from recommender.ranking.adjust import Adjustment
from recommender.ranking.assemble import Ask
from recommender.ranking.explore import Explored
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Pool, Rules
from recommender.ranking.score import FRESH_HALF_LIFE_DAYS
from recommender.ranking.steered import ABOVE

# Kind → sources it asks, with how many times their usual say; none named: those of a person's list.
KINDS: Mapping[str, Mapping[str, float]] = {
    "personal": {},
    "category": {},
    "popular": {"popular": 1.0},
    "trending": {"trending": 1.0},
    "fresh": {"new": 1.0},
    "similar": {"near": 1.0, "beside": 0.5},
    "because": {"near": 1.0, "beside": 0.5},
}
NEEDS = {"category": "category", "similar": "item"}  # kind → what a request must name
TAKES = NEEDS | {"because": "item"}  # kind → what it may name; without it the newest like
ABOUT_AN_ITEM = ("similar", "because")
AROUND = ("near", "beside")  # sources of the item that a list is about
SOURCES = (
    *("interest", "map", "voted", "given", "wish"),  # by the person
    *("popular", "trending", "new"),  # the same for everybody
    *AROUND,
)
HEAVIEST = 10.0  # a source may say so many times what it usually does

THEME = 0.7  # of relevance, of a list that is about something; the rest is the person's
KEPT = 0.25  # of relevance, however old an item is: half-lives order what is old, and hide nothing
FILLING = 0.001  # say of what fills a pool that the sources of a scenario leave short
PINNED = 10.0  # say of what is pinned: whatever else is found, it is in the pool


@dataclass(frozen=True)
class Pin:
    """An item that is to stand at a place."""

    item: int  # its id
    place: int  # from 1
    label: str = "promoted"  # or "picked": the kind of reason that is given for it


@dataclass(frozen=True)
class Boost:
    """How far items move of which an expression is true."""

    when: str
    strength: float  # -1 to 1: of the way to the best of the pool, or below 0 to nothing


@dataclass(frozen=True)
class Scenario:
    """What holds in one place; None, and nothing, leave it to the settings of the site."""

    slug: str = "home"
    names: Mapping[str, str] = field(default_factory=dict)  # language → name
    kind: str = "personal"
    sources: Mapping[str, float] = field(default_factory=dict)  # the only ones, if any are named
    half_life_days: float | None = None  # of relevance, by the age of an item
    filter: str = ""
    boosts: Sequence[Boost] = ()
    pins: Sequence[Pin] = ()
    diversity: float | None = None
    budget: float | None = None
    strategy: str | None = None
    limits: Limits = field(default_factory=Limits)
    exploration: float | None = None
    again_after_days: float | None = None  # when what was seen may come again; None: never
    rotation: float | None = None


@dataclass(frozen=True)
class About:
    """The item that a list is about."""

    id: int
    vector: np.ndarray  # (d,) a unit row, or zeros
    related_ids: np.ndarray  # (k,) int64, best first, -1 where there is none
    related_weights: np.ndarray  # (k,) float32


@dataclass(frozen=True)
class Site:
    """What holds where nobody says otherwise."""

    diversity: float
    strategy: str
    max_per_creator: int | None
    exploration: float = 0.0
    curve: Curve | None = None  # what strategies were measured to keep
    similarity: Shares = field(default_factory=Shares)


def rules_of(
    scenario: Scenario,
    site: Site,
    *,
    limit: int,
    model: Model,
    own_diversity: float | None = None,
    diversity: float | None = None,
    budget: float | None = None,
    strategy: str | None = None,
    limits: Limits | None = None,
) -> Rules:
    """What a list is made by: the request before the person, the scenario, and the site.

    own_diversity                        what the person set
    diversity, budget, strategy, limits  what the request asks for; either of the first two stands
                                         in the place of whatever both say further down
    """
    if diversity is None and budget is None:
        diversity = own_diversity
    if diversity is None and budget is None:
        diversity, budget = scenario.diversity, scenario.budget
    asked = limits or Limits()
    levels = (asked, scenario.limits, Limits(max_per_creator=site.max_per_creator))
    found = {
        f.name: next(
            (v for v in (getattr(level, f.name) for level in levels) if v is not None), None
        )
        for f in fields(Limits)
    }
    return Rules(
        limit,
        site.diversity if diversity is None else diversity,
        strategy or scenario.strategy or site.strategy,
        budget,
        Limits(**found),
        similarity=site.similarity,
        curve=site.curve,
        model=model,
    )


# --- which candidates ---------------------------------------------------------------------------


def plan_of(
    scenario: Scenario, usual: Sequence[Ask], about: About | None, *, pool_size: int
) -> list[Ask]:
    """Which lists of candidates to fetch, of those that a person's list would.

    about  the item that the list is about; without one, a scenario about an item finds nothing
    """
    says = scenario.sources or KINDS[scenario.kind]
    plan = list(usual)
    if says:
        offered = [*usual, Ask("trending", weight=1.0, limit=pool_size, order="trending")]
        offered += _around(about, pool_size) if about else []
        plan = [
            replace(
                ask,
                weight=ask.weight * says[ask.name],
                limit=max(ask.limit, pool_size) if ask.order else ask.limit,
            )
            for ask in offered
            if says.get(ask.name, 0.0) > 0
        ]
        if scenario.kind not in ABOUT_AN_ITEM:
            there = {ask.name for ask in plan}
            plan += [
                Ask(name, weight=FILLING, limit=pool_size, order=name)
                for name in ("popular", "new")
                if name not in there
            ]
    if scenario.pins:
        ids = np.array([pin.item for pin in scenario.pins], dtype=np.int64)
        plan.append(Ask("pinned", weight=PINNED, limit=len(ids), ids=ids))
    return plan


def _around(about: About, pool_size: int) -> list[Ask]:
    asks = []
    if about.vector.any():
        asks.append(Ask("near", weight=1.0, limit=pool_size, vector=about.vector))
    beside = about.related_ids[(about.related_ids >= 0) & (about.related_weights > 0)]
    if len(beside):
        asks.append(Ask("beside", weight=1.0, limit=pool_size, ids=beside[:pool_size]))
    return asks


# --- what moves relevance -----------------------------------------------------------------------


def adjustments_of(
    scenario: Scenario,
    pool: Pool,
    about: About | None = None,
    *,
    boosted: np.ndarray,
    against: np.ndarray,
) -> list[Adjustment]:
    """What a scenario does to relevance.

    boosted  (n, b) bool, for each boost the items of which it is true
    against  (n,) what a person said against each item, which no theme may wash out
    """
    found = []
    scores = theme_of(scenario, pool, about)
    if scores is not None:
        found.append(theme(scores, against))
    if scenario.half_life_days and scenario.kind != "fresh":
        found.append(fresh(freshness(pool.age_days, scenario.half_life_days)))
    if boosted.any():
        strengths = np.array([boost.strength for boost in scenario.boosts], dtype=np.float32)
        found.append(boost(strengths, boosted))
    return found


def theme_of(scenario: Scenario, pool: Pool, about: About | None) -> np.ndarray | None:
    """(n,) float32, 0 to 1: how much each item is what the list is about; None: about nothing.

    Each is taken against the best of the pool, as the parts of relevance are.
    """
    if scenario.kind == "trending":
        return _against_best(pool.trend)
    if scenario.kind == "popular":
        return _against_best(pool.popularity)
    if scenario.kind == "fresh":
        return freshness(pool.age_days, scenario.half_life_days or FRESH_HALF_LIFE_DAYS)
    if scenario.kind in ABOUT_AN_ITEM and about is not None:
        related = dict(zip(about.related_ids.tolist(), about.related_weights.tolist(), strict=True))
        beside = np.array([related.get(item, 0.0) for item in pool.ids.tolist()], dtype=np.float32)
        return np.maximum(_against_best(pool.vectors @ about.vector), _against_best(beside))
    return None


def _against_best(numbers: np.ndarray) -> np.ndarray:
    best = numbers.max(initial=0.0)
    return (np.maximum(numbers, 0.0) / (best if best > 0 else 1.0)).astype(np.float32)


def freshness(age_days: np.ndarray, half_life_days: float) -> np.ndarray:
    """(n,) float32, 1 of the youngest and half of it for each half-life that another is older.

    age_days  (n,), nan where unknown, which is as old as can be

    >>> freshness(np.array([10.0, 40.0, np.nan]), 30.0).tolist()
    [1.0, 0.5, 0.0]
    """
    age = np.where(np.isnan(age_days), np.inf, age_days)
    youngest = age.min(initial=np.inf)
    older = age - (youngest if np.isfinite(youngest) else 0.0)
    return np.exp2(-older / half_life_days).astype(np.float32)


def theme(scores: np.ndarray, against: np.ndarray) -> Adjustment:
    """Relevance makes room for what the list is about.

    >>> relevance, nothing = np.array([0.8, 0.2]), np.zeros(2)
    >>> (relevance + theme(np.array([0.0, 1.0]), nothing).added(relevance)).round(2).tolist()
    [0.24, 0.76]
    """

    def added(relevance: np.ndarray) -> np.ndarray:
        return THEME * (scores - np.maximum(relevance + against, 0.0))

    return Adjustment("theme", added)


def fresh(freshness: np.ndarray) -> Adjustment:
    """Old items lose all but KEPT of what they have; freshness (n,) 0 to 1."""
    return Adjustment(
        "fresh", lambda relevance: (1.0 - KEPT) * (freshness - 1.0) * np.maximum(relevance, 0.0)
    )


def boost(strengths: np.ndarray, true_of: np.ndarray) -> Adjustment:
    """So far up to a little above the best of the pool, and then so far down to nothing.

    strengths  (b,) -1 to 1
    true_of    (n, b) bool

    >>> relevance = np.array([0.8, 0.4, 0.4])
    >>> does = boost(np.array([0.5, -0.5]), np.array([[0, 0], [1, 0], [0, 1]], bool))
    >>> (relevance + does.added(relevance)).round(2).tolist()
    [0.8, 0.65, 0.2]
    """
    up = 1.0 - np.prod(np.where(true_of, 1.0 - np.maximum(strengths, 0.0), 1.0), axis=1)
    down = 1.0 - np.prod(np.where(true_of, 1.0 + np.minimum(strengths, 0.0), 1.0), axis=1)

    def added(relevance: np.ndarray) -> np.ndarray:
        best = np.clip(relevance.max(initial=0.0) + ABOVE, 0.0, 1.0)
        lift = np.maximum(best - np.maximum(relevance, 0.0), 0.0) * up
        return lift - np.maximum(relevance + lift, 0.0) * down

    return Adjustment("boosted", added)


# --- what stands where --------------------------------------------------------------------------


@dataclass(frozen=True)
class Pinned:
    """A list with its pins in place."""

    order: np.ndarray  # (k,) int64 rows of the pool, in the order to show
    propensity: np.ndarray  # (k,) float64, see explore.explore()
    explored: np.ndarray  # (m,) int64 numbers of places given away to explore, from 0, ascending
    labels: Mapping[int, str]  # number of a place → label of the pin that stands there


def put_pins(
    explored: Explored,
    pins: Sequence[Pin],
    ids: np.ndarray,
    *,
    limit: int,
    fits: Callable[[np.ndarray], bool],
) -> Pinned:
    """Each pin that is among the candidates at its place, the lowest place first.

    ids   (n,) of the pool
    fits  whether rows of the pool keep to all limits of the list

    What stands there moves one place down. The list stays as long as it was, or grows up to
    limit: of what is not pinned, the last that can go so that the list keeps its limits goes, or
    simply the last. A pin behind the end stands at the end. Nothing is left to chance about a pin:
    its propensity is 1.
    """
    row_of = {int(item): row for row, item in enumerate(ids)}
    by_row = {row_of[pin.item]: pin for pin in reversed(pins) if pin.item in row_of}
    if not by_row:
        return Pinned(explored.order, explored.propensity, explored.places, {})
    given = set(explored.order[explored.places].tolist()) - by_row.keys()
    rest = [int(row) for row in explored.order if int(row) not in by_row]
    chance = dict(zip(explored.order.tolist(), explored.propensity.tolist(), strict=True))
    in_order = sorted(by_row, key=lambda row: (by_row[row].place, row))[:limit]
    while len(rest) + len(in_order) > limit:
        rest.pop(_to_drop(rest, in_order, fits))
    order = list(rest)
    for row in in_order:
        order.insert(by_row[row].place - 1, row)
    return Pinned(
        np.array(order, dtype=np.int64),
        np.array([1.0 if row in by_row else chance[row] for row in order]),
        np.array([n for n, row in enumerate(order) if row in given], dtype=np.int64),
        {n: by_row[row].label for n, row in enumerate(order) if row in by_row},
    )


def _to_drop(rest: list[int], pinned: list[int], fits: Callable[[np.ndarray], bool]) -> int:
    """Number of the row that goes."""
    for number in range(len(rest) - 1, -1, -1):
        if fits(np.array([*rest[:number], *rest[number + 1 :], *pinned], dtype=np.int64)):
            return number
    return len(rest) - 1
