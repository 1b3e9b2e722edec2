"""What items are about: topics that were read from their texts, and what editors say of them.

The machine writes rows of its own and leaves an editor's alone, a removed one too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from recommender.models import ItemReading, Topic
from recommender.store.spaces import Space
from recommender.store.sql import TOPICS

SHARED_BY = 3  # items that have it make a topic of what is else a keyword of one item
ORPHAN_DAYS = 1  # a topic that an editor has just made has no item yet


@dataclass(frozen=True)
class TopicOfItem:
    """weight  0 to 1, how near it is to what the item says"""

    slug: str
    name: str
    language: str
    weight: float
    is_shared: bool = False


def topics_of(item_id: int) -> list[TopicOfItem]:
    """What an item is about: topics that it shares or an editor gave it, then its own keywords."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.slug, t.name, t.language, it.weight,"
            f" t.is_shared OR it.source = 'editor' FROM {TOPICS} WHERE it.item_id = %s"
            " ORDER BY 5 DESC, it.weight DESC, t.id",
            [item_id],
        )
        return [TopicOfItem(*row) for row in cursor.fetchall()]


def topic_exists(slug: str) -> bool:
    return Topic.objects.filter(slug=slug).exists()


def readings(item_ids: Sequence[int]) -> dict[int, tuple[bytes, int]]:
    """Item → the fingerprint and the version by which its topics were read."""
    rows = ItemReading.objects.filter(item_id__in=item_ids)
    return {
        item: (bytes(mark), version)
        for item, mark, version in rows.values_list("item_id", "fingerprint", "version")
    }


def put_topics(
    found: dict[int, list[TopicOfItem]], marks: dict[int, bytes], *, version: int
) -> None:
    """Write what was read of items, each with the fingerprint of what it was read from.

    Call with the items locked: the same order for all writers, first items, then topics by slug.
    """
    rows = [(item, topic) for item, topics in found.items() for topic in topics]
    # Of "robots" and "robot" the latter stands in the texts of both.
    names = {topic.slug: topic for _, topic in sorted(rows, key=lambda row: -len(row[1].name))}
    new = [names[slug] for slug in sorted(names)]
    said = "unnest(%s::bigint[], %s::text[], %s::real[]) AS said (item_id, slug, weight)"
    values = [
        [item for item, _ in rows],
        [topic.slug for _, topic in rows],
        [topic.weight for _, topic in rows],
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_topic (slug, name, language, is_shared, is_hidden)"
            " SELECT slug, name, language, false, false"
            " FROM unnest(%s::text[], %s::text[], %s::text[]) AS t (slug, name, language)"
            " ON CONFLICT (slug) DO UPDATE SET name = excluded.name"
            " WHERE recommender_topic.name = excluded.name || 's'",
            [
                [topic.slug for topic in new],
                [topic.name for topic in new],
                [topic.language for topic in new],
            ],
        )
        cursor.execute(
            "DELETE FROM recommender_itemtopic it USING recommender_topic t"
            " WHERE t.id = it.topic_id AND it.item_id = ANY(%s) AND it.source = 'machine'"
            f" AND NOT EXISTS (SELECT 1 FROM {said}"
            "   WHERE said.item_id = it.item_id AND said.slug = t.slug)",
            [list(found), *values],
        )
        cursor.execute(
            "INSERT INTO recommender_itemtopic (item_id, topic_id, weight, source, is_removed)"
            f" SELECT said.item_id, t.id, said.weight, 'machine', false FROM {said}"
            " JOIN recommender_topic t ON t.slug = said.slug"
            " ON CONFLICT (item_id, topic_id) DO UPDATE SET weight = excluded.weight"
            " WHERE recommender_itemtopic.source = 'machine'",
            values,
        )
        cursor.execute(
            "INSERT INTO recommender_itemreading (item_id, fingerprint, version)"
            " SELECT item_id, mark, %s FROM unnest(%s::bigint[], %s::bytea[]) AS t (item_id, mark)"
            " ON CONFLICT (item_id) DO UPDATE SET fingerprint = excluded.fingerprint,"
            " version = excluded.version, read_at = now()",
            [version, list(found), [marks[item] for item in found]],
        )


def share_topics(slugs: Sequence[str] | None = None) -> int:
    """Note which of these topics, or of all, several items have by now; how many are new.

    After the commit that gave them to items: of two workers at once the later one counts both.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH due AS (SELECT t.id FROM recommender_topic t WHERE NOT t.is_shared"
            " AND (%s::text[] IS NULL OR t.slug = ANY(%s)) AND (SELECT count(*) FROM ("
            "   SELECT 1 FROM recommender_itemtopic it"
            "   WHERE it.topic_id = t.id AND NOT it.is_removed LIMIT %s) few) >= %s"
            " ORDER BY t.slug FOR UPDATE)"
            " UPDATE recommender_topic t SET is_shared = true FROM due WHERE t.id = due.id",
            [slugs, slugs, SHARED_BY, SHARED_BY],
        )
        return cursor.rowcount


def prune_topics() -> int:
    """Delete keywords that no item has any more; a topic that was shared may have been chosen by
    somebody, and stays."""
    orphans = Topic.objects.filter(
        items=None,
        is_shared=False,
        is_hidden=False,
        created_at__lt=Now() - timedelta(days=ORPHAN_DAYS),
    )
    return orphans.delete()[0]


def items_to_read(space: Space, *, version: int) -> list[int]:
    """Items whose topics were not read from the vector they have now, or otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.item_id FROM recommender_itemembedding e"
            " JOIN catalog_item i ON i.id = e.item_id AND i.removed_at IS NULL"
            f" WHERE e.space_id = {int(space.id)} AND NOT EXISTS ("
            "   SELECT 1 FROM recommender_itemreading r WHERE r.item_id = e.item_id"
            "   AND r.fingerprint = e.fingerprint AND r.version = %s) ORDER BY e.item_id",
            [version],
        )
        return [row[0] for row in cursor.fetchall()]
