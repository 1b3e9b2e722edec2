"""Interests of a person: what was learned of them, and what they switched off."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from recommender.candidates.silenced import Silenced
from recommender.models import Candidates, Interest, InterestChoice
from recommender.store.sql import as_text, from_binary

SAME = 0.9  # cosine of an interest that is learned anew to what it was

# What a person switched off; the vector where it can be compared with those of the active space.
SILENCED = """
    SELECT json_agg(json_build_object('items', c.item_ids, 'reach', c.reach,
        'vector', CASE WHEN s.id IS NOT NULL THEN encode(halfvec_send(c.embedding), 'hex') END)
        ORDER BY c.id)::text
    FROM recommender_interestchoice c LEFT JOIN recommender_embeddingspace s
        ON s.id = c.space_id AND s.status = 'active' AND s.modality = 'text'
    WHERE c.user_id = %s"""


def silenced_of(text: str | None, dimension: int) -> Silenced:
    """From a row of SILENCED."""
    rows = json.loads(text or "[]")
    seen = [row for row in rows if row["vector"]]
    return Silenced(
        np.array([item for row in rows for item in row["items"]], dtype=np.int64),
        from_binary([bytes.fromhex(row["vector"]) for row in seen], dimension),
        np.array([row["reach"] for row in seen], dtype=np.float32),
    )


def interests_of(user_id: int) -> list[Interest]:
    return list(Interest.objects.filter(user_id=user_id).order_by("position"))


@dataclass(frozen=True)
class InterestTold:
    """An interest as it is shown. state  on: lists go by it; off; or removed, and can come back"""

    id: UUID
    words: dict  # see store.describe
    weight: float  # of all that the person likes, when it was learned
    state: str


def told_interests(user_id: int) -> list[InterestTold]:
    """Those that lists go by, the weightiest first; then, in the order of choosing, the others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uuid, words::text, weight, 'on' AS state, 0 AS chosen, position AS n"
            " FROM recommender_interest WHERE user_id = %s UNION ALL SELECT uuid, words::text,"
            " weight, CASE WHEN is_removed THEN 'removed' ELSE 'off' END, 1, id"
            " FROM recommender_interestchoice WHERE user_id = %s ORDER BY chosen, n",
            [user_id, user_id],
        )
        return [
            InterestTold(uuid, json.loads(words), weight, state)
            for uuid, words, weight, state, *_ in cursor.fetchall()
        ]


def interest_choices(user_id: int) -> list[InterestChoice]:
    """In the order of choosing."""
    return list(InterestChoice.objects.filter(user_id=user_id).order_by("id"))


def replace_interests(
    space_id: int,
    user_id: int,
    vectors: np.ndarray,
    weights: Sequence[float],
    words: Sequence[dict],
) -> None:
    """One that is what it was keeps its public id. Call in a transaction."""
    vectors = np.asarray(vectors, dtype=np.float32)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uuid, halfvec_send(embedding) FROM recommender_interest i"
            " WHERE user_id = %s AND space_id = %s AND NOT EXISTS (SELECT 1 FROM"
            " recommender_interestchoice c WHERE c.user_id = i.user_id AND c.uuid = i.uuid)"
            " ORDER BY position",
            [user_id, space_id],
        )
        known = _same(vectors, cursor.fetchall())
        cursor.execute("DELETE FROM recommender_interest WHERE user_id = %s", [user_id])
        cursor.execute(
            "INSERT INTO recommender_interest"
            " (uuid, user_id, space_id, position, weight, embedding, words)"
            " SELECT coalesce(uuid, gen_random_uuid()), %s, %s, n - 1, weight, embedding::halfvec,"
            " words::jsonb FROM unnest(%s::uuid[], %s::float8[], %s::text[], %s::text[])"
            " WITH ORDINALITY AS t (uuid, weight, embedding, words, n)",
            [
                *[user_id, space_id],
                [known.get(position) for position in range(len(vectors))],
                [float(weight) for weight in weights],
                [as_text(vector) for vector in vectors],
                [json.dumps(said) for said in words],
            ],
        )


def _same(vectors: np.ndarray, former: Sequence[tuple[UUID, bytes]]) -> dict[int, UUID]:
    """Position → the public id of the former interest that it is, the nearest pairs first."""
    if not former or not len(vectors):
        return {}
    cosines = vectors @ from_binary([row for _, row in former], vectors.shape[1]).T
    known: dict[int, UUID] = {}
    for at in np.argsort(-cosines, axis=None, kind="stable"):
        position, number = divmod(int(at), len(former))
        if cosines[position, number] < SAME:
            break
        if position not in known and former[number][0] not in known.values():
            known[position] = former[number][0]
    return known


def silence_interest(learned: Interest, item_ids: Sequence[int], reach: float) -> InterestChoice:
    """Keep an interest as switched off, and nothing that was learned with it. Call in a
    transaction.

    item_ids, reach  see candidates.silenced
    """
    choice = InterestChoice.objects.create(
        uuid=learned.uuid,
        user_id=learned.user_id,
        space_id=learned.space_id,
        embedding=learned.embedding,
        reach=reach,
        item_ids=[int(item) for item in item_ids],
        words=learned.words,
        weight=learned.weight,
    )
    learned.delete()
    Candidates.objects.filter(user_id=learned.user_id).delete()
    return choice


def mark_interest(choice: InterestChoice, *, is_removed: bool) -> None:
    choice.is_removed = is_removed
    choice.save(update_fields=["is_removed"])


def bring_back_interest(choice: InterestChoice) -> None:
    """As it was, until it is learned anew."""
    with transaction.atomic():
        choice.delete()
        rows = Interest.objects.filter(user_id=choice.user_id)
        last = rows.order_by("-position").values_list("position", flat=True).first()
        if choice.space_id is not None:
            Interest.objects.create(
                uuid=choice.uuid,
                user_id=choice.user_id,
                space_id=choice.space_id,
                position=0 if last is None else last + 1,
                weight=choice.weight,
                embedding=choice.embedding,
                words=choice.words,
            )
