"""Every query on vectors and on what was learned. Arrays come in and go out.

Space ids and dimensions stand in the SQL as literals: as parameters under a generic plan the
partial index of a space would not be used. Person-side and item-side tables are never joined, so
that each side can be sharded on its own.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from catalog.models import Item
from catalog.uuid7 import uuid7
from recommender.candidates.fusion import CONSTANT
from recommender.candidates.signals import KINDS
from recommender.models import (
    EmbeddingSpace,
    Interest,
    ItemEmbedding,
    Preference,
    Served,
)

HISTORY = 100  # newest feedback a request learns from
VOTERS = 50  # newest of it whose neighbours vote
EF_SEARCH = 120  # of the lists of one request, each of which is shorter
SCAN_TUPLES = 40_000  # how far a filtered vector search may go on
LIVE = "retracted_at IS NULL AND superseded_at IS NULL"
SHOWN = "i.is_available AND i.removed_at IS NULL"
MOMENT = "coalesce(i.published_at, i.created_at)"


# --- vectors in and out -----------------------------------------------------------------------


def as_text(vector: np.ndarray) -> str:
    """A vector as pgvector reads it, with the digits that halfvec keeps."""
    return "[" + ",".join(f"{x:.5g}" for x in vector.tolist()) + "]"


def from_binary(rows: Sequence[bytes | memoryview | None], dimension: int) -> np.ndarray:
    """(n, dimension) float32 from the wire form of halfvec; a row of zeros where there is none.

    The wire form is int16 dimension, int16 unused, then big-endian half floats.
    """
    missing = bytes(4 + 2 * dimension)
    joined = b"".join(missing if row is None else row for row in rows)
    raw = np.frombuffer(joined, dtype=">f2").reshape(len(rows), dimension + 2)
    return raw[:, 2:].astype(np.float32)


# --- spaces -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Space:
    """What a statement needs to know of a space: both are literals in it."""

    id: int
    dimension: int

    @property
    def column(self) -> str:
        return f"e.embedding::halfvec({int(self.dimension)})"

    @property
    def index(self) -> str:
        return f"itemembedding_space_{int(self.id)}_hnsw"


def active_space(modality: str = "text") -> EmbeddingSpace | None:
    return EmbeddingSpace.objects.filter(modality=modality, status="active").first()


def spaces() -> list[EmbeddingSpace]:
    return list(EmbeddingSpace.objects.order_by("id"))


def create_space(**fields) -> EmbeddingSpace:
    return EmbeddingSpace.objects.create(**fields)


def activate(space: EmbeddingSpace) -> None:
    """Make this the space of its modality: one step for all who read."""
    with transaction.atomic():
        EmbeddingSpace.objects.filter(modality=space.modality, status="active").exclude(
            pk=space.pk
        ).update(status="retired")
        EmbeddingSpace.objects.filter(pk=space.pk).update(status="active")
    space.status = "active"


def index_state(space: EmbeddingSpace) -> str:
    """ "valid", "invalid" (a build was interrupted) or "missing"."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE c.relname = %s",
            [Space(space.id, space.dimension).index],
        )
        row = cursor.fetchone()
    return "missing" if row is None else "valid" if row[0] else "invalid"


def build_index(space: EmbeddingSpace) -> None:
    """Make the HNSW cosine index of a space, without blocking writers. Call in autocommit.

    An interrupted concurrent build leaves an invalid index, which IF NOT EXISTS would keep for
    ever: so it is dropped and built again.
    """
    state, it = index_state(space), Space(space.id, space.dimension)
    if state == "valid":
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        if state == "invalid":
            cursor.execute(f"DROP INDEX CONCURRENTLY {it.index}")
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {it.index} ON recommender_itemembedding"
            f" USING hnsw ((embedding::halfvec({it.dimension})) halfvec_cosine_ops)"
            f" WITH (m = 16, ef_construction = 128) WHERE space_id = {it.id}"
        )
        for name in ("statement_timeout", "lock_timeout", "maintenance_work_mem"):
            cursor.execute(f"RESET {name}")
    if index_state(space) != "valid":
        raise RuntimeError(f"the index of space {space.name} was built and is not valid")


