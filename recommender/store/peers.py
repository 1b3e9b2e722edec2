"""People of like taste: what is kept to find them, and what they did, without a name or an id.

Who is near is found by reading the factors of everybody, which a worker does in 0.0 s among 10⁵
people; an index would have to be kept up with every piece of feedback to save little of that.
"""

from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from recommender.models import PersonFactors
from recommender.store.people import AGREED, NEWEST, History, history_of, still_there
from recommender.store.sql import as_text


@dataclass(frozen=True)
class Peer:
    """Somebody of like taste."""

    likeness: float  # cosine, above 0
    history: History


def put_factors(user_id: int, version: int | None, factors: np.ndarray) -> None:
    """Keep where a person stands, unless the account was closed meanwhile; zeros keep nothing.

    factors  (f,) unit length or zeros, of the version
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if version is None or not factors.any():
            PersonFactors.objects.filter(pk=user_id).delete()
        elif still_there(cursor, user_id):
            cursor.execute(
                "INSERT INTO recommender_personfactors (user_id, version_id, factors)"
                " SELECT %s, id, %s::halfvec FROM recommender_modelversion WHERE id = %s"
                " ON CONFLICT (user_id) DO UPDATE SET version_id = excluded.version_id,"
                " factors = excluded.factors, folded_in_at = now()",
                [user_id, as_text(factors), version],
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
