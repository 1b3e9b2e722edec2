"""Floors and ceilings of a list, kept by any strategy whenever the candidates can keep them.

What is promised. Where a search settles whether some k candidates keep all limits together, and
some do, the list keeps them. The search is exact but for its number of steps (SEARCH_STEPS): to
decide this is hard in general (a floor of categories is a maximum coverage, a ceiling of likeness
an independent set), so that on large pools with limits that leave hardly a way it may give up. It
never does for max_per_creator alone, nor for any limit that a list built without a step back keeps.

How. The strategy runs freely first, then through a gate that turns down what breaks a ceiling; the
first list that keeps the limits is the answer. Otherwise a witness is searched for, k rows that
keep them, and the gate admits a row only if there is still a witness that holds it and all taken.

Where no k candidates keep all, limits give way no further than they must: a floor only to what k
candidates can reach, for floors come first; then max_similarity, max_per_category and
max_per_creator, in this order. A list is never shorter for a limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.diversity.greedy import Gate

SEARCH_STEPS = 1000  # of one search; about 50 ms on 200 candidates
MORE_STEPS = 1000  # of all that follow together, when limits must give way
REPAIR_STEPS = 60  # of the search for another witness, when one row of it cannot be exchanged
DIGITS = 4
CEILINGS = ("max_similarity", "max_per_category", "max_per_creator")  # in this order they give way
SIMILARITY_STEPS = 16  # between the ceiling asked for and 1, when it must give way


@dataclass(frozen=True)
class Limits:
    """What a list must keep to; None asks for nothing.

    min_categories    distinct categories in the list, at least 0
    max_per_category  items of one category, at least 1; an item counts in each of its categories
    max_per_creator   items of one creator, at least 1
    max_similarity    cosine of any two items, -1 to 1
    Raises ValueError for any other number
    """

    min_categories: int | None = None
    max_per_category: int | None = None
    max_per_creator: int | None = None
    max_similarity: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("min_categories", 0), ("max_per_category", 1), ("max_per_creator", 1)):
            value = getattr(self, name)
            if value is not None and (value != int(value) or value < least):
                raise ValueError(f"{name} must be a whole number of at least {least}, got {value}")
        if self.max_similarity is not None and not -1 <= self.max_similarity <= 1:
            raise ValueError(f"max_similarity must be in [-1, 1], got {self.max_similarity}")

    def asked(self) -> tuple[str, ...]:
        """Names of the limits that ask for something."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)

    def only(self, name: str) -> "Limits":
        return Limits(**{name: getattr(self, name)})


@dataclass(frozen=True)
class Unmet:
    """A limit that the list does not keep."""

    limit: str
    asked: float
    got: float
    reason: str


@dataclass(frozen=True)
class Kept:
    """A list, and what the limits did to it."""

    order: np.ndarray  # (min(k, n),) int64
    binding: tuple[str, ...]  # limits that turned down a row the strategy would have taken
    unmet: tuple[Unmet, ...]