# --- items: content and vectors ---------------------------------------------------------------


@dataclass(frozen=True)
class Content:
    """What an item says, as the encoder and the word index take it."""

    id: int
    title: str
    description: str
    published_year: int | None
    categories: list[str]
    creators: list[str]


def contents(item_ids: Sequence[int], *, lock: bool = False) -> list[Content]:
    """What items say now, in the order of their ids. `lock` keeps it so until the commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.title, i.description, extract(year FROM i.published_at)::int,"
            " ARRAY(SELECT coalesce(c.names->>'en', c.slug) FROM catalog_item_categories ic"
            "   JOIN catalog_category c ON c.id = ic.category_id WHERE ic.item_id = i.id"
            "   ORDER BY ic.id),"
            " ARRAY(SELECT c.name FROM catalog_itemcreator ic"
            "   JOIN catalog_creator c ON c.id = ic.creator_id WHERE ic.item_id = i.id"
            "   ORDER BY ic.position)"
            " FROM catalog_item i WHERE i.id = ANY(%s) AND i.removed_at IS NULL ORDER BY i.id"
            + (" FOR NO KEY UPDATE OF i" if lock else ""),
            [list(item_ids)],
        )
        return [Content(*row) for row in cursor.fetchall()]


def item_id_chunks(size: int) -> Iterator[list[int]]:
    """All items that were not removed, a chunk of ids at a time, so that memory stays flat."""
    last = 0
    while True:
        ids = list(
            Item.objects.filter(pk__gt=last, removed_at=None)
            .order_by("pk")
            .values_list("pk", flat=True)[:size]
        )
        if not ids:
            return
        yield ids
        last = ids[-1]


def count_items() -> int:
    return Item.objects.filter(removed_at=None).count()


def sample_item_ids(limit: int) -> list[int]:
    """Items spread evenly over the catalogue; the same for the same catalogue."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n,"
            " count(*) OVER () AS total FROM catalog_item WHERE removed_at IS NULL) t"
            " WHERE n %% greatest(1, total / %s) = 0 ORDER BY id LIMIT %s",
            [limit, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def fingerprints(space: EmbeddingSpace, item_ids: Sequence[int]) -> dict[int, bytes]:
    rows = ItemEmbedding.objects.filter(space=space, item_id__in=item_ids)
    return {item: bytes(mark) for item, mark in rows.values_list("item_id", "fingerprint")}


def put_embeddings(
    space: EmbeddingSpace,
    item_ids: Sequence[int],
    vectors: np.ndarray,
    fingerprints: Sequence[bytes],
) -> None:
    """Write vectors (n, d) of items, each with the fingerprint of what was encoded."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_itemembedding (item_id, space_id, embedding, fingerprint)"
            f" SELECT item_id, {int(space.id)}, embedding::halfvec({int(space.dimension)}), mark"
            " FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS t (item_id, embedding, mark)"
            " ON CONFLICT (space_id, item_id) DO UPDATE SET embedding = excluded.embedding,"
            " fingerprint = excluded.fingerprint, embedded_at = now()",
            [list(item_ids), [as_text(vector) for vector in vectors], list(fingerprints)],
        )


def put_words(rows: Sequence[tuple[int, str]], words: Sequence[str]) -> None:
    """Write what items can be found by: (item id, tsvector literal), and Latin words for typos."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_itemwords (item_id, tokens)"
            " SELECT id, tokens::tsvector FROM unnest(%s::bigint[], %s::text[]) AS t (id, tokens)"
            " ON CONFLICT (item_id) DO UPDATE SET tokens = excluded.tokens"
            " WHERE recommender_itemwords.tokens <> excluded.tokens",
            [[item for item, _ in rows], [tokens for _, tokens in rows]],
        )
        cursor.execute(
            "INSERT INTO recommender_word (word) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING",
            [sorted(set(words))],
        )


# --- a person ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """Newest live feedback of a person first, as parallel arrays."""

    item_ids: np.ndarray  # (n,) int64
    kinds: list[str]
    values: np.ndarray  # (n,) float64, nan where there is none
    moments: np.ndarray  # (n,) float64, seconds since 1970


