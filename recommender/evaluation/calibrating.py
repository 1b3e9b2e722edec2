"""What each strategy keeps and brings at each strength, by what people took up afterwards.

Each person's pool is ranked once and diversified at every strength; lists are scored by feedback
that was held out. What a strategy keeps is made to fall with its strength (isotonic regression, by
pooling neighbours: Ayer et al. 1955, doi:10.1214/aoms/1177728423), since where it seems to rise
that is chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np

from recommender.diversity import STRATEGIES, Curve, Limits, Point, diversify
from recommender.diversity.measures import category_distance, relevance_kept, vector_distance
from recommender.evaluation import metrics
from recommender.evaluation.replay import Past, case, rows_by_person
from recommender.ranking.assemble import membership
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Person, Pool, Rules, aspects_of, likeness_of, rank

AT = 10  # length of the lists
STRENGTHS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PLAIN = ("none", 0.0)  # the order of relevance, which comes first
SETTINGS = (PLAIN, *product(STRATEGIES, STRENGTHS))
MEASURES = (
    "ndcg",
    "relevance",  # DCG of the list by its own relevance, beside that of the order of relevance
    "vector_distance",
    "category_distance",
    "alpha_ndcg",
    "miscalibration",
)
DISTANCES = ("vector_distance", "category_distance")  # that a choice is made by
DRAWS = 1000


@dataclass(frozen=True)
class Measured:
    """values  (people, SETTINGS, MEASURES)"""

    values: np.ndarray

    def kept(self) -> np.ndarray:
        """(SETTINGS, 3) NDCG beside that of the order of relevance: the ratio of the means, and
        the 95 % interval of it over people. Raises ValueError where the latter is 0."""
        ndcg = self.values[:, :, MEASURES.index("ndcg")]
        plain = ndcg[:, 0].mean()
        if plain <= 0:
            raise ValueError("the order of relevance finds nothing")
        n = len(ndcg)
        times = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)
        drawn = times @ ndcg  # (draws, settings)
        drawn = drawn[drawn[:, 0] > 0]
        low, high = np.quantile(drawn / drawn[:, :1], [0.025, 0.975], axis=0)
        return np.stack([ndcg.mean(axis=0) / plain, low, high], axis=1)

    def means(self) -> np.ndarray:
        """(SETTINGS, MEASURES)"""
        return self.values.mean(axis=0)

    def diversity(self) -> np.ndarray:
        """(SETTINGS,) the distances beside those of the order of relevance, their mean."""
        distances = self.means()[:, [MEASURES.index(name) for name in DISTANCES]]
        there = distances[0] > 0
        if not there.any():
            return np.ones(len(distances))
        return (distances[:, there] / distances[0, there]).mean(axis=1)

    def curve(self) -> Curve:
        """Diversity is 1 of the order of relevance."""
        kept, diversity = self.kept()[:, 0], self.diversity()
        points = []
        for strategy in STRATEGIES:
            rows = [row for row, setting in enumerate(SETTINGS) if setting[0] == strategy]
            smooth = np.minimum(falling(kept[rows]), 1.0)  # what seems to gain is chance
            points.append(Point(strategy, 0.0, 1.0, 1.0))
            points += [
                Point(strategy, SETTINGS[row][1], round(float(share), 5), float(diversity[row]))
                for row, share in zip(rows, smooth, strict=True)
            ]
        return Curve(tuple(points))


def as_json(measured: Measured) -> dict:
    """What is kept of a measurement: numbers for a picture, and the curve that a request reads."""
    means, kept = measured.means(), measured.kept()
    return {
        "at": AT,
        "points": [
            {"strategy": strategy, "strength": strength}
            | {"kept": [round(float(number), 5) for number in kept[row]]}
            | {n: round(float(v), 5) for n, v in zip(MEASURES, means[row], strict=True)}
            for row, (strategy, strength) in enumerate(SETTINGS)
        ],
        "curve": [list(astuple(point)) for point in measured.curve().points],
    }


def measure(
    past: Past,
    model: Model,
    targets: dict[int, np.ndarray],
    *,
    limits: Limits,
    pool_size: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Every setting of SETTINGS for each of these people, who all have a history.

    targets  person → items that they took up afterwards, at least one
    """
    categories = membership(past.library.category_ids)
    rows_of = rows_by_person(past.events.people)
    values = []
    for person, wanted in targets.items():
        history = rows_of[person]
        who, pool = case(past, history, model, pool_size=pool_size)
        before = [past.of_item.get(int(item), -1) for item in past.events.items[history]]
        had = categories[[row for row in before if row >= 0]]
        of_pool = categories[[past.of_item[int(item)] for item in pool.ids]]
        values.append(_values(who, pool, model, wanted, of_pool, had, limits))
        progress(1)
    return Measured(np.array(values, dtype=np.float32))


def _values(
    person: Person,
    pool: Pool,
    model: Model,
    wanted: np.ndarray,
    categories: np.ndarray,
    had: np.ndarray,
    limits: Limits,
) -> np.ndarray:
    """(SETTINGS, MEASURES) of one person; categories (n, c) of the pool and had (h, c) of what the
    person had are columns of the same categories."""
    rules = Rules(limit=AT, diversity=0.0, limits=limits, model=model)
    ranked = rank(person, pool, rules)
    likeness, aspects = (
        likeness_of(pool, rules),
        dict(zip(pool.ids.tolist(), categories, strict=True)),
    )

    def measured(order: np.ndarray) -> Sequence[float]:
        shown = pool.ids[order]
        return (
            metrics.ndcg(shown, wanted, AT),
            relevance_kept(order, ranked.relevance),
            vector_distance(pool.vectors[order]),
            category_distance(categories[order]),
            metrics.alpha_ndcg(shown, wanted, aspects, AT),
            metrics.miscalibration(categories[order], had),
        )

    values = [measured(ranked.order)]
    for strategy, strength in SETTINGS[1:]:
        aspects_for, mix = aspects_of(person, pool, replace(rules, strategy=strategy))
        chosen = diversify(
            likeness,
            ranked.relevance,
            AT,
            strategy=strategy,
            budget=1.0,
            at_most=strength,
            limits=limits,
            categories=pool.categories,
            creators=pool.creators,
            aspects=aspects_for,
            mix=mix,
        )
        values.append(measured(chosen.order))
    return np.array(values)


def falling(values: np.ndarray) -> np.ndarray:
    """(n,) the nearest values, by squares, none of which is above the one before it.

    >>> falling(np.array([1.0, 0.8, 0.9, 0.5])).round(2).tolist()
    [1.0, 0.85, 0.85, 0.5]
    """
    blocks: list[tuple[float, int]] = []  # mean and number of neighbours that are one
    for value in values:
        mean, count = float(value), 1
        while blocks and blocks[-1][0] < mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in blocks] or [np.zeros(0)])
