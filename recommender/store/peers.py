"""People of like taste: what is kept to find them, and what they did, without a name or an id.

Who is near is found by comparing with everybody, so no index is kept up with every piece of
feedback. Where people are many a worker keeps for some seconds where they stand, and compares with
a sample of very many.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from catalog.services import AGREED
from recommender.models import PersonFactors
from recommender.store.people import NEWEST, History, history_of
from recommender.store.sql import as_text, counted

PEOPLE_TOGETHER = 1000  # written by one statement
MOST_COMPARED = 200_000  # people, 52 MB of a worker with 64 factors
PEOPLE_A_SECOND = 10_000  # so many are kept for a second, 10⁵ for ten; a few are read each time


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
    crowd = _crowd_of(version, len(factors))
    likeness = np.where(crowd.ids == user_id, 0.0, crowd.factors @ factors.astype(np.float32))
    nearest = np.flatnonzero(likeness > 0)
    if len(nearest) > limit:
        least = np.partition(likeness[nearest], -limit)[-limit]
        nearest = nearest[likeness[nearest] >= least]
    nearest = nearest[np.lexsort((crowd.ids[nearest], -likeness[nearest]))][:limit]
    if len(nearest) == 0:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.likeness, h.*"
            " FROM unnest(%s::bigint[], %s::float8[]) AS n (user_id, likeness)"
            " JOIN catalog_user u ON u.id = n.user_id"
            f" CROSS JOIN LATERAL ({NEWEST.format(user='u.id')}) h"
            f" WHERE u.erased_at IS NULL AND {AGREED} ORDER BY n.likeness DESC, n.user_id",
            [crowd.ids[nearest].tolist(), likeness[nearest].tolist(), history],
        )
        return [Peer(likeness, history_of(*rest)) for likeness, *rest in cursor.fetchall()]


@dataclass(frozen=True)
class _Crowd:
    """Where people stand by a version, as this process read it a moment ago."""

    version: int
    ids: np.ndarray  # (p,) int64
    factors: np.ndarray  # (p, f) float32 unit rows
    until: float  # time.monotonic() up to which it is used


_kept: _Crowd | None = None


def _crowd_of(version: int, width: int) -> _Crowd:
    """Of more than MOST_COMPARED people a sample of about so many, by pages of the table.

    What somebody withdrew is not asked for, however old this is: see peers().
    """
    global _kept
    if _kept and _kept.version == version and time.monotonic() < _kept.until:
        return _kept
    row = np.dtype([("id", ">i8"), ("head", ">i2", 2), ("factors", ">f2", width)])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(int8send(user_id) || halfvec_send(factors), ''::bytea)"
            " FROM recommender_personfactors TABLESAMPLE SYSTEM (least(100, %s / greatest(1,"
            "   (SELECT reltuples FROM pg_class"
            "    WHERE oid = 'recommender_personfactors'::regclass))))"
            " WHERE version_id = %s AND vector_dims(factors) = %s",
            [100.0 * MOST_COMPARED, version, width],
        )
        (data,) = cursor.fetchone()
    rows = np.frombuffer(data or b"", dtype=row)
    factors = rows["factors"].astype(np.float32)
    factors /= np.linalg.norm(factors, axis=1, keepdims=True)
    until = time.monotonic() + len(rows) // PEOPLE_A_SECOND
    _kept = _Crowd(version, rows["id"].astype(np.int64), factors, until)
    return _kept