@dataclass(frozen=True)
class PersonSide:
    """All that a request reads by the person."""

    space: Space | None
    history: History
    seen: list[int]
    candidates: list[int]
    diversity: float | None
    last_shown: list[int]


def person_side(user_id: int | None, *, history: int = HISTORY) -> PersonSide:
    """One statement; and the settings of the vector search for the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
            f" set_config('hnsw.ef_search', '{EF_SEARCH}', true),"
            f" set_config('hnsw.max_scan_tuples', '{SCAN_TUPLES}', true),"
            " (SELECT ARRAY[id, dimension] FROM recommender_embeddingspace"
            "   WHERE status = 'active' AND modality = 'text'),"
            " h.items, h.kinds, h.opinions, h.moments,"
            " (SELECT array_agg(DISTINCT item_id) FROM catalog_feedback"
            f"   WHERE user_id = %s AND {LIVE}),"
            " (SELECT item_ids FROM recommender_candidates WHERE user_id = %s),"
            " (SELECT diversity FROM recommender_preference WHERE user_id = %s),"
            " (SELECT item_ids FROM recommender_served WHERE user_id = %s"
            "   ORDER BY served_at DESC LIMIT 1)"
            " FROM (SELECT array_agg(item_id), array_agg(kind), array_agg(value),"
            "   array_agg(extract(epoch FROM occurred_at)::float8) FROM (SELECT * FROM"
            f"   catalog_feedback WHERE user_id = %s AND {LIVE}"
            "   ORDER BY occurred_at DESC, id DESC LIMIT %s) newest)"
            " AS h (items, kinds, opinions, moments)",
            [user_id, user_id, user_id, user_id, user_id, history],
        )
        (*_, space, items, kinds, values, moments, seen, candidates, diversity, shown) = (
            cursor.fetchone()
        )
    return PersonSide(
        space=Space(*space) if space else None,
        history=History(
            np.array(items or [], dtype=np.int64),
            kinds or [],
            np.array(values or [], dtype=np.float64),  # None becomes nan
            np.array(moments or [], dtype=np.float64),
        ),
        seen=seen or [],
        candidates=candidates or [],
        diversity=diversity,
        last_shown=shown or [],
    )


@dataclass(frozen=True)
class Touched:
    """Items a person gave feedback on, in the order asked for."""

    vectors: np.ndarray  # (n, d) float32, zeros where there is none yet
    neighbour_ids: np.ndarray  # (n, 100) int64, -1 where there is none
    neighbour_weights: np.ndarray  # (n, 100) float32
    titles: list[str]
    uuids: list[UUID]


NEIGHBOURS = 100


def touched(space: Space | None, item_ids: Sequence[int], *, voters: int = VOTERS) -> Touched:
    """Vectors and titles of items, and neighbours of the first `voters` of them."""
    space = space or Space(0, 1)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT q.n, i.title, i.uuid, halfvec_send(e.embedding), n.ids, n.weights"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS q (id, n)"
            " JOIN catalog_item i ON i.id = q.id"
            " LEFT JOIN recommender_itemembedding e"
            f"   ON e.item_id = q.id AND e.space_id = {int(space.id)}"
            " LEFT JOIN recommender_neighbours n ON n.item_id = q.id AND q.n <= %s ORDER BY q.n",
            [list(item_ids), voters],
        )
        rows = cursor.fetchall()
    ids = np.full((len(rows), NEIGHBOURS), -1, dtype=np.int64)
    weights = np.zeros((len(rows), NEIGHBOURS), dtype=np.float32)
    for at, row in enumerate(rows):
        if row[4]:
            ids[at, : len(row[4])] = row[4]
            weights[at, : len(row[5])] = row[5]
    return Touched(
        from_binary([row[3] for row in rows], space.dimension),
        ids,
        weights,
        [row[1] for row in rows],
        [row[2] for row in rows],
    )


# --- candidates -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Where candidates come from, with its say in the fusion by reciprocal rank."""

    weight: float
    vector: np.ndarray | None = None  # nearest to it
    item_ids: Sequence[int] | None = None  # or these, best first
    order: str | None = None  # or "popular", "new"
    limit: int = 200


