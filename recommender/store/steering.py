"""What people steer by, and what of an item that speaks of.

Rows of people hold ids of categories, creators and topics; no statement joins the two sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery

from catalog.models import Category, Creator, Item, ItemCreator
from recommender.models import ItemTopic, Steering, Topic
from recommender.ranking.steered import Steer
from recommender.store.filters import Condition, passes
from recommender.store.sql import SHOWN, TOPICS

KINDS = Steering.Kind
# What belongs to an item, by the item's id, and the id of what it is.
LINKS = {
    KINDS.CATEGORY: ("catalog_item_categories r WHERE r.item_id = i.id", "r.category_id"),
    KINDS.CREATOR: ("catalog_itemcreator r WHERE r.item_id = i.id", "r.creator_id"),
    KINDS.TOPIC: (f"{TOPICS} WHERE it.item_id = i.id", "it.topic_id"),
}


@dataclass(frozen=True)
class Target:
    """Something to steer by, as it is known outside."""

    id: int
    key: str  # a slug, or of a creator the public id
    name: str
    names: dict = field(default_factory=dict)  # of a category, in each language


# --- the person side ----------------------------------------------------------------------------


def steering_of(user_id: int) -> list[Steering]:
    """In the order of saying."""
    return list(Steering.objects.filter(user_id=user_id).order_by("id"))


def put_steering(user_id: int, *, action: str, kind: str, target_id: int) -> Steering:
    """Keep it in place of what was said of the same before; hold the lock of the person."""
    return Steering.objects.update_or_create(
        user_id=user_id, kind=kind, target_id=target_id, defaults={"action": action}
    )[0]


def count_steering(user_id: int) -> int:
    return Steering.objects.filter(user_id=user_id).count()


def remove_steering(user_id: int, **which) -> bool:
    """Undo one thing, known by its uuid, or by kind and target_id; False if there is none."""
    return bool(Steering.objects.filter(user_id=user_id, **which).delete()[0])


# --- the item side ------------------------------------------------------------------------------


def targets_called(kind: str, said: str) -> list[Target]:
    """What of a kind is called so, if somebody may see it: some item that is shown has it."""
    if kind != KINDS.CREATOR:
        return _targets(kind, _shown(kind).filter(slug=said))
    try:
        return _targets(kind, _shown(kind).filter(uuid=UUID(said)))
    except ValueError:
        return _targets(kind, _shown(kind).filter(name=said).order_by("id"))


def categories_shown(*, limit: int) -> list[Target]:
    """The first categories that some item that is shown is of."""
    return _targets(KINDS.CATEGORY, _shown(KINDS.CATEGORY).order_by("slug")[:limit])


def targets(kind: str, ids: Sequence[int]) -> dict[int, Target]:
    """Those that are still there, shown or not."""
    rows = _MODELS[kind].objects.filter(pk__in=ids)
    return {target.id: target for target in _targets(kind, rows)}


_MODELS = {KINDS.CATEGORY: Category, KINDS.CREATOR: Creator, KINDS.TOPIC: Topic}


def _shown(kind: str) -> QuerySet:
    """Those of which some item is shown.

    One of each is looked for by its index. Of EXISTS the planner makes a join, which reads the
    links of all items: 23 ms at 50,000, where this takes 1.
    """
    shown = {"item__is_available": True, "item__removed_at": None}
    if kind == KINDS.CATEGORY:
        rows = Category.objects.all()
        links = Item.categories.through.objects.filter(category=OuterRef("pk"), **shown)
    elif kind == KINDS.CREATOR:
        rows = Creator.objects.all()
        links = ItemCreator.objects.filter(creator=OuterRef("pk"), **shown)
    else:
        rows = Topic.objects.filter(is_hidden=False)
        links = ItemTopic.objects.filter(topic=OuterRef("pk"), is_removed=False, **shown)
    return rows.alias(one=Subquery(links.values("pk")[:1])).filter(one__isnull=False)


def _targets(kind: str, rows: QuerySet) -> list[Target]:
    if kind == KINDS.CATEGORY:
        return [Target(row.pk, row.slug, row.slug, row.names) for row in rows]
    if kind == KINDS.CREATOR:
        return [Target(row.pk, str(row.uuid), row.name) for row in rows]
    return [Target(row.pk, row.slug, row.name) for row in rows]


def not_muted(steering: Sequence[Steer]) -> Condition:
    """True of an item that no mute speaks of.

    A scalar, which the planner leaves where it is: of NOT EXISTS it may make a join, which reads
    all that is muted and takes the order of the vector index away.
    It takes IS NULL to be true of one row in 200, for which it would rather read all items than the
    index; IS DISTINCT FROM of nearly all.
    """
    parts, params = [], []
    for kind, (link, column) in LINKS.items():
        muted = [steer.target for steer in steering if (steer.action, steer.kind) == ("mute", kind)]
        if muted:
            said = f"SELECT 1 FROM {link} AND {column} = ANY(%s) LIMIT 1"
            parts.append(f" AND ({said}) IS DISTINCT FROM 1")
            params.append(muted)
    return Condition("".join(parts), tuple(params))


def which_apply(steering: Sequence[Steer]) -> Condition:
    """A column: numbers of the more and less of steering that speak of an item, in their order."""
    parts, params = [], []
    for kind, (link, column) in LINKS.items():
        numbers = [
            number
            for number, steer in enumerate(steering)
            if steer.kind == kind and steer.action != "mute"
        ]
        if numbers:
            parts.append(
                f"SELECT (%s::int[])[array_position(%s::bigint[], {column})] FROM {link}"
                f" AND {column} = ANY(%s)"
            )
            ids = [steering[number].target for number in numbers]
            params += [numbers, ids, ids]
    if not parts:
        return Condition("'{}'::int[]", ())
    return Condition(f"ARRAY({' UNION ALL '.join(parts)} ORDER BY 1)", tuple(params))


def still_shown(item_ids: Sequence[int], steering: Sequence[Steer]) -> set[int]:
    """Of some items, those that may be shown now to somebody who steers so."""
    muted = not_muted(steering)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT i.id FROM catalog_item i WHERE i.id = ANY(%s) AND {SHOWN}{muted.sql}",
            [list(item_ids), *muted.params],
        )
        return {item for (item,) in cursor.fetchall()}


def is_muted(item_id: int, mutes: Sequence[tuple[str, int]]) -> bool:
    """Whether mutes, kinds with ids, speak of an item as it is now."""
    condition = not_muted([Steer(UUID(int=0), "mute", kind, target) for kind, target in mutes])
    return not passes(Condition(f"true{condition.sql}", condition.params), item_id)
