"""Reads of facts that pages and API share."""

from uuid import UUID

from django.db.models import Prefetch, QuerySet

from catalog.models import Category, Feedback, Item, ItemCreator, User


def shown_items() -> QuerySet[Item]:
    """Items a person may see, with what is needed to show them, in three statements."""
    creators = ItemCreator.objects.select_related("creator").order_by("position")
    return Item.objects.filter(is_available=True, removed_at=None).prefetch_related(
        "categories", Prefetch("itemcreator_set", queryset=creators)
    )


def shown_item(uuid: UUID) -> Item | None:
    return shown_items().filter(uuid=uuid).first()


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
