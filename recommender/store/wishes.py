"""What people said they want or do not want. Only the person who said it is ever asked about."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from recommender.models import EmbeddingSpace, Wish


def wishes_of(user_id: int, *, removed_within: timedelta = timedelta(0)) -> list[Wish]:
    """Those in force in the order of saying, and those that were removed a short while ago."""
    lately = Q(removed_at=None)
    if removed_within:
        lately |= Q(removed_at__gt=Now() - removed_within)
    return list(Wish.objects.filter(lately, user_id=user_id).defer("embedding").order_by("id"))


def put_wishes(
    user_id: int,
    said: Sequence[tuple[str, str]],
    vectors: np.ndarray,
    space: EmbeddingSpace | None,
    *,
    is_provisional: bool,
) -> list[Wish]:
    """Keep what was said, and answer the rows; hold the lock of the person.

    said     (text, sign); what is in force already stays, the opposite of it is removed
    vectors  (n, d), zeros where there is none yet
    """
    in_force = {wish.text.casefold(): wish for wish in wishes_of(user_id)}
    kept = []
    for (text, sign), vector in zip(said, vectors, strict=True):
        wish = in_force.get(text.casefold())
        if wish is None or wish.sign != sign:
            if wish:
                remove_wishes(user_id, wish.uuid)
            wish = Wish.objects.create(
                user_id=user_id,
                text=text,
                sign=sign,
                embedding=vector if vector.any() else None,
                space=space if vector.any() else None,
                is_provisional=is_provisional,
            )
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


def put_wish_vectors(space: EmbeddingSpace, wish_ids: Sequence[int], vectors: np.ndarray) -> None:
    for wish, vector in zip(wish_ids, vectors, strict=True):
        Wish.objects.filter(pk=wish).update(embedding=vector, space=space, is_provisional=False)


def people_with_wishes_to_encode(space: EmbeddingSpace | None) -> list[int]:
    return list(_to_encode(space).order_by("user_id").values_list("user_id", flat=True).distinct())


def purge_removed_wishes(older_than: timedelta) -> int:
    """Forget for good what was removed and not brought back."""
    return Wish.objects.filter(removed_at__lt=Now() - older_than).delete()[0]
