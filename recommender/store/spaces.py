"""Embedding spaces and the index of each.

Space ids and dimensions stand in the SQL as literals: as parameters under a generic plan the
partial index of a space would not be used.
"""

from dataclasses import dataclass

from django.db import connection, transaction

from recommender.models import EmbeddingSpace
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


def fill(space: EmbeddingSpace) -> tuple[int, int]:
    """How many shown items have a vector in a space, and how many there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(e.id), count(*) FROM catalog_item i LEFT JOIN recommender_itemembedding e"
            f" ON e.item_id = i.id AND e.space_id = {int(space.id)} WHERE {SHOWN}"
        )
        return cursor.fetchone()
