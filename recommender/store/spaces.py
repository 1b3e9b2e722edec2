"""Embedding spaces and the index of each.

Space ids and dimensions stand in the SQL as literals: as parameters under a generic plan the
partial index of a space would not be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from recommender.models import EmbeddingSpace, Interest
from recommender.store.sql import SHOWN


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


def kept_spaces() -> list[EmbeddingSpace]:
    """All whose vectors are kept up to date, the active one first."""
    kept = EmbeddingSpace.objects.exclude(status="retired").order_by("id")
    return sorted(kept, key=lambda space: space.status != "active")


def status_now(space: EmbeddingSpace) -> str:
    """The status of a space, which stays until this transaction ends; many may hold it at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status FROM recommender_embeddingspace WHERE id = %s FOR SHARE", [space.pk]
        )
        return cursor.fetchone()[0]


def former_space(modality: str = "text") -> EmbeddingSpace | None:
    """The one that was active before, if it is kept."""
    standby = EmbeddingSpace.objects.filter(modality=modality, status="standby")
    return standby.order_by(F("activated_at").desc(nulls_last=True)).first()


def spaces() -> list[EmbeddingSpace]:
    return list(EmbeddingSpace.objects.order_by("id"))


def create_space(**fields) -> EmbeddingSpace:
    return EmbeddingSpace.objects.create(**fields)


def activate(space: EmbeddingSpace) -> None:
    """Make this the space of its modality: one step for all who read. The former one is kept."""
    with transaction.atomic():
        EmbeddingSpace.objects.filter(modality=space.modality, status="active").exclude(
            pk=space.pk
        ).update(status="standby")
        EmbeddingSpace.objects.filter(pk=space.pk).update(status="active", activated_at=Now())
    space.status = "active"


def retire(space: EmbeddingSpace, *, rows_together: int = 10_000) -> None:
    """Remove all vectors of a space, and its index. Call in autocommit; can be called again.

    Raises ValueError if the space is active
    """
    if (
        not EmbeddingSpace.objects.filter(pk=space.pk)
        .exclude(status="active")
        .update(status="retired")
    ):
        raise ValueError(f"{space.name} is active")
    space.status = "retired"
    Interest.objects.filter(space=space).delete()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute(
            f"DROP INDEX CONCURRENTLY IF EXISTS {Space(space.id, space.dimension).index}"
        )
        gone = rows_together
        while gone == rows_together:
            cursor.execute(
                "DELETE FROM recommender_itemembedding WHERE id = ANY(ARRAY(SELECT id FROM"
                " recommender_itemembedding WHERE space_id = %s LIMIT %s))",
                [space.id, rows_together],
            )
            gone = cursor.rowcount
        for name in ("statement_timeout", "lock_timeout"):
            cursor.execute(f"RESET {name}")