class Contract:
    """Limits over one pool and length of list; asked for as many lists as one likes.

    relevance   (n,) on any scale; of two ways to keep the limits it favours the more relevant
    categories  (n, c) bool
    creators    (n,) whole numbers, below 0 for none
    vectors     (n, f) unit rows, or rows of zeros, which are like nothing
    Raises      ValueError if shapes disagree or k is below 0
    """

    def __init__(
        self,
        limits: Limits,
        k: int,
        relevance: np.ndarray,
        *,
        categories: np.ndarray,
        creators: np.ndarray,
        vectors: np.ndarray,
    ) -> None:
        n = len(relevance)
        if k < 0:
            raise ValueError(f"k must not be below 0, got {k}")
        for name, array, width in (
            ("categories", categories, 2),
            ("creators", creators, 1),
            ("vectors", vectors, 2),
        ):
            if np.ndim(array) != width or len(array) != n:
                raise ValueError(f"shapes disagree: {name} {np.shape(array)}, rows {n}")
        self.limits = limits
        self.k = min(k, n)
        self._candidates = _Candidates(np.asarray(relevance), categories, creators, vectors)
        self._settled: tuple[Limits, list[int] | None, dict[str, str]] | None = None

    def keep(self, choose: Callable[[Gate | None], np.ndarray]) -> Kept:
        """The list of a strategy, which is called with a gate, or without one."""
        order = choose(None)
        if not self.broken(order):
            return Kept(order, (), ())
        gate = _Gate(self._candidates, self.limits)
        order, reasons = choose(gate), {}
        if self.broken(order):
            if self._settled is None:
                self._settled = self._settle()
            limits, witness, reasons = self._settled
            if witness is not None:
                gate = _Gate(self._candidates, limits, witness)
                order = choose(gate)
        unmet = self.unmet(order, reasons)
        held = gate.refused | {limit.limit for limit in unmet}
        return Kept(order, tuple(name for name in self.limits.asked() if name in held), unmet)

    def unmet(
        self, order: np.ndarray, reasons: Mapping[str, str], *, otherwise: str = ""
    ) -> tuple[Unmet, ...]:
        """The limits that a list does not keep, each with its reason, or the one for all others."""
        broken = self.broken(order)
        return tuple(
            Unmet(
                name,
                getattr(self.limits, name),
                self._candidates.level(name, order),
                reasons.get(name, otherwise),
            )
            for name in self.limits.asked()
            if name in broken
        )

    def keeps(self, order: np.ndarray) -> bool:
        """Whether a list keeps all limits."""
        return not self.broken(order)

    def broken(self, order: np.ndarray) -> set[str]:
        """Names of the limits that a list does not keep."""
        return self._candidates.broken(order, self.limits)

    def _settle(self) -> tuple[Limits, list[int] | None, dict[str, str]]:
        """The limits as far as they can be kept, k rows that do, and why others cannot."""
        pool, k, asked = self._candidates, self.k, self.limits
        if k == len(pool.relevance):
            broken = pool.broken(np.arange(k), asked)
            return asked, None, dict.fromkeys(broken, f"there are only {k} candidates")
        search = _Search(pool, k)
        if (witness := search.find(asked)) is not None:
            return asked, witness, {}

        limits, reasons = asked, {}
        if asked.min_categories and search.find(asked.only("min_categories")) is None:
            floor = _last(
                range(asked.min_categories),
                lambda floor: search.find(Limits(min_categories=floor)) is not None,
            )
            limits = replace(limits, min_categories=floor)
            reasons["min_categories"] = f"no {k} of the candidates have more than {floor}"
        loosened = []
        witness = search.find(limits) if reasons else None
        for name in (n for n in CEILINGS if getattr(asked, n) is not None):
            if witness is not None:
                break
            limits = replace(limits, **{name: None})
            loosened.append(name)
            witness = search.find(limits)
        for name in reversed(loosened):
            limits, witness = self._tightened(search, limits, witness, name)
            if search.find(asked.only(name)) is None:
                reasons[name] = f"no {k} of the candidates keep to it"
            else:
                others = [other for other in asked.asked() if other != name]
                reasons[name] = f"not together with {' and '.join(others)}"
        if search.unsure:
            reasons = {name: f"{why}, as far as was searched" for name, why in reasons.items()}
        return limits, witness, reasons

    def _tightened(
        self, search: "_Search", limits: Limits, witness: list[int], name: str
    ) -> tuple[Limits, list[int]]:
        """A ceiling that was lifted, let down again as far as it can be."""
        asked = getattr(self.limits, name)
        if name == "max_similarity":
            values = [1 - (1 - asked) * step / SIMILARITY_STEPS for step in range(SIMILARITY_STEPS)]
        else:
            values = list(range(self.k, asked, -1))
        found = {}

        def works(value: float) -> bool:
            found[value] = search.find(replace(limits, **{name: value}))
            return found[value] is not None

        value = _last(values, works)
        if value is None:
            return limits, witness
        return replace(limits, **{name: value}), found[value]


def _last(values, works: Callable) -> float | None:
    """The last of values that works, where none works after one that does not; by halves."""
    best, low, high = None, 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if works(values[middle]):
            best, low = values[middle], middle + 1
        else:
            high = middle
    return best


class _Candidates:
    """The pool, in the form that counting wants."""

    def __init__(self, relevance, categories, creators, vectors) -> None:
        self.relevance = relevance
        self.categories = np.asarray(categories, dtype=bool).astype(np.int32)
        self.sizes = self.categories.sum(axis=1)
        self.vectors = np.asarray(vectors, dtype=np.float32)
        names, codes = np.unique(creators, return_inverse=True)
        self.creators = np.where(np.asarray(creators) < 0, -1, codes)  # (n,) 0 to m - 1
        self.creator_count = len(names)
        self._likeness: np.ndarray | None = None

    @property
    def likeness(self) -> np.ndarray:
        """(n, n) cosines; -2 of a row and itself."""
        if self._likeness is None:
            self._likeness = self.vectors @ self.vectors.T
            np.fill_diagonal(self._likeness, -2)
        return self._likeness

    def level(self, name: str, rows: np.ndarray) -> float:
        """Where a list stands, by the name of a limit."""
        if name == "max_per_creator":
            by = self.creators[rows]
            return int(np.bincount(by[by >= 0], minlength=1).max())
        if name == "max_similarity":
            likeness = self.vectors[rows] @ self.vectors[rows].T
            np.fill_diagonal(likeness, -1)
            return round(float(likeness.max(initial=-1)), DIGITS)
        in_category = self.categories[rows].sum(axis=0)
        if name == "max_per_category":
            return int(in_category.max(initial=0))
        return int(np.count_nonzero(in_category))

    def broken(self, rows: np.ndarray, limits: Limits) -> set[str]:
        def breaks(name: str) -> bool:
            level, limit = self.level(name, rows), getattr(limits, name)
            return level > limit if name in CEILINGS else level < limit

        return {name for name in limits.asked() if breaks(name)}


