"""What each kind of feedback weighs: the defaults, but where an operator changed one."""

import json
from collections.abc import Mapping

import numpy as np
from django.db import connection

from recommender.candidates.signals import KINDS, kind_weights
from recommender.models import KindWeight

# {"view": 0.2, …} as text; a few rows, so that a request can read them along.
CHANGED_WEIGHTS = """
    SELECT coalesce(json_object_agg(kind, weight), '{}')::text
    FROM recommender_kindweight WHERE weight IS NOT NULL"""


def weights_of_kinds() -> np.ndarray:
    """(kinds,) float64, by candidates.signals.KINDS: the weights that are in force."""
    with connection.cursor() as cursor:
        cursor.execute(CHANGED_WEIGHTS)
        return kind_weights(json.loads(cursor.fetchone()[0]))


def put_kind_weights(weights: Mapping[str, float | None]) -> int:
    """Change weights, None for the default; answer how many are another now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_kindweight k SET weight = n.weight"
            " FROM unnest(%s::text[], %s::float8[]) AS n (kind, weight)"
            " WHERE k.kind = n.kind AND k.weight IS DISTINCT FROM n.weight",
            [list(weights), list(weights.values())],
        )
        return cursor.rowcount


def list_kinds() -> None:
    """Have a row for each kind, so that an operator sees all; none before there is a table."""
    if KindWeight._meta.db_table in connection.introspection.table_names():
        KindWeight.objects.bulk_create(
            [KindWeight(kind=kind) for kind in KINDS], ignore_conflicts=True
        )