def index_state(space: EmbeddingSpace) -> str:
    """ "valid", "building", "invalid" (a build was interrupted) or "missing"."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indisvalid, EXISTS (SELECT 1 FROM pg_stat_progress_create_index p"
            "   WHERE p.index_relid = c.oid)"
            " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s",
            [Space(space.id, space.dimension).index],
        )
        row = cursor.fetchone()
    if row is None:
        return "missing"
    is_valid, is_being_built = row
    return "valid" if is_valid else "building" if is_being_built else "invalid"


def copy_embeddings(
    space: EmbeddingSpace, item_ids: Sequence[int] | np.ndarray, vectors: np.ndarray
) -> None:
    """Write vectors (n, d) of items that have none yet in a space, by COPY in binary form.

    Of what was encoded nothing is kept, so that items are stale to an encoder.
    """
    rows = np.zeros(
        len(item_ids),
        np.dtype(
            [("fields", ">i2"), ("size_1", ">i4"), ("item", ">i8"), ("size_2", ">i4"),
             ("space", ">i8"), ("size_3", ">i4"), ("dimension", ">i2"), ("unused", ">i2"),
             ("vector", ">f2", (space.dimension,)), ("size_4", ">i4")]
        ),
    )  # fmt: skip
    rows["fields"], rows["size_1"], rows["size_2"] = 4, 8, 8
    rows["item"], rows["space"] = item_ids, space.id
    rows["size_3"], rows["dimension"] = 4 + 2 * space.dimension, space.dimension
    rows["vector"] = vectors
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY recommender_itemembedding (item_id, space_id, embedding, fingerprint)"
            " FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(b"PGCOPY\n\xff\r\n\x00" + bytes(8))
        copy.write(rows.tobytes())
        copy.write(b"\xff\xff")


def build_index(
    space: EmbeddingSpace, *, memory_mb: int = 512, m: int = 16, ef_construction: int = 128
) -> None:
    """Make the HNSW cosine index of a space, without blocking writers. Call in autocommit.

    memory_mb  in which it is built: of what does not fit, some 1,600 bytes a vector of 384
               dimensions, the rest is put in through the disk, many times slower
    m, ef_construction  of pgvector; bench/curves.py measures them

    An interrupted concurrent build leaves an invalid index, which IF NOT EXISTS would keep for
    ever: so it is dropped and built again. One that another process builds is left to it.
    """
    state, it = index_state(space), Space(space.id, space.dimension)
    if state in ("valid", "building"):
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = 0")
        cursor.execute(f"SET maintenance_work_mem = '{int(memory_mb)}MB'")
        if state == "invalid":
            cursor.execute(f"DROP INDEX CONCURRENTLY {it.index}")
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {it.index} ON recommender_itemembedding"
            f" USING hnsw ((embedding::halfvec({it.dimension})) halfvec_cosine_ops)"
            f" WITH (m = {int(m)}, ef_construction = {int(ef_construction)})"
            f" WHERE space_id = {it.id}"
        )
        for name in ("statement_timeout", "lock_timeout", "maintenance_work_mem"):
            cursor.execute(f"RESET {name}")
    if index_state(space) != "valid":
        raise RuntimeError(f"the index of space {space.name} was built and is not valid")


def fill(space: EmbeddingSpace) -> tuple[int, int]:
    """How many shown items have a vector in a space, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(e.id), count(*) FROM catalog_item i LEFT JOIN recommender_itemembedding e"
            f" ON e.item_id = i.id AND e.space_id = {int(space.id)} WHERE {SHOWN}"
        )
        return cursor.fetchone()


def size_of(space: EmbeddingSpace) -> int:
    """Bytes on disk that a space takes: its index, and its share of the vectors."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(pg_relation_size(to_regclass(%s)), 0)",
            [Space(space.id, space.dimension).index],
        )
        index = cursor.fetchone()[0]
    have, _all = fill(space)
    return index + have * row_bytes(space.dimension)


def row_bytes(dimension: int) -> int:
    """Bytes of one vector in the table and in its key: two a dimension, and what surrounds them."""
    return 2 * dimension + 160


def needed_for(dimension: int, n_items: int) -> int:
    """Bytes on disk that a full space of so many items takes, about: rows, and the HNSW index.

    Of 1,000,000 vectors of 384 dimensions the index takes 1.1 GB.
    """
    return n_items * (row_bytes(dimension) + 2 * dimension + 350)


def recall_of(space: EmbeddingSpace, *, queries: int = 200, k: int = 200, seed: int = 0) -> float:
    """The share of the k nearest that the index finds, as requests ask it, over sampled items."""
    it = Space(space.id, space.dimension)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT array_agg(item_id) FROM recommender_itemembedding WHERE space_id = %s",
            [space.id],
        )
        ids = cursor.fetchone()[0] or []
    if not ids:
        return 0.0
    sample = np.random.default_rng(seed).permutation(ids)[:queries].tolist()
    statement = (
        f"SELECT e.item_id FROM recommender_itemembedding e WHERE e.space_id = {it.id}"
        f" ORDER BY {it.column} <=> (SELECT q.embedding::halfvec({it.dimension})"
        f" FROM recommender_itemembedding q WHERE q.space_id = {it.id} AND q.item_id = %s)"
        f" LIMIT {int(k)}"
    )
    found = 0
    wanted = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(max(k, 40))])
        for item in sample:
            rows = []
            for by_index in ("on", "off"):
                cursor.execute("SELECT set_config('enable_indexscan', %s, true)", [by_index])
                cursor.execute(statement, [item])
                rows.append({row[0] for row in cursor.fetchall()})
            found += len(rows[0] & rows[1])
            wanted += len(rows[1])
    return found / wanted