class _State:
    """Some rows taken, and what may stand beside them under the ceilings."""

    def __init__(self, pool: _Candidates, limits: Limits) -> None:
        self.pool, self.limits = pool, limits
        self.taken: list[int] = []
        self.open = np.ones(len(pool.relevance), dtype=bool)
        self.in_category = np.zeros(pool.categories.shape[1], dtype=np.int32)
        self.by_creator = np.zeros(pool.creator_count, dtype=np.int32)

    def copy(self) -> "_State":
        other = _State.__new__(_State)
        other.pool, other.limits, other.taken = self.pool, self.limits, self.taken.copy()
        other.open, other.in_category = self.open.copy(), self.in_category.copy()
        other.by_creator = self.by_creator.copy()
        return other

    def take(self, row: int) -> None:
        pool, limits, creator = self.pool, self.limits, self.pool.creators[row]
        self.taken.append(row)
        self.open[row] = False
        self.in_category += pool.categories[row]
        if limits.max_per_category is not None:
            full = (self.in_category >= limits.max_per_category) & (pool.categories[row] > 0)
            if full.any():
                self.open &= ~pool.categories[:, full].any(axis=1)
        if creator >= 0:
            self.by_creator[creator] += 1
            if self.by_creator[creator] == limits.max_per_creator:
                self.open &= pool.creators != creator
        if limits.max_similarity is not None:
            self.open &= pool.likeness[row] <= limits.max_similarity

    def missing(self) -> int:
        """Categories that the floor still wants."""
        return (self.limits.min_categories or 0) - int(np.count_nonzero(self.in_category))

    def new_categories(self) -> np.ndarray:
        return self.pool.categories @ (self.in_category == 0)  # (n,)

    def broken_by(self, row: int) -> set[str]:
        """Ceilings that the row would break beside those taken."""
        pool, limits, creator = self.pool, self.limits, self.pool.creators[row]
        broken = set()
        if (
            limits.max_per_category is not None
            and (self.in_category[pool.categories[row] > 0] >= limits.max_per_category).any()
        ):
            broken.add("max_per_category")
        if limits.max_per_creator is not None and (
            creator >= 0 and self.by_creator[creator] >= limits.max_per_creator
        ):
            broken.add("max_per_creator")
        if (
            limits.max_similarity is not None
            and (pool.likeness[row, self.taken] > limits.max_similarity).any()
        ):
            broken.add("max_similarity")
        return broken

    def may_be_completed(self, places: int) -> bool:
        """Whether counting alone does not rule out so many more rows."""
        pool, limits, left = self.pool, self.limits, np.flatnonzero(self.open)
        if len(left) < places:
            return False
        if (missing := self.missing()) > 0:
            unseen = pool.categories[left][:, self.in_category == 0]
            most = np.sort(unseen.sum(axis=1))[-places:].sum()
            if missing > most or missing > np.count_nonzero(unseen.any(axis=0)):
                return False
        if limits.max_per_creator is not None:
            by = pool.creators[left]
            there = np.bincount(by[by >= 0], minlength=pool.creator_count)
            room = np.minimum(there, limits.max_per_creator - self.by_creator).sum()
            if room + np.count_nonzero(by < 0) < places:
                return False
        if limits.max_per_category is not None:
            there = pool.categories[left].sum(axis=0)
            room = np.minimum(there, limits.max_per_category - self.in_category).clip(0).sum()
            if np.sort(pool.sizes[left])[:places].sum() > room:
                return False
        return True


