"""A diverse list from a queryset of any Django model with a pgvector field.

For projects of one's own: nothing here knows the models of Medley, nor needs them installed. The
database finds the nearest rows, recommender.diversity chooses among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import DataError, connections, transaction
from django.db.models import F, Model, QuerySet
from pgvector.django import CosineDistance, HalfVectorField, VectorField

from recommender.diversity import Diversified, Limits, diversify

POOL_FACTOR = 10  # candidates for each row of the list
SMALLEST_POOL = 100
MOST_EF_SEARCH = 1_000  # that pgvector allows


@dataclass(frozen=True)
class DiverseRows:
    """A list of rows in the order to show, how relevant each is, and how the list came about."""

    rows: list[Model]
    relevance: list[float]
    chosen: Diversified  # .cost, .binding, .unmet and more; its order counts the candidates


def diverse(
    queryset: QuerySet,
    field: str,
    k: int,
    *,
    near: Sequence[float] | None = None,
    relevance: str | None = None,
    categories: str | None = None,
    creator: str | None = None,
    pool_size: int | None = None,
    strategy: str = "mmr",
    diversity: float | None = None,
    budget: float | None = None,
    limits: Limits | None = None,
) -> DiverseRows:
    """Up to k rows of a queryset that are relevant and do not repeat each other.

    queryset    filtered as you like, not sliced; select_related and prefetch_related are kept
    field       name of its VectorField or HalfVectorField; rows without a vector are left out
    near        a vector: the nearest by cosine are the candidates, and relevance is that cosine
    relevance   or the name of a number, a field or an annotation: those with most of it are the
                candidates, those without are left out. One of the two is needed
    categories  a field or relation, of many rows too, such as "tags" or "category__parent"; for
                limits, xquad and calibrated
    creator     the same of one row, for max_per_creator
    pool_size   how many candidates; else ten for each row of the list, at least 100
    strategy, diversity, budget, limits  see diversity.diversify()
    One statement for the candidates and one each for categories and creators, however many rows
    there are. With `near` there is one more, in the same transaction: an index must go on where a
    filter leaves it too little (hnsw.iterative_scan, pgvector 0.8). Equal rows and inputs give
    equal lists. Raises ValueError for what cannot be answered, FieldError for a name that the model
    does not have
    """
    if (near is None) == (relevance is None):
        raise ValueError("give a vector to be near to, or the name of a relevance")
    if queryset.query.is_sliced or queryset._fields is not None:
        raise ValueError("give a queryset of rows that is not sliced; its length is k")
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise ValueError(f"k must be a whole number of at least 0, got {k!r}")
    if not isinstance(queryset.model._meta.get_field(field), VectorField | HalfVectorField):
        raise ValueError(f"{field} of {queryset.model.__name__} holds no vectors of pgvector")
    size = max(POOL_FACTOR * k, SMALLEST_POOL) if pool_size is None else max(pool_size, k)
    if near is None:
        rows, scores = _most_relevant(queryset, field, relevance, size)
    else:
        rows, scores = _nearest(queryset, field, near, size)
    vectors = np.array([getattr(row, field) for row in rows] or np.zeros((0, 1)), dtype=np.float32)
    ids = [row.pk for row in rows]
    chosen = diversify(
        vectors,
        scores,
        k,
        strategy=strategy,
        diversity=diversity,
        budget=budget,
        limits=limits,
        categories=_membership(queryset, ids, categories) if categories else None,
        creators=_numbers(queryset, ids, creator) if creator else None,
    )
    return DiverseRows(
        [rows[row] for row in chosen.order],
        [float(scores[row]) for row in chosen.order],
        chosen,
    )


def _nearest(
    queryset: QuerySet, field: str, near: Sequence[float], size: int
) -> tuple[list[Model], np.ndarray]:
    vector = np.asarray(near, dtype=np.float32)
    if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
        raise ValueError("near must be one vector of finite numbers that are not all 0")
    using = queryset.db
    distance = CosineDistance(field, vector.tolist())
    with transaction.atomic(using=using):
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
                " set_config('ivfflat.iterative_scan', 'relaxed_order', true),"
                " set_config('hnsw.ef_search', %s, true)",
                [str(min(max(size, 1), MOST_EF_SEARCH))],
            )
        # An index answers an order by the distance alone, so rows of equal distance are put in
        # order here.
        try:
            rows = list(
                queryset.filter(**{f"{field}__isnull": False})
                .annotate(_medley_distance=distance)
                .order_by("_medley_distance")[:size]
            )
        except DataError as error:  # of another number of dimensions
            raise ValueError(f"near does not fit {field}: {error}") from None
    rows.sort(key=lambda row: (row._medley_distance, row.pk))
    rows = [row for row in rows if np.isfinite(row._medley_distance)]  # nan of a vector of zeros
    cosine = 1.0 - np.array([row._medley_distance for row in rows], dtype=np.float64)
    return rows, np.clip(cosine, 0.0, 1.0)


def _most_relevant(
    queryset: QuerySet, field: str, relevance: str, size: int
) -> tuple[list[Model], np.ndarray]:
    rows = list(
        queryset.filter(**{f"{field}__isnull": False})
        .annotate(_medley_relevance=F(relevance))
        .filter(_medley_relevance__isnull=False)
        .order_by("-_medley_relevance", "pk")[:size]
    )
    return rows, np.array([row._medley_relevance for row in rows], dtype=np.float64)


def _values(queryset: QuerySet, ids: Sequence, path: str) -> list[tuple]:
    """(primary key, value) for each value of a path, of a relation to many too: one statement."""
    base = queryset.model._base_manager.using(queryset.db)
    found = []
    for key, value in base.filter(pk__in=ids).order_by("pk", path).values_list("pk", path):
        found += [(key, one) for one in value] if isinstance(value, list) else [(key, value)]
    return [(key, value) for key, value in found if value is not None]


def _membership(queryset: QuerySet, ids: Sequence, path: str) -> np.ndarray:
    """(n, c) bool: which row is of which of the categories that occur."""
    found = _values(queryset, ids, path)
    columns = {value: n for n, value in enumerate(dict.fromkeys(value for _, value in found))}
    row_of = {key: n for n, key in enumerate(ids)}
    table = np.zeros((len(ids), len(columns)), dtype=bool)
    for key, value in found:
        table[row_of[key], columns[value]] = True
    return table


def _numbers(queryset: QuerySet, ids: Sequence, path: str) -> np.ndarray:
    """(n,) int64: a number for each creator, the first of several, -1 without."""
    first = dict(reversed(_values(queryset, ids, path)))
    numbers = {value: n for n, value in enumerate(dict.fromkeys(first.values()))}
    return np.array([numbers[first[key]] if key in first else -1 for key in ids], dtype=np.int64)
