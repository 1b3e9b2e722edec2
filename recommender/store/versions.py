"""Versions of what was learned: small tensors in a row, and what is fetched of each item.

Arrays of items lie in the database as they lie in memory (little-endian, int64 ids, float16
numbers), so that a request turns 100 rows into arrays without an object a number.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Now
from safetensors import SafetensorError
from safetensors.numpy import load, save

from recommender.models import EmbeddingSpace, LearnedItem, ModelVersion, PersonFactors
from recommender.ranking.model import LISTS, PARTS, RELATED, STAND_INS, Model, untrained
from recommender.store.spaces import Space

log = logging.getLogger(__name__)

ROWS_TOGETHER = 1000  # items written by one statement, about 3 MB
AGAIN_SECONDS = 60  # after which a version that could not be read is tried again
LONGEST_REQUEST_SECONDS = 30  # six statements of five seconds
KEPT = ("weights", "new_item", "gram", "text_basis", "text_map", "promise")


class ItemRows(Protocol):
    """What is kept of items, a row each; see training.learned.Learned."""

    ids: np.ndarray  # (n,) int64
    related_ids: np.ndarray  # (n, 3, k) int64
    related_weights: np.ndarray  # (n, 3, k)
    factors: np.ndarray  # (n, f)
    text_factors: np.ndarray  # (n, r)
    stand_in_ids: np.ndarray  # (n, s) int64, -1 where there is none
    stand_in_weights: np.ndarray  # (n, s)


class Damaged(Exception):
    """What lies in the database is not what training wrote."""


def versions() -> list[ModelVersion]:
    """All versions, the newest first, without their tensors."""
    return list(ModelVersion.objects.defer("tensors").order_by("-id"))


def active_version() -> ModelVersion | None:
    return ModelVersion.objects.defer("tensors").filter(status="active").first()


def pack(model: Model) -> bytes:
    """A model as safetensors."""
    tensors = {name: np.ascontiguousarray(getattr(model, name)) for name in KEPT}
    tensors["new_item_say"] = np.array([model.new_item_say], dtype=np.float32)
    tensors["space"] = np.array([model.space_id], dtype=np.int64)
    # One key: the order of several would differ from run to run, and with it the digest.
    return save(tensors, metadata={"parts": " ".join(PARTS)})


def unpack(tensors: bytes, digest: str) -> Model:
    """The model that was packed. Raises Damaged when the digest is another, or a tensor is."""
    if hashlib.sha256(tensors).hexdigest() != digest:
        raise Damaged("the digest of the weights does not match: train again, or `models back`")
    try:
        found = load(tensors)
        model = Model(
            **{name: found[name] for name in KEPT},
            new_item_say=float(found["new_item_say"][0]),
            space_id=int(found["space"][0]),
        )
    except (SafetensorError, KeyError) as error:
        raise Damaged(f"the weights cannot be read: {error}") from error
    if model.weights.shape[-1] != len(PARTS):
        raise Damaged("the weights are of another release: train again")
    return model


def read_model(version_id: int) -> Model:
    """The model of a version as it lies in the database now. Raises Damaged."""
    version = ModelVersion.objects.only("tensors", "digest").get(pk=version_id)
    return unpack(bytes(version.tensors), version.digest)


@lru_cache(maxsize=2)
def model_of_version(version_id: int) -> Model:
    """The model of a version; each process reads it once. Raises Damaged."""
    return read_model(version_id)


_unread_until: dict[int, float] = {}  # time.monotonic() by version, of this process


def model_served(version_id: int | None, space: Space | None) -> Model:
    """The model to rank by: of the active version, or the untrained one where that cannot be read.

    space  whose vectors are ranked; maps that were learned in another are left out
    A request has an answer even then; the log says once a minute what an operator has to do, and
    the requests between do not read megabytes that are known to be damaged.
    """
    if version_id is None or time.monotonic() < _unread_until.get(version_id, 0):
        return untrained()
    try:
        return model_of_version(version_id).in_space(space.id if space else 0)
    except (Damaged, ModelVersion.DoesNotExist) as error:
        _unread_until[version_id] = time.monotonic() + AGAIN_SECONDS
        log.error("version %s is not served: %s", version_id, error)
        return untrained()


def put_version(model: Model, learned: ItemRows, **fields) -> ModelVersion:
    """Keep what a training learned, inactive: all of it, or nothing."""
    tensors = pack(model)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        version = ModelVersion.objects.create(
            tensors=tensors, digest=hashlib.sha256(tensors).hexdigest(), **fields
        )
        put_learned_items(version.pk, learned)
    return version


def put_learned_items(version_id: int, learned: ItemRows) -> None:
    """Add rows of items to a version; a row that is there is replaced.

    An item of which nothing was learned has no row: others may stand in for it once it has a text.
    """
    related = learned.related_weights.any(axis=(1, 2))
    borrows = (learned.stand_in_ids >= 0).any(axis=1)
    rows = np.flatnonzero(related | borrows | learned.factors.any(axis=1))
    rows = rows[np.argsort(learned.ids[rows])]  # two writers lock rows in one order
    with transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(rows), ROWS_TOGETHER):
            some = rows[start : start + ROWS_TOGETHER]
            cursor.execute(
                "INSERT INTO recommender_learneditem (version_id, item_id, related_ids,"
                " related_weights, factors, text_factors, stand_in_ids, stand_in_weights)"
                " SELECT %s, f.* FROM unnest(%s::bigint[], %b::bytea[], %b::bytea[], %b::bytea[],"
                "   %b::bytea[], %b::bytea[], %b::bytea[]) AS f (item_id)"
                " JOIN catalog_item i ON i.id = item_id"
                " ON CONFLICT (version_id, item_id) DO UPDATE SET"
                " related_ids = excluded.related_ids, related_weights = excluded.related_weights,"
                " factors = excluded.factors, text_factors = excluded.text_factors,"
                " stand_in_ids = excluded.stand_in_ids,"
                " stand_in_weights = excluded.stand_in_weights",
                [
                    version_id,
                    learned.ids[some].tolist(),
                    _bytes(learned.related_ids[some], "<i8"),
                    _bytes(learned.related_weights[some], "<f2"),
                    _bytes(learned.factors[some], "<f2"),
                    _bytes(learned.text_factors[some], "<f2"),
                    _bytes(learned.stand_in_ids[some], "<i8", borrows[some]),
                    _bytes(learned.stand_in_weights[some], "<f2", borrows[some]),
                ],
            )


def factors_of_items(version_id: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) ids, ascending, of all items that a version learned of, and their (n, f) factors."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, factors FROM recommender_learneditem WHERE version_id = %s"
            " ORDER BY item_id",
            [version_id],
        )
        rows = cursor.fetchall()
    return np.array([item for item, _ in rows], dtype=np.int64), factors_of([f for _, f in rows])


def _bytes(rows: np.ndarray, kind: str, there: np.ndarray | None = None) -> list[bytes | None]:
    there = np.ones(len(rows), dtype=bool) if there is None else there
    return [
        row.tobytes() if has else None
        for row, has in zip(rows.astype(kind), there.tolist(), strict=True)
    ]


def activate_version(version: ModelVersion) -> None:
    """Make this the version that is served: one step for all who read."""
    with transaction.atomic(), connection.cursor() as cursor:
        # One at a time, or the second would find another active than the one it put away.
        cursor.execute("SELECT id FROM recommender_modelversion ORDER BY id FOR NO KEY UPDATE")
        ModelVersion.objects.filter(status="active").exclude(pk=version.pk).update(
            status="inactive"
        )
        ModelVersion.objects.filter(pk=version.pk).update(status="active", activated_at=Now())


def former_version() -> ModelVersion | None:
    """The version that was served before the active one, unless it was retired."""
    return (
        ModelVersion.objects.defer("tensors")
        .filter(status="inactive", activated_at__isnull=False)
        .order_by("-activated_at")
        .first()
    )


def version_learned_in(space: EmbeddingSpace, *, served: bool = False) -> ModelVersion | None:
    """What to serve with a space: the version that was served last with it or, newer, passed its
    comparison on its vectors. None where there is none that can be read.

    served   only one that was served
    """
    learned = ModelVersion.objects.defer("tensors").filter(space=space).exclude(status="retired")
    may_serve = Q(activated_at__isnull=False)
    found = (
        learned.filter(may_serve if served else may_serve | Q(has_passed=True))
        .order_by(Coalesce("activated_at", "created_at").desc())
        .first()
    )
    try:
        return found if found and read_model(found.pk) else None
    except Damaged as error:
        log.error("version %s: %s", found.name, error)
        return None


def retire_version(version: ModelVersion) -> None:
    """Free what a version keeps; its metrics stay.

    Requests that began while it was in use may still read it, so they are waited for.
    """
    _wait_for_requests()
    with transaction.atomic():
        LearnedItem.objects.filter(version=version).delete()
        PersonFactors.objects.filter(version=version).delete()
        ModelVersion.objects.filter(pk=version.pk).update(status="retired", tensors=b"")


def _wait_for_requests() -> None:
    """Return when every transaction of now has ended, or is too long for a request's."""
    until = time.monotonic() + LONGEST_REQUEST_SECONDS
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
        while time.monotonic() < until:
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                " AND xact_start < %s LIMIT 1",
                [now],
            )
            if cursor.fetchone() is None:
                return
            time.sleep(0.1)


