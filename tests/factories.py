"""Makers of facts for tests: each says what matters and hides the rest."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

from catalog import services
from catalog.models import Category, Consent, Creator, Feedback, Item, User
from catalog.services import Given
from recommender import embed, learn, train

_numbers = count(1)


def make_person(name: str, *, agrees: bool = True, **fields) -> User:
    """A member, who agreed to personalisation unless said otherwise."""
    user = User.objects.create_user(
        f"{name}@example.org", "a password of alice", name=name, **fields
    )
    if agrees:
        Consent.objects.create(user=user, purpose="personalisation", version="test")
    return user


def make_category(slug: str) -> Category:
    return Category.objects.get_or_create(slug=slug, defaults={"names": {"en": slug.title()}})[0]


def make_item(
    title: str, *, categories: Iterable[str] = (), creator: str | None = None, **fields
) -> Item:
    """An item through the service, so announced."""
    creators = [Creator.objects.get_or_create(name=creator)[0]] if creator else []
    return services.save_item(
        Item(title=title, **fields),
        categories=[make_category(slug) for slug in categories],
        creators=creators,
    )


def give(user: User, item: Item, kind: str = "like", **fields) -> Feedback:
    return services.record_feedback(user, Given(item=item.uuid, kind=kind, **fields))[0]


def import_feedback(user: User, item: Item, kind: str = "like", *, days_ago: float = 1, **fields):
    """A row of history as an import writes it: no clamp, no announcement."""
    return Feedback.objects.create(
        user=user,
        item=item,
        kind=kind,
        occurred_at=datetime.now(UTC) - timedelta(days=days_ago),
        **fields,
    )


def embed_and_learn() -> None:
    """Do all the work that waits, as the workers would, and serve what was learned if anything."""
    embed.embed_everything()
    learn.refresh_popularity()
    with suppress(train.Untrainable):  # a test with hardly any feedback is served untrained
        train.activate(train.train(), force=True)
