"""People of like taste: what is kept to find them, and what they did, without a name or an id.

Who is near is found by reading the factors of everybody: 35 ms of a worker with 10⁵ people, so no
index is kept up with every piece of feedback.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from catalog.services import AGREED
from recommender.models import PersonFactors
from recommender.store.people import NEWEST, History, history_of
from recommender.store.sql import as_text, counted

PEOPLE_TOGETHER = 1000  # written by one statement


@dataclass(frozen=True)
class Peer:
    """Somebody of like taste."""

    likeness: float  # cosine, above 0
    history: History


def put_factors(version: int | None, user_ids: Sequence[int], factors: np.ndarray) -> None:
    """Keep where people stand, of those who count in what is learned for all, see store/sql.py.

    factors  (p, f) of the version, unit rows; nothing is kept of somebody with a row of zeros
    """
    known = factors.any(axis=1) & (version is not None)
    users, rows = np.asarray(user_ids, dtype=np.int64)[known].tolist(), factors[known]
    with transaction.atomic(), connection.cursor() as cursor:
        PersonFactors.objects.filter(pk__in=np.asarray(user_ids)[~known].tolist()).delete()
        for start in range(0, len(users), PEOPLE_TOGETHER):
            some = slice(start, start + PEOPLE_TOGETHER)
            cursor.execute(
                "INSERT INTO recommender_personfactors (user_id, version_id, factors)"
                " SELECT u.id, %s, f.factors::halfvec"
                " FROM unnest(%s::bigint[], %s::text[]) AS f (user_id, factors)"
                " JOIN catalog_user u ON u.id = f.user_id"
                f" WHERE {counted()}"
                " ORDER BY u.id FOR KEY SHARE OF u"  # two writers lock rows in one order
                " ON CONFLICT (user_id) DO UPDATE SET version_id = excluded.version_id,"
                " factors = excluded.factors, folded_in_at = now()",
                [version, users[some], [as_text(row) for row in rows[some]]],
            )


def peers(
    user_id: int, version: int | None, factors: np.ndarray, *, limit: int, history: int
) -> list[Peer]:
    """The people nearest to another, of those about whom something may be concluded.

    factors  (f,) unit length of the version; of zeros nobody is near
    limit    people; fewer when some of the nearest withdrew their consent a moment ago
    history  newest feedback of each
    """
    if version is None or not factors.any():
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH nearest AS MATERIALIZED ("
            "  SELECT user_id, 1 - (factors <=> %s::halfvec) AS likeness"
            "  FROM recommender_personfactors WHERE version_id = %s AND user_id <> %s"
            "  ORDER BY likeness DESC, user_id LIMIT %s)"
            " SELECT n.likeness, h.* FROM nearest n JOIN catalog_user u ON u.id = n.user_id"
            f" CROSS JOIN LATERAL ({NEWEST.format(user='u.id')}) h"
            f" WHERE n.likeness > 0 AND u.erased_at IS NULL AND {AGREED}"
            " ORDER BY n.likeness DESC, n.user_id",
            [as_text(factors), version, user_id, limit, history],
        )
        return [Peer(likeness, history_of(*rest)) for likeness, *rest in cursor.fetchall()]