@dataclass(frozen=True)
class Found:
    """A pool of candidates with what ranking and the page need, best fused first."""

    ids: np.ndarray  # (n,) int64
    uuids: list[UUID]
    vectors: np.ndarray  # (n, d) float32, zeros where there is none yet
    category_ids: list[list[int]]
    creators: np.ndarray  # (n,) int64 first creator, -1 without
    popularity: np.ndarray  # (n,) float32
    moments: np.ndarray  # (n,) float64 seconds since 1970: published, else arrived
    now: float  # the database's clock, seconds since 1970


def find(
    space: Space | None,
    sources: Sequence[Source],
    *,
    seen: Sequence[int],
    limit: int,
) -> Found:
    """Candidates of all sources that may be shown, fused by reciprocal rank: one statement."""
    branches, params = [], [list(seen)]
    unseen = "NOT IN (SELECT id FROM seen)"
    for number, source in enumerate(sources):
        if source.vector is not None and space is not None:
            distance = f"{space.column} <=> %s::halfvec({int(space.dimension)})"
            branches.append(
                f"SELECT item_id, {number} AS source, row_number() OVER (ORDER BY distance,"
                f" item_id) AS rank FROM (SELECT e.item_id, {distance} AS distance"
                f" FROM recommender_itemembedding e JOIN catalog_item i ON i.id = e.item_id"
                f" WHERE e.space_id = {int(space.id)} AND {SHOWN} AND e.item_id {unseen}"
                f" ORDER BY {distance} LIMIT {int(source.limit)}) nearest"
            )
            text = as_text(source.vector)
            params += [text, text]
        elif source.item_ids is not None:
            branches.append(
                f"SELECT id, {number}, n FROM unnest(%s::bigint[]) WITH ORDINALITY AS q (id, n)"
                f" WHERE id {unseen}"
            )
            params.append([int(item) for item in source.item_ids])
        elif source.order == "popular":
            branches.append(
                f"SELECT item_id, {number}, row_number() OVER (ORDER BY score DESC, item_id)"
                " FROM (SELECT p.item_id, p.score FROM recommender_popularity p"
                f" JOIN catalog_item i ON i.id = p.item_id WHERE {SHOWN} AND p.item_id {unseen}"
                f" ORDER BY p.score DESC LIMIT {int(source.limit)}) popular"
            )
        elif source.order == "new":
            branches.append(
                f"SELECT id, {number}, row_number() OVER (ORDER BY moment DESC, id)"
                f" FROM (SELECT i.id, {MOMENT} AS moment FROM catalog_item i"
                f" WHERE {SHOWN} AND i.id {unseen} ORDER BY {MOMENT} DESC, i.id"
                f" LIMIT {int(source.limit)}) newest"
            )
    if not branches:
        return _empty(space)
    say = " ".join(f"WHEN {n} THEN {source.weight:.6f}" for n, source in enumerate(sources))
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH seen AS MATERIALIZED (SELECT unnest(%s::bigint[]) AS id),"
            f" found (item_id, source, rank) AS ({' UNION ALL '.join(f'({b})' for b in branches)}),"
            " fused AS (SELECT f.item_id,"
            f" sum((CASE f.source {say} END) / ({CONSTANT} + f.rank)) AS score FROM found f"
            f" JOIN catalog_item i ON i.id = f.item_id WHERE {SHOWN}"
            f" GROUP BY f.item_id ORDER BY score DESC, f.item_id LIMIT {int(limit)})"
            + _COLUMNS.format(space=space.id if space else 0)
            + " FROM fused f JOIN catalog_item i ON i.id = f.item_id"
            + _JOINS.format(space=space.id if space else 0)
            + " ORDER BY f.score DESC, f.item_id",
            params,
        )
        return _found(cursor.fetchall(), space)


_COLUMNS = (
    " SELECT i.id, i.uuid, halfvec_send(e.embedding),"
    " ARRAY(SELECT ic.category_id FROM catalog_item_categories ic WHERE ic.item_id = i.id),"
    " coalesce((SELECT c.creator_id FROM catalog_itemcreator c WHERE c.item_id = i.id"
    "   ORDER BY c.position LIMIT 1), -1),"
    " coalesce(p.score, 0), extract(epoch FROM " + MOMENT + ")::float8,"
    " extract(epoch FROM now())::float8"
)
_JOINS = (
    " LEFT JOIN recommender_itemembedding e ON e.item_id = i.id AND e.space_id = {space}"
    " LEFT JOIN recommender_popularity p ON p.item_id = i.id"
)