class _Search:
    """Looks for k rows that keep limits: the most promising row first, then without it."""

    def __init__(self, pool: _Candidates, k: int) -> None:
        self._pool, self._k = pool, k
        self._found: dict[Limits, list[int] | None] = {}
        self._steps = 0
        self._spare = SEARCH_STEPS + MORE_STEPS
        self.unsure: set[Limits] = set()  # those for which the steps ran out

    def find(self, limits: Limits) -> list[int] | None:
        if limits not in self._found:
            # However little is left, it is enough for a search that takes no step back.
            steps = max(min(SEARCH_STEPS, self._spare), 2 * self._k)
            self._found[limits] = self.completed(_State(self._pool, limits), steps)
            self._spare -= steps - self._steps
            if self._found[limits] is None and self._steps == 0:
                self.unsure.add(limits)
        return self._found[limits]

    def completed(self, state: _State, steps: int) -> list[int] | None:
        """The rows taken, and others up to k with which they keep the limits."""
        self._steps = steps
        return self._extended(state, self._ease(state.limits))

    def _ease(self, limits: Limits) -> np.ndarray:
        """(n,) from 0: how little a row stands in the way of others, then how relevant it is."""
        pool = self._pool
        in_the_way = np.zeros(len(pool.relevance))
        if limits.max_similarity is not None:
            in_the_way += (pool.likeness > limits.max_similarity).sum(axis=1)
        if limits.max_per_category is not None:
            in_the_way += pool.categories @ pool.categories.sum(axis=0) / limits.max_per_category
        if limits.max_per_creator is not None:
            of = np.bincount(pool.creators[pool.creators >= 0], minlength=pool.creator_count)
            in_the_way += np.where(pool.creators < 0, 0, of[pool.creators]) / limits.max_per_creator
        ease = np.empty(len(in_the_way), dtype=np.int64)
        ease[np.lexsort((pool.relevance, -in_the_way))] = np.arange(len(in_the_way))
        return ease

    def _extended(self, state: _State, ease: np.ndarray) -> list[int] | None:
        places = self._k - len(state.taken)
        if places == 0:
            return state.taken if state.missing() <= 0 else None
        while self._steps > 0 and state.may_be_completed(places):
            self._steps -= 1
            promise = ease
            if (missing := state.missing()) > 0:
                promise = np.minimum(state.new_categories(), missing) * len(ease) + ease
            row = int(np.where(state.open, promise, -1).argmax())
            with_it = state.copy()
            with_it.take(row)
            if (found := self._extended(with_it, ease)) is not None:
                return found
            state.open[row] = False
        return None


class _Gate:
    """Admits a row that breaks no ceiling beside those taken; with a witness, k rows that keep the
    limits, also only if some k such rows hold it and all those taken."""

    def __init__(self, pool: _Candidates, limits: Limits, witness: list[int] | None = None) -> None:
        self._pool, self._limits, self._witness = pool, limits, witness
        self._state = _State(pool, limits)
        self.refused: set[str] = set()  # the limits for which a row was turned down

    def admits(self, row: int) -> bool:
        if broken := self._state.broken_by(row):
            self.refused |= broken
            return False
        if self._witness is None or row in self._witness:
            return True
        witness, in_the_way = self._exchanged(row)
        if witness is None:
            with_it = self._state.copy()
            with_it.take(row)
            witness = _Search(self._pool, len(self._witness)).completed(with_it, REPAIR_STEPS)
        if witness is None:
            self.refused |= in_the_way
            return False
        self._witness = witness
        return True

    def take(self, row: int) -> None:
        self._state.take(row)

    def _exchanged(self, row: int) -> tuple[list[int] | None, set[str]]:
        """The witness with this row for one that is not taken; or the limits in the way of that."""
        pool, limits, taken = self._pool, self._limits, set(self._state.taken)
        spare = np.array([r for r in self._witness if r not in taken], dtype=np.int64)
        keeps = {}
        in_category = (
            pool.categories[self._witness].sum(axis=0)
            - pool.categories[spare]
            + pool.categories[row]
        )  # (spare, c)
        if limits.min_categories:
            keeps["min_categories"] = (in_category > 0).sum(axis=1) >= limits.min_categories
        if limits.max_per_category is not None:
            keeps["max_per_category"] = (
                in_category.max(axis=1, initial=0) <= limits.max_per_category
            )
        if limits.max_per_creator is not None:
            by, creator = pool.creators[self._witness], pool.creators[row]
            of_it = np.count_nonzero(by == creator) + 1 - (pool.creators[spare] == creator)
            keeps["max_per_creator"] = (of_it <= limits.max_per_creator) | (creator < 0)
        if limits.max_similarity is not None:
            near = pool.likeness[row] > limits.max_similarity
            keeps["max_similarity"] = np.count_nonzero(near[self._witness]) - near[spare] <= 0
        fits = np.logical_and.reduce([*keeps.values(), np.ones(len(spare), dtype=bool)])
        if fits.any():
            out = spare[fits][pool.relevance[spare[fits]].argmin()]
            return [r for r in self._witness if r != out] + [row], set()
        always = {name for name, kept in keeps.items() if not kept.any()}
        return None, always or {name for name, kept in keeps.items() if not kept.all()}
