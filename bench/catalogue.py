"""A made catalogue of any size whose vectors are shaped like those of real texts.

Text vectors of 384 dimensions fill far fewer: on the demo's films the two-nearest-neighbours
estimate (Facco et al. 2017) of the intrinsic dimension is near 20. Here an item is a
point near one of some hundred topics, in a random subspace of 24 dimensions, plus a little noise
in all; so neighbours are as close, and vector search as hard, as with texts. Random vectors of
full dimension would make every search fail alike.
"""

import numpy as np
from django.db import connection, transaction

from catalog.uuid7 import uuid7
from recommender import store
from recommender.models import EmbeddingSpace

DIMENSION, INTRINSIC, TOPICS = 384, 24, 200
BLOCK = 5_000
TASTES, NEAR, LIKES_IN_PASSING = 2_000, 200, 8
TOGETHER = 16  # of tastes: a row of similarities to all items each


def vectors(n: int, *, seed: int = 1) -> np.ndarray:
    """(n, 384) float32 unit rows."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((DIMENSION, INTRINSIC)))[0].T
    topics = rng.standard_normal((TOPICS, INTRINSIC))
    share = rng.dirichlet(np.full(TOPICS, 0.5))
    rows = np.empty((n, DIMENSION), dtype=np.float32)
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        inner = topics[rng.choice(TOPICS, size=size, p=share)]
        inner = inner + 0.8 * rng.standard_normal((size, INTRINSIC))
        block = inner @ basis + 0.08 * rng.standard_normal((size, DIMENSION))
        rows[start : start + size] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def nearest(rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """(s, NEAR) row numbers of what lies nearest to each of some rows, in no order."""
    n = min(NEAR, len(rows))
    found = np.empty((len(seeds), n), dtype=np.int64)
    for start in range(0, len(seeds), TOGETHER):
        likeness = rows[seeds[start : start + TOGETHER]] @ rows.T
        found[start : start + TOGETHER] = np.argpartition(-likeness, n - 1, axis=1)[:, :n]
    return found


def fill(
    n_items: int, *, n_people: int = 1000, likes: int = 30, n_passing: int = 0
) -> EmbeddingSpace:
    """Items, people with likes and vectors with their index, in an empty database.

    n_passing  people besides who liked LIKES_IN_PASSING items each
    """
    rng = np.random.default_rng(2)
    rows = vectors(n_items)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
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
            for n in range(n_items):
                copy.write_row(
                    (str(uuid7()), "bench", str(n), "film", f"Item {n}", "Made for measuring.",
                     "en", "", "", "", True, "{}", f"20{n % 25:02}-01-01")
                )  # fmt: skip
        cursor.execute(
            "INSERT INTO catalog_item_categories (item_id, category_id) SELECT i.id, c.id"
            " FROM (SELECT id, mod(id * 7919, 20) AS one, mod(id * 104729, 19) + 1 AS step"
            "   FROM catalog_item) i CROSS JOIN LATERAL (VALUES (one), (mod(one + step, 20))) k (n)"
            " JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM catalog_category) c"
            "   ON c.n = k.n"
        )
        cursor.execute(
            "INSERT INTO catalog_itemcreator (item_id, creator_id, position) SELECT i.id, c.id, 0"
            " FROM catalog_item i JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n,"
            " count(*) OVER () AS total FROM catalog_creator) c ON c.n = mod(i.id, c.total)"
        )
        cursor.execute(
            "INSERT INTO catalog_user (uuid, source, external_id, kind, password, name, is_staff,"
            " is_superuser, is_active, consent_epoch) SELECT gen_random_uuid(), 'bench', n::text,"
            " 'imported', '', 'Person ' || n, false, false, true, 0 FROM generate_series(1, %s) n",
            [n_people + n_passing],
        )
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_item")
        ids = np.array(cursor.fetchone()[0])
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_user")
        people = cursor.fetchone()[0]
        tastes = nearest(rows, rng.integers(n_items, size=min(TASTES, 3 * n_people)))
        with cursor.copy(
            "COPY catalog_feedback (uuid, user_id, item_id, kind, occurred_at, text, digest)"
            " FROM STDIN"
        ) as copy:
            for n, person in enumerate(people):
                # Three tastes a person: an item and what lies near it.
                near = tastes[rng.integers(len(tastes), size=3)]
                n_likes = likes if n < n_people else LIKES_IN_PASSING
                liked = rng.permutation(np.unique(near))[:n_likes]
                for at, item in enumerate(ids[liked].tolist()):
                    moment = f"2026-01-{1 + at % 28:02} 12:00+00"
                    copy.write_row((str(uuid7()), person, item, "like", moment, "", b""))
    space = EmbeddingSpace.objects.create(
        name=f"bench-{n_items}", backend="hashing", model="bench", digest="bench",
        dimension=DIMENSION, mean_item=[], mean_query=[], status="active",
    )  # fmt: skip
    for start in range(0, n_items, BLOCK):
        block = ids[start : start + BLOCK].tolist()
        store.put_embeddings(space, block, rows[start : start + BLOCK], [b""] * len(block))
    store.build_index(space)
    return space