def from_bytes(rows: Sequence[bytes | memoryview | None], kind: str, width: int) -> np.ndarray:
    """(n, width) of a little-endian type; -1 of ids and 0 of numbers where there is nothing."""
    size = np.dtype(kind).itemsize * width
    empty = np.full(width, -1 if "i" in kind else 0, dtype=kind).tobytes()
    joined = b"".join(
        empty if row is None else bytes(row[:size]).ljust(size, b"\0") if len(row) < size else row
        for row in rows
    )
    return np.frombuffer(joined, dtype=kind).reshape(len(rows), width)


def related_of(
    ids: Sequence[bytes | None], weights: Sequence[bytes | None]
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3, k) int64 and float32; where a row stops short, as of an old item, there is nothing."""
    shape = (len(ids), len(LISTS), RELATED)
    found = from_bytes(ids, "<i8", len(LISTS) * RELATED).reshape(shape)
    says = from_bytes(weights, "<f2", len(LISTS) * RELATED).reshape(shape).astype(np.float32)
    return np.where(says != 0, found, -1), says


def factors_of(rows: Sequence[bytes | None]) -> np.ndarray:
    """(n, f) float32; f is 1 when no row has any."""
    width = max((len(row) // 2 for row in rows if row is not None), default=1)
    return from_bytes(rows, "<f2", max(width, 1)).astype(np.float32)


def stand_ins_of(
    ids: Sequence[bytes | None], weights: Sequence[bytes | None]
) -> tuple[np.ndarray, np.ndarray]:
    """(n, s) int64 and float32."""
    return (
        from_bytes(ids, "<i8", STAND_INS),
        from_bytes(weights, "<f2", STAND_INS).astype(np.float32),
    )
