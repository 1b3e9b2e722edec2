"""What people said they want or do not want. Only the person who said it is ever asked about."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from recommender.models import EmbeddingSpace, Wish


def wishes_of(user_id: int, *, removed_within: timedelta = timedelta(0)) -> list[Wish]:
    """Those in force in the order of saying, and those that were removed a short while ago."""
    lately = Q(removed_at=None)
    if removed_within:
        lately |= Q(removed_at__gt=Now() - removed_within)
    return list(Wish.objects.filter(lately, user_id=user_id).defer("embedding").order_by("id"))


def put_wishes(user_id: int, said: Sequence[Wish]) -> list[Wish]:
    """Keep what a person said, and answer the rows; hold the lock of the person.

    What is in force already stays, and what is the opposite of it is removed.
    """
    in_force = {wish.text.casefold(): wish for wish in wishes_of(user_id)}
    kept = []
    for wish in said:
        former = in_force.get(wish.text.casefold())
        if former and former.sign == wish.sign:
            kept.append(former)
            continue
        if former:
            remove_wishes(user_id, former.uuid)
        wish.save(force_insert=True)
        kept.append(wish)
    return kept


def remove_wishes(user_id: int, uuid: UUID | None = None) -> int:
    """Take one of a person's wishes out of force, or all; how many there were."""
    wishes = Wish.objects.filter(user_id=user_id, removed_at=None)
    return (wishes.filter(uuid=uuid) if uuid else wishes).update(removed_at=Now())


def restore_wish(user_id: int, uuid: UUID) -> bool:
    """Undo a removal, unless the same was said again since; hold the lock of the person."""
    wish = Wish.objects.filter(user_id=user_id, uuid=uuid).defer("embedding").first()
    if wish is None:
        return False
    others = [other for other in wishes_of(user_id) if other.pk != wish.pk]
    if wish.text.casefold() not in {other.text.casefold() for other in others}:
        Wish.objects.filter(pk=wish.pk).update(removed_at=None)
    return True


def _to_encode(space: EmbeddingSpace | None) -> QuerySet[Wish]:
    stale = Q(is_provisional=True) | Q(embedding=None)
    if space:
        stale |= Q(space=None) | ~Q(space=space)
    return Wish.objects.filter(stale, removed_at=None)


def wishes_to_encode(user_id: int, space: EmbeddingSpace) -> list[Wish]:
    """Wishes without the encoder's own vector in a space."""
    return list(_to_encode(space).filter(user_id=user_id).order_by("id"))


def put_what_wishes_mean(wishes: Sequence[Wish]) -> None:
    """Write vectors and kinds; whatever became of a wish meanwhile stays."""
    Wish.objects.bulk_update(wishes, ["embedding", "space", "is_provisional", "category_ids"])


def people_with_wishes_to_encode(space: EmbeddingSpace | None) -> list[int]:
    return list(_to_encode(space).order_by("user_id").values_list("user_id", flat=True).distinct())


def purge_removed_wishes(older_than: timedelta) -> int:
    """Forget for good what was removed and not brought back."""
    return Wish.objects.filter(removed_at__lt=Now() - older_than).delete()[0]
