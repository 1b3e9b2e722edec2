"""Reads of facts that pages and API share."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from catalog.models import Category, Creator, Feedback, Item, ItemCreator, User

DEEPEST = 20  # levels of the tree of categories that are read
MOST_CHILDREN = 100  # of one category, told with it


def shown_items() -> QuerySet[Item]:
    """Items a person may see, with what is needed to show them, in three statements."""
    creators = ItemCreator.objects.select_related("creator").order_by("position")
    return Item.objects.filter(is_available=True, removed_at=None).prefetch_related(
        "categories", Prefetch("itemcreator_set", queryset=creators)
    )


def shown_item(uuid: UUID) -> Item | None:
    return shown_items().filter(uuid=uuid).first()


def items_known_as(source: str, external_ids: list[str]) -> dict[str, int]:
    """Ids of the items that a system knows by its own."""
    rows = Item.objects.filter(source=source, external_id__in=external_ids)
    return dict(rows.values_list("external_id", "pk"))


def live_feedback(user: User) -> QuerySet[Feedback]:
    """What a person said and did not take back, newest first."""
    return (
        Feedback.objects.filter(user=user, retracted_at=None, superseded_at=None)
        .select_related("item")
        .order_by("-occurred_at", "-id")
    )


def opinions(user: User, item_ids: list[int]) -> dict[int, Feedback]:
    """The live opinion of a person on each of some items."""
    rows = live_feedback(user).filter(item_id__in=item_ids, kind__in=Feedback.OPINIONS)
    return {row.item_id: row for row in rows}


def opinion_on(user: User, item_uuid: UUID) -> Feedback | None:
    """The live opinion of a person on one item."""
    rows = live_feedback(user).filter(item__uuid=item_uuid, kind__in=Feedback.OPINIONS)
    return rows.first()


def categories() -> QuerySet[Category]:
    return Category.objects.order_by("slug")


def category_in_tree(slug: str) -> list[Category] | None:
    """A category behind all that it lies below, the root first; None if there is none."""
    rows = list(
        Category.objects.raw(
            "WITH RECURSIVE up AS (SELECT c.*, 0 AS above FROM catalog_category c WHERE slug = %s"
            " UNION ALL SELECT c.*, up.above + 1 FROM catalog_category c JOIN up"
            f" ON c.id = up.parent_id WHERE up.above < {DEEPEST})"
            " SELECT * FROM up ORDER BY above DESC",
            [slug],
        )
    )
    return rows or None


def children_of(category: Category) -> QuerySet[Category]:
    return categories().filter(parent=category)[:MOST_CHILDREN]


def creators_shown() -> QuerySet[Creator]:
    """Those who made an item that a person may see."""
    theirs = ItemCreator.objects.filter(
        creator=OuterRef("pk"), item__is_available=True, item__removed_at=None
    )
    return Creator.objects.filter(Exists(theirs))


def creator_called(uuid: UUID) -> Creator | None:
    return creators_shown().filter(uuid=uuid).first()


def person_called(said: str) -> User | None:
    """By public id, by e-mail address, or by the id of another system as source:id."""
    people = User.objects.filter(erased_at=None)
    try:
        return people.filter(uuid=UUID(said)).first()
    except ValueError:
        source, _, external_id = said.partition(":")
        return (
            people.filter(email=said.lower()).first()
            or people.filter(source=source, external_id=external_id).first()
        )