def _found(rows: list[tuple], space: Space | None) -> Found:
    if not rows:
        return _empty(space)
    ids, uuids, vectors, categories, creators, popularity, moments, now = zip(*rows, strict=True)
    return Found(
        np.array(ids, dtype=np.int64),
        list(uuids),
        from_binary(vectors, space.dimension) if space else np.zeros((len(ids), 1), np.float32),
        list(categories),
        np.array(creators, dtype=np.int64),
        np.array(popularity, dtype=np.float32),
        np.array(moments, dtype=np.float64),
        now[0],
    )


def _empty(space: Space | None) -> Found:
    none = np.zeros(0)
    return Found(
        none.astype(np.int64),
        [],
        np.zeros((0, space.dimension if space else 1), np.float32),
        [],
        none.astype(np.int64),
        none.astype(np.float32),
        none,
        0.0,
    )


@dataclass(frozen=True)
class Facts:
    """What a page and the API show of one item."""

    id: int
    uuid: UUID
    kind: str
    title: str
    description: str
    url: str
    image_url: str
    published_at: datetime | None
    categories: list[dict]  # {"id": int, "uuid": str, "slug": str, "names": {language: name}}
    creators: list[str]


def facts(item_ids: Sequence[int]) -> dict[int, Facts]:
    """Everything to show of the items of one page: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.id, i.uuid, i.kind, i.title, left(i.description, 500), i.url, i.image_url,"
            " i.published_at, (SELECT coalesce(jsonb_agg(jsonb_build_object("
            "   'id', c.id, 'uuid', c.uuid, 'slug', c.slug, 'names', c.names) ORDER BY ic.id),"
            "   '[]') FROM catalog_item_categories ic"
            "   JOIN catalog_category c ON c.id = ic.category_id WHERE ic.item_id = i.id),"
            " ARRAY(SELECT c.name FROM catalog_itemcreator ic"
            "   JOIN catalog_creator c ON c.id = ic.creator_id WHERE ic.item_id = i.id"
            "   ORDER BY ic.position)"
            " FROM catalog_item i WHERE i.id = ANY(%s)",
            [[int(item) for item in item_ids]],
        )
        rows = [Facts(*row[:8], json.loads(row[8]), row[9]) for row in cursor.fetchall()]
    return {row.id: row for row in rows}


# --- served lists -----------------------------------------------------------------------------


def put_served(
    user_id: int | None,
    *,
    scenario: str,
    settings: dict,
    item_ids: Sequence[int],
    relevance: Sequence[float],
    report: dict,
) -> UUID:
    """Keep what was served, under the id that feedback names: one statement."""
    served = uuid7()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_served"
            " (id, user_id, scenario, settings, item_ids, relevance, report)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                served,
                user_id,
                scenario,
                json.dumps(settings),
                list(item_ids),
                [round(float(score), 4) for score in relevance],
                json.dumps(report),
            ],
        )
    return served


# --- search and similar items -----------------------------------------------------------------


def items_with_words(query: str, *, limit: int) -> list[int]:
    """Shown items that match a tsquery literal, best first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.item_id FROM recommender_itemwords w JOIN catalog_item i ON i.id = w.item_id"
            f" WHERE w.tokens @@ %s::tsquery AND {SHOWN}"
            " ORDER BY ts_rank('{0.1, 0.2, 0.4, 1.0}', w.tokens, %s::tsquery, 1) DESC, w.item_id"
            " LIMIT %s",
            [query, query, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def known_words(words: Sequence[str]) -> set[str]:
    """Those that stand in some item."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM recommender_word WHERE word = ANY(%s)", [list(words)])
        return {row[0] for row in cursor.fetchall()}


def nearest_items(
    space: Space, vector: np.ndarray, *, limit: int, without: Sequence[int] = ()
) -> list[tuple[int, float]]:
    """Shown items nearest to a unit vector: (item id, cosine), best first."""
    distance = f"{space.column} <=> %s::halfvec({int(space.dimension)})"
    text = as_text(vector)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
            f" set_config('hnsw.ef_search', '{max(40, min(1000, int(limit)))}', true),"
            f" set_config('hnsw.max_scan_tuples', '{SCAN_TUPLES}', true)"
        )
        cursor.execute(
            f"SELECT e.item_id, 1 - ({distance}) FROM recommender_itemembedding e"
            f" JOIN catalog_item i ON i.id = e.item_id WHERE e.space_id = {int(space.id)}"
            f" AND {SHOWN} AND NOT e.item_id = ANY(%s) ORDER BY {distance} LIMIT {int(limit)}",
            [text, list(without), text],
        )
        return [(item, float(cosine)) for item, cosine in cursor.fetchall()]


def embedding_of(space: Space, item_id: int) -> np.ndarray | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT halfvec_send(embedding) FROM recommender_itemembedding"
            f" WHERE space_id = {int(space.id)} AND item_id = %s",
            [item_id],
        )
        row = cursor.fetchone()
    return from_binary([row[0]], space.dimension)[0] if row else None


# --- what was learned -------------------------------------------------------------------------


def put_interests(
    space: Space, user_id: int, vectors: np.ndarray, weights: Sequence[float], words: Sequence[dict]
) -> None:
    """Replace the interests of a person, unless the account was closed meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        if not _still_there(cursor, user_id):
            return
        Interest.objects.filter(user_id=user_id).delete()
        Interest.objects.bulk_create(
            Interest(
                user_id=user_id,
                space_id=space.id,
                position=position,
                weight=float(weights[position]),
                embedding=vectors[position],
                words=words[position],
            )
            for position in range(len(vectors))
        )


def put_candidates(user_id: int, item_ids: Sequence[int]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if _still_there(cursor, user_id):
            cursor.execute(
                "INSERT INTO recommender_candidates (user_id, item_ids) VALUES (%s, %s)"
                " ON CONFLICT (user_id) DO UPDATE SET item_ids = excluded.item_ids,"
                " refreshed_at = now()",
                [user_id, [int(item) for item in item_ids]],
            )


def _still_there(cursor, user_id: int) -> bool:
    cursor.execute(
        "SELECT 1 FROM catalog_user WHERE id = %s AND erased_at IS NULL FOR KEY SHARE", [user_id]
    )
    return cursor.fetchone() is not None


def interests_of(user_id: int) -> list[Interest]:
    return list(Interest.objects.filter(user_id=user_id).order_by("position"))


def put_preference(user_id: int, *, diversity: float | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_preference (user_id, diversity) VALUES (%s, %s)"
            " ON CONFLICT (user_id) DO UPDATE SET diversity = excluded.diversity",
            [user_id, diversity],
        )


def diversity_of(user_id: int) -> float | None:
    return Preference.objects.filter(pk=user_id).values_list("diversity", flat=True).first()


def replace_neighbours(
    item_ids: np.ndarray, neighbour_ids: np.ndarray, weights: np.ndarray
) -> None:
    """Put neighbours (n, k) of items in place of all former ones, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "CREATE TEMPORARY TABLE fresh (item_id bigint, ids bigint[], weights real[])"
            " ON COMMIT DROP"
        )
        with cursor.copy("COPY fresh FROM STDIN") as copy:
            for item, row, says in zip(item_ids, neighbour_ids, weights, strict=True):
                there = row >= 0
                if there.any():
                    ids, strengths = row[there].tolist(), says[there].tolist()
                    copy.write_row(
                        (
                            int(item),
                            "{" + ",".join(map(str, ids)) + "}",
                            "{" + ",".join(f"{x:.4g}" for x in strengths) + "}",
                        )
                    )
        cursor.execute(
            "DELETE FROM recommender_neighbours WHERE item_id NOT IN (SELECT item_id FROM fresh)"
        )
        cursor.execute(
            "INSERT INTO recommender_neighbours (item_id, ids, weights)"
            " SELECT f.item_id, f.ids, f.weights FROM fresh f"
            " JOIN catalog_item i ON i.id = f.item_id"
            " ON CONFLICT (item_id) DO UPDATE SET ids = excluded.ids, weights = excluded.weights,"
            " learned_at = now()"
        )


def replace_popularity(item_ids: np.ndarray, scores: np.ndarray) -> None:
    """Put the popularity of items in place of all former ones, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "WITH fresh AS (SELECT * FROM unnest(%s::bigint[], %s::real[]) AS t (item_id, score)),"
            " gone AS (DELETE FROM recommender_popularity"
            "   WHERE item_id NOT IN (SELECT item_id FROM fresh))"
            " INSERT INTO recommender_popularity (item_id, score)"
            " SELECT f.item_id, f.score FROM fresh f JOIN catalog_item i ON i.id = f.item_id"
            " ON CONFLICT (item_id) DO UPDATE SET score = excluded.score, learned_at = now()"
            " WHERE recommender_popularity.score <> excluded.score",
            [item_ids.tolist(), scores.tolist()],
        )


# --- all feedback, for learning and evaluation ------------------------------------------------


@dataclass(frozen=True)
class Events:
    """Live feedback of everybody until a moment, oldest first, as parallel arrays."""

    people: np.ndarray  # (n,) int64
    items: np.ndarray  # (n,) int64
    kinds: np.ndarray  # (n,) int8, index into candidates.signals.KINDS
    values: np.ndarray  # (n,) float64, nan where there is none
    moments: np.ndarray  # (n,) float64, seconds since 1970
    now: float  # the database's clock


def events(until: datetime | None = None, *, user_id: int | None = None) -> Events:
    """What counts of all feedback. Reads facts alone, nothing that was learned.

    27 bytes an event in memory: 10⁷ events take 270 MB, besides the cursor's 50,000 rows.
    """
    order = {kind: number for number, kind in enumerate(KINDS)}
    conditions, params = [LIVE], []
    if until is not None:
        conditions.append("occurred_at <= %s")
        params.append(until)
    if user_id is not None:
        conditions.append("user_id = %s")
        params.append(user_id)
    parts: list[np.ndarray] = []
    row = np.dtype(
        [("person", "i8"), ("item", "i8"), ("kind", "i1"), ("value", "f8"), ("moment", "f8")]
    )
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT extract(epoch FROM now())::float8")
            now = cursor.fetchone()[0]
        with connection.connection.cursor(name="events") as cursor:
            cursor.itersize = 50_000
            cursor.execute(
                "SELECT user_id, item_id, kind, coalesce(value, 'nan'),"
                " extract(epoch FROM occurred_at)::float8 FROM catalog_feedback"
                f" WHERE {' AND '.join(conditions)} ORDER BY occurred_at, id",
                params,
            )
            while rows := cursor.fetchmany(50_000):
                parts.append(
                    np.array([(p, i, order[k], v, m) for p, i, k, v, m in rows], dtype=row)
                )
    joined = np.concatenate(parts) if parts else np.zeros(0, dtype=row)
    return Events(
        *(np.ascontiguousarray(joined[name]) for name in ("person", "item", "kind", "value")),
        np.ascontiguousarray(joined["moment"]),
        now,
    )


def people_with_feedback() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT user_id FROM catalog_feedback WHERE {LIVE} ORDER BY user_id"
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True)
class Library:
    """What ranking needs of every shown item, in memory: for evaluation on a replayed history."""

    ids: np.ndarray  # (n,) int64 ascending
    vectors: np.ndarray  # (n, d) float32, zeros where there is none
    category_ids: list[list[int]]
    creators: np.ndarray  # (n,) int64
    moments: np.ndarray  # (n,) float64


