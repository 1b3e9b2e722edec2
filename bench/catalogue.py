"""A made catalogue of any size whose vectors are shaped like those of real texts.

Text vectors of 384 dimensions fill far fewer: on the demo's films the two-nearest-neighbours
estimate (Facco et al. 2017) of the intrinsic dimension is near 20. Here an item is a
point near one of some hundred topics, in a random subspace of 24 dimensions, plus a little noise
in all; so neighbours are as close, and vector search as hard, as with texts. Random vectors of
full dimension would make every search fail alike. `intrinsic_dimension` is that estimate.

Rows are made and copied a block at a time, so that memory hardly grows with the catalogue: of all
items only the 24 inner numbers are kept, to choose what people like. People like what lies near
three things, and within a topic some items far more often than others.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from tqdm import tqdm

DIMENSION, INTRINSIC, TOPICS = 384, 24, 200
BLOCK = 5_000
GENERATOR = 2  # what was kept of an older one is not taken for it
# Feedback until then is of the first people alone, for a bench that trains on as much whatever the
# size: what training takes is another question.
EARLY_PEOPLE, EARLY_UNTIL = 1_000, datetime(2026, 1, 1, tzinfo=UTC)
INDEX_MEMORY_MB = 2_048  # of which a million vectors take some 1,600


def blocks(n: int, *, seed: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """n items, a block at a time: (b, 384) float32 unit rows, (b, 24) inner numbers, (b,) topics.

    A row is the same however many come after it.
    """
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((DIMENSION, INTRINSIC)))[0].T.astype(np.float32)
    topics = rng.standard_normal((TOPICS, INTRINSIC)).astype(np.float32)
    share = rng.dirichlet(np.full(TOPICS, 0.5))
    for start in range(0, n, BLOCK):
        rng = np.random.default_rng((seed, start))
        topic = rng.choice(TOPICS, size=BLOCK, p=share)
        inner = topics[topic] + 0.8 * rng.standard_normal((BLOCK, INTRINSIC), dtype=np.float32)
        rows = inner @ basis + 0.08 * rng.standard_normal((BLOCK, DIMENSION), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        size = min(BLOCK, n - start)
        yield rows[:size], inner[:size], topic[:size]


def vectors(n: int, *, seed: int = 1) -> np.ndarray:
    """(n, 384) float32 unit rows: of the items, or with another seed of what is like them."""
    return np.concatenate([rows for rows, _, _ in blocks(n, seed=seed)])


def queries(n: int) -> np.ndarray:
    """(n, 384) float32 unit rows like those of the items, and of none of them."""
    return vectors(n, seed=2)


def intrinsic_dimension(rows: np.ndarray) -> float:
    """By the ratio of the distances to the two nearest neighbours (Facco et al. 2017, eq. 5)."""
    near = np.sort(-(rows @ rows.T), axis=1)[:, 1:3]
    first, second = np.sqrt(np.maximum(2 + 2 * near, 1e-12)).T
    return float(len(rows) / np.log(second / first).sum())


def fill(n_items: int, *, n_people: int = 1000, likes: int = 30):
    """Items, people with likes and an indexed space in an empty database; returns the space."""
    from django.db import connection, transaction

    from recommender import store
    from recommender.models import EmbeddingSpace

    space = EmbeddingSpace.objects.create(
        name=f"bench-{n_items}", backend="hashing", model="bench", digest="bench",
        dimension=DIMENSION, mean_item=[], mean_query=[], status="active",
    )  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        # Rows that refer to what is there by making: checking each takes longer than writing it.
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone()[0]:
            cursor.execute("SET LOCAL session_replication_role = replica")
        _copy_items(cursor, n_items)
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_item")
        ids = np.array(cursor.fetchone()[0])
        cursor.execute(
            "INSERT INTO catalog_user (uuid, source, external_id, kind, password, name, is_staff,"
            " is_superuser, is_active, consent_epoch) SELECT gen_random_uuid(), 'bench', n::text,"
            " 'imported', '', 'Person ' || n, false, false, true, 0 FROM generate_series(1, %s) n",
            [n_people],
        )
        inner = np.empty((n_items, INTRINSIC), dtype=np.float32)
        topics = np.empty(n_items, dtype=np.int16)
        start = 0
        for rows, within, topic in _shown(blocks(n_items), "vectors", -(-n_items // BLOCK)):
            rows_of = slice(start, start + len(rows))
            store.copy_embeddings(space, ids[rows_of], rows)
            inner[rows_of], topics[rows_of] = within, topic
            start += len(rows)
        _copy_likes(cursor, ids, inner, topics, likes)
    store.build_index(space, memory_mb=INDEX_MEMORY_MB)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return space


def _copy_items(cursor, n_items: int) -> None:
    from catalog.uuid7 import uuid7

    cursor.execute(
        "INSERT INTO catalog_category (uuid, slug, names) SELECT gen_random_uuid(),"
        " 'category-' || n, jsonb_build_object('en', 'Category ' || n)"
        " FROM generate_series(1, 20) n"
    )
    cursor.execute(
        "INSERT INTO catalog_creator (uuid, source, name) SELECT gen_random_uuid(), 'bench',"
        " 'Creator ' || n FROM generate_series(1, greatest(10, %s / 20)) n",
        [n_items],
    )
    with cursor.copy(
        "COPY catalog_item (uuid, source, external_id, kind, title, description, language, url,"
        " image_url, currency, is_available, attributes, published_at) FROM STDIN"
    ) as copy:
        for start in _shown(range(0, n_items, BLOCK), "items"):
            copy.write(
                "".join(
                    f"{uuid7()}\tbench\t{n}\tfilm\tItem {n}\tMade for measuring.\ten\t\t\t\tt\t{{}}"
                    f"\t20{n % 25:02}-01-01\n"
                    for n in range(start, min(start + BLOCK, n_items))
                )
            )
    cursor.execute(
        "INSERT INTO catalog_item_categories (item_id, category_id)"
        " SELECT i.id, c.id FROM catalog_item i"
        " CROSS JOIN LATERAL (SELECT hashint8(i.id) & 65535 AS a, hashint8(-i.id) & 65535 AS b) h"
        " JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM catalog_category) c"
        "   ON c.n IN (h.a % 20, (h.a + 1 + h.b % 19) % 20)"
    )
    cursor.execute(
        "INSERT INTO catalog_itemcreator (item_id, creator_id, position) SELECT i.id, c.id, 0"
        " FROM catalog_item i JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n"
        # A number on both sides of the equation would be a join of each with each.
        " FROM catalog_creator) c ON c.n = mod(i.id, greatest(10, %s / 20))",
        [n_items],
    )


def _copy_likes(cursor, ids: np.ndarray, inner: np.ndarray, topics: np.ndarray, likes: int) -> None:
    """Three tastes a person: an item and what lies nearest to it among some of its topic."""
    from catalog.uuid7 import uuid7

    rng = np.random.default_rng(2)
    by_topic = np.argsort(topics, kind="stable")
    size = np.bincount(topics, minlength=TOPICS)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    among, near = 256, max(1, min(len(ids), 2 * likes))
    cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_user")
    people = cursor.fetchone()[0]
    together = 250
    with cursor.copy(
        "COPY catalog_feedback (uuid, user_id, item_id, kind, occurred_at, text, digest) FROM STDIN"
    ) as copy:
        for start in _shown(range(0, len(people), together), "likes"):
            some = people[start : start + together]
            seeds = rng.integers(len(ids), size=(len(some), 3))
            topic = topics[seeds][..., None]
            # Squared, the first of a topic are drawn far more often than the last.
            drawn = (rng.random((len(some), 3, among)) ** 2 * size[topic]).astype(np.int64)
            found = by_topic[first[topic] + drawn]
            apart = np.square(inner[found] - inner[seeds][:, :, None]).sum(axis=-1)
            nearest = np.take_along_axis(found, np.argpartition(apart, near, axis=2), 2)
            lines = []
            nearest = nearest[..., :near].reshape(len(some), -1)
            for number, (person, rows) in enumerate(zip(some, nearest, strict=True), start):
                month = "2025-12" if number < EARLY_PEOPLE else "2026-01"
                liked = rng.permutation(np.unique(rows))[:likes]
                lines += [
                    f"{uuid7()}\t{person}\t{item}\tlike\t{month}-{1 + at % 28:02} 12:00+00"
                    "\t\t\\\\x\n"
                    for at, item in enumerate(ids[liked].tolist())
                ]
            copy.write("".join(lines))


def _shown(steps, name: str, total: int | None = None):
    return tqdm(steps, name, total, mininterval=1, leave=False, disable=None)
