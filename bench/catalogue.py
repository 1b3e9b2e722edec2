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


def fill(n_items: int, *, n_people: int = 1000, likes: int = 30) -> EmbeddingSpace:
    """Items, people with likes, neighbours and popularity in an empty database."""
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
            "INSERT INTO catalog_item_categories (item_id, category_id) SELECT DISTINCT i.id, c.id"
            " FROM catalog_item i JOIN LATERAL (SELECT id FROM catalog_category"
            " ORDER BY md5(i.id::text || slug) LIMIT 2) c ON true"
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
            [n_people],
        )
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_item")
        ids = np.array(cursor.fetchone()[0])
        cursor.execute("SELECT array_agg(id ORDER BY id) FROM catalog_user")
        people = cursor.fetchone()[0]
        with cursor.copy(
            "COPY catalog_feedback (uuid, user_id, item_id, kind, occurred_at, text, digest)"
            " FROM STDIN"
        ) as copy:
            for person in people:
                # Three tastes a person: an item and what lies near it.
                near = [np.argsort(-(rows @ rows[s]))[:200] for s in rng.integers(n_items, size=3)]
                liked = rng.permutation(np.unique(np.concatenate(near)))[:likes]
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
