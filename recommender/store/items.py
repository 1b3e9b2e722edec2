"""Items: what they say, their vectors and words, what is shown of them, and search among them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from catalog.models import Item
from recommender.embeddings.text import item_text
from recommender.models import EmbeddingSpace, ItemEmbedding
from recommender.store.filters import Condition
from recommender.store.replicas import item_side, reader
from recommender.store.spaces import Space
from recommender.store.sql import SCAN_TUPLES, SHOWN, TOPICS, as_text, from_binary
from recommender.understanding import words


@dataclass(frozen=True)
class Content:
    """What an item says, as the encoder and the word index take it."""

    id: int
    title: str
    description: str
    published_year: int | None
    categories: list[str]
    creators: list[str]
    topics: list[str]


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
            "   ORDER BY ic.position),"
            f" ARRAY(SELECT t.name FROM {TOPICS} WHERE it.item_id = i.id"
            "   ORDER BY it.weight DESC, t.id)"
            " FROM catalog_item i WHERE i.id = ANY(%s) AND i.removed_at IS NULL ORDER BY i.id"
            + (" FOR NO KEY UPDATE OF i" if lock else ""),
            [list(item_ids)],
        )
        return [Content(*row) for row in cursor.fetchall()]


def text_of(content: Content) -> str:
    """What the encoder is given of an item. Topics were found in it, so they are no part of it."""
    return item_text(
        content.title,
        published_year=content.published_year,
        categories=content.categories,
        creators=content.creators,
        description=content.description,
    )


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


def index_words(item_ids: Sequence[int]) -> None:
    """Make items findable by their words. Quick, so it is done under the lock of the items."""
    with transaction.atomic():
        rows, latin = [], set()
        for content in contents(item_ids, lock=True):
            parts = [
                (content.title, "A"),
                (" ".join(content.creators), "B"),
                (" ".join(content.categories), "C"),
                (" ".join(content.topics), "C"),
                (content.description, "D"),
            ]
            rows.append((content.id, words.vector_literal(parts)))
            latin |= words.latin_words(" ".join(text for text, _ in parts))
        put_words(rows, latin)


def put_words(rows: Sequence[tuple[int, str]], latin: Iterable[str]) -> None:
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
            [sorted(set(latin))],
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
    creators: list[dict]  # {"id": int, "uuid": str, "name": str}, the first one first
    source: str  # the system that it comes from
    external_id: str | None  # what that system calls it


# Where a browser finds the picture: here, once it was fetched.
IMAGE = "CASE WHEN i.picture <> '' THEN '/pictures/' || i.picture ELSE i.image_url END"
# The columns of Facts, of a statement about `catalog_item i`.
FACTS = (
    "i.id, i.uuid, i.kind, i.title, left(i.description, 500), i.url,"
    f" {IMAGE}, i.published_at, (SELECT coalesce(json_agg(json_build_object("
    "   'id', c.id, 'uuid', c.uuid, 'slug', c.slug, 'names', c.names) ORDER BY ic.id),"
    "   '[]')::text FROM catalog_item_categories ic"
    "   JOIN catalog_category c ON c.id = ic.category_id WHERE ic.item_id = i.id),"
    " (SELECT coalesce(json_agg(json_build_object("
    "   'id', c.id, 'uuid', c.uuid, 'name', c.name) ORDER BY ic.position), '[]')::text"
    "   FROM catalog_itemcreator ic"
    "   JOIN catalog_creator c ON c.id = ic.creator_id WHERE ic.item_id = i.id),"
    " i.source, i.external_id"
)


def facts_of(row: Sequence, **changed) -> Facts:
    """From the columns FACTS."""
    facts = Facts(*row[:8], json.loads(row[8]), json.loads(row[9]), *row[10:])
    return replace(facts, **changed) if changed else facts


def facts(item_ids: Sequence[int], *, shown: bool = False) -> dict[int, Facts]:
    """Everything to show of the items of one page: one statement, of the primary.

    shown  only of those that may be shown now, whatever a replica knew when they were looked for
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FACTS} FROM catalog_item i WHERE i.id = ANY(%s)"
            + (f" AND {SHOWN}" if shown else ""),
            [[int(item) for item in item_ids]],
        )
        return {row[0]: facts_of(row) for row in cursor.fetchall()}


def describe(items: Sequence[Facts]) -> dict:
    """Words for an interest: the commonest categories and creators of the items in it."""
    categories = Counter(category["slug"] for item in items for category in item.categories)
    names = {c["slug"]: c["names"] for item in items for c in item.categories}
    creators = Counter(creator["name"] for item in items for creator in item.creators)
    return {
        "categories": [
            {"slug": slug, "names": names[slug]} for slug, _ in categories.most_common(3)
        ],
        "creators": [name for name, times in creators.most_common(2) if times > 1],
        "items": len(items),
        "example": items[0].title if items else "",
    }


@dataclass(frozen=True)
class Standing:
    """An item, and since when it can be shown and no longer."""

    id: int
    is_available: bool
    created_at: datetime
    removed_at: datetime | None


def standing(uuid: UUID) -> Standing | None:
    """Of any item there ever was."""
    row = Item.objects.filter(uuid=uuid).values_list(
        "id", "is_available", "created_at", "removed_at"
    )
    return Standing(*row[0]) if row else None


@item_side
def items_with_words(query: str, *, limit: int, only: Condition | None = None) -> list[int]:
    """Shown items that match a tsquery literal, and a condition if there is one, best first."""
    passes, params = (f" AND ({only.sql})", only.params) if only else ("", ())
    with reader().cursor() as cursor:
        cursor.execute(
            "SELECT w.item_id FROM recommender_itemwords w JOIN catalog_item i ON i.id = w.item_id"
            f" WHERE w.tokens @@ %s::tsquery AND {SHOWN}{passes}"
            " ORDER BY ts_rank('{0.1, 0.2, 0.4, 1.0}', w.tokens, %s::tsquery, 1) DESC, w.item_id"
            " LIMIT %s",
            [query, *params, query, limit],
        )
        return [row[0] for row in cursor.fetchall()]


@item_side
def known_words(asked: Sequence[str]) -> dict[str, int]:
    """Those Latin words that stand in some item, with how many items, counted up to 100."""
    with reader().cursor() as cursor:
        cursor.execute(
            "SELECT word, (SELECT count(*) FROM (SELECT 1 FROM recommender_itemwords"
            "   WHERE tokens @@ word::tsquery LIMIT 100) found)"
            " FROM recommender_word WHERE word = ANY(%s)",
            [list(asked)],
        )
        return dict(cursor.fetchall())


@item_side
def nearest_items(
    space: Space, vector: np.ndarray, *, limit: int, without: Sequence[int] = ()
) -> list[tuple[int, float]]:
    """Shown items nearest to a unit vector: (item id, cosine), best first."""
    distance = f"{space.column} <=> %s::halfvec({int(space.dimension)})"
    text = as_text(vector)
    link = reader()
    with transaction.atomic(using=link.alias), link.cursor() as cursor:
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


def embeddings_of(space: Space, item_ids: Sequence[int]) -> dict[int, tuple[bytes, np.ndarray]]:
    """Item → fingerprint and vector (d,), of those that have one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT item_id, fingerprint, halfvec_send(embedding) FROM recommender_itemembedding"
            f" WHERE space_id = {int(space.id)} AND item_id = ANY(%s)",
            [list(item_ids)],
        )
        rows = cursor.fetchall()
    vectors = from_binary([row[2] for row in rows], space.dimension)
    return {
        item: (bytes(mark), vector) for (item, mark, _), vector in zip(rows, vectors, strict=True)
    }