def library(space: Space | None) -> Library:
    """All shown items with their content; no learned table is read, for vectors are content."""
    number = space.id if space else 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT i.id, halfvec_send(e.embedding), ARRAY(SELECT ic.category_id"
            "   FROM catalog_item_categories ic WHERE ic.item_id = i.id),"
            " coalesce((SELECT c.creator_id FROM catalog_itemcreator c WHERE c.item_id = i.id"
            f"   ORDER BY c.position LIMIT 1), -1), extract(epoch FROM {MOMENT})::float8"
            " FROM catalog_item i LEFT JOIN recommender_itemembedding e ON e.item_id = i.id"
            f" AND e.space_id = {int(number)} WHERE {SHOWN} ORDER BY i.id"
        )
        rows = cursor.fetchall()
    return Library(
        np.array([row[0] for row in rows], dtype=np.int64),
        from_binary([row[1] for row in rows], space.dimension)
        if space
        else np.zeros((len(rows), 1), np.float32),
        [row[2] for row in rows],
        np.array([row[3] for row in rows], dtype=np.int64),
        np.array([row[4] for row in rows], dtype=np.float64),
    )


# --- state, for operators ---------------------------------------------------------------------


def fill(space: EmbeddingSpace) -> tuple[int, int]:
    """How many shown items have a vector in a space, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(e.id), count(*) FROM catalog_item i LEFT JOIN recommender_itemembedding e"
            f" ON e.item_id = i.id AND e.space_id = {int(space.id)} WHERE {SHOWN}"
        )
        return cursor.fetchone()


def popular_items(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.item_id FROM recommender_popularity p JOIN catalog_item i ON i.id = p.item_id"
            f" WHERE {SHOWN} ORDER BY p.score DESC, p.item_id LIMIT %s",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]


def served_of(user_id: int, served_id: UUID) -> Served | None:
    return Served.objects.filter(pk=served_id, user_id=user_id).first()


INVARIANTS = {
    "each person has one live opinion on an item that any opinion stands for":
        "SELECT count(*) FROM (SELECT 1 FROM catalog_feedback WHERE retracted_at IS NULL"
        " AND kind IN ('like', 'dislike', 'rating', 'hide') GROUP BY user_id, item_id"
        " HAVING count(*) FILTER (WHERE superseded_at IS NULL) <> 1) t",
    "each shown item has a vector in the active space, or work that will make it":
        "SELECT count(*) FROM catalog_item i JOIN recommender_embeddingspace s"
        " ON s.status = 'active' WHERE i.is_available AND i.removed_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM recommender_itemembedding e"
        "   WHERE e.item_id = i.id AND e.space_id = s.id)"
        " AND NOT EXISTS (SELECT 1 FROM recommender_job j WHERE j.kind = 'embed'"
        "   AND j.key = i.id AND j.done_at IS NULL)",
    "feedback has been learned from, or there is work that will":
        "SELECT count(*) FROM (SELECT user_id, max(greatest(received_at, retracted_at)) AS newest"
        " FROM catalog_feedback GROUP BY user_id) f"
        " LEFT JOIN recommender_candidates c ON c.user_id = f.user_id"
        " JOIN catalog_user u ON u.id = f.user_id AND u.erased_at IS NULL"
        " WHERE coalesce(c.refreshed_at < f.newest, true)"
        " AND NOT EXISTS (SELECT 1 FROM recommender_job j WHERE j.kind = 'learn'"
        "   AND j.key = f.user_id AND j.done_at IS NULL)",
    "no open job has been forgotten":
        "SELECT count(*) FROM recommender_job WHERE done_at IS NULL AND parked_at IS NULL"
        " AND due_at < now() - interval '5 minutes'",
    "vectors have unit length":
        "SELECT count(*) FROM recommender_itemembedding"
        " WHERE NOT l2_norm(embedding) BETWEEN 0.99 AND 1.01",
    "vectors have the dimension of their space":
        "SELECT count(*) FROM recommender_itemembedding e JOIN recommender_embeddingspace s"
        " ON s.id = e.space_id WHERE vector_dims(e.embedding) <> s.dimension",
    "nothing learned belongs to an erased person":
        "SELECT count(*) FROM catalog_user u WHERE u.erased_at IS NOT NULL AND (EXISTS (SELECT 1"
        " FROM recommender_interest t WHERE t.user_id = u.id) OR EXISTS (SELECT 1"
        " FROM recommender_candidates t WHERE t.user_id = u.id))",
    "no index was left half built":
        "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE NOT i.indisvalid AND c.relname LIKE 'itemembedding_%'",
}


def broken_invariants() -> dict[str, int]:
    """How many rows break each of the things that must hold."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        found = {}
        for name, statement in INVARIANTS.items():
            cursor.execute(statement)
            found[name] = cursor.fetchone()[0]
    return found
