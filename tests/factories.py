"""Makers of facts for tests: each says what matters and hides the rest."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from catalog import server_keys, services
from catalog.models import Category, Consent, Creator, Feedback, Item, ServerKey, User
from catalog.services import Given
from recommender import embed, learn, store, train
from recommender.models import Calibration, ModelVersion
from recommender.ranking.model import LISTS, untrained
from recommender.store.adoption import Adopted

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


def make_key(*scopes: str, source: str = "shop") -> str:
    """A key of a server, for a day; with all scopes where none is named."""
    tomorrow, scopes = datetime.now(UTC) + timedelta(days=1), list(scopes or ServerKey.Scope.values)
    row = ServerKey(name="shop server", source=source, scopes=scopes, expires_at=tomorrow)
    return server_keys.issue(row)


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


def make_version(name: str, *, passes: bool = True, ndcg: float = 0.2) -> ModelVersion:
    """A version as a training leaves it, inactive: of nothing, and judged as said."""
    metrics = {
        "people": 40,
        "against": "popularity",
        "ndcg": [ndcg, ndcg - 0.05, ndcg + 0.05],
        "ndcg_of_popularity": [0.1, 0.05, 0.15],
        "difference": [ndcg - 0.1, ndcg - 0.15, ndcg - 0.05],
        "by_length": [
            {"from": 0, "to": 0, "people": 3, "ndcg": 0.11, "ndcg_of_popularity": 0.1},
            {"from": 101, "to": None, "people": 37, "ndcg": 0.24, "ndcg_of_popularity": 0.1},
        ],
    }
    none, no_lists = np.zeros((0, 1)), np.zeros((0, len(LISTS), 1))
    return store.put_version(
        untrained(),
        Adopted(none[:, 0], no_lists, no_lists, none, none, none, none),
        name=name,
        data_digest="",
        events=100,
        people=40,
        items=30,
        until=datetime.now(UTC),
        seed=0,
        seconds=1.5,
        metrics=metrics,
        has_passed=passes,
    )


def embed_and_learn() -> None:
    """Do all the work that waits, as the workers would, and serve what was learned if anything."""
    embed.embed_everything()
    learn.refresh_popularity()
    with suppress(train.Untrainable):  # a test with hardly any feedback is served untrained
        train.activate(train.train(), force=True)


def make_calibration(**changed) -> Calibration:
    """Of dpp: 4 % of NDCG for a strength of 0.3, half of it for 0.9."""
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    curve = [
        ["mmr", 0.0, 1.0, 1.0], ["mmr", 0.2, 0.98, 1.1], ["mmr", 0.6, 0.5, 1.5],
        ["dpp", 0.0, 1.0, 1.0], ["dpp", 0.3, 0.96, 1.2], ["dpp", 0.9, 0.5, 1.6],
    ]  # fmt: skip
    values = {
        "scenario": "home", "made_at": moment, "until": moment, "people": 10, "events": 100,
        "budget": 0.02, "strategy": "dpp", "strength": 0.15, "seconds": 1.0,
        "curves": {"at": 10, "points": [], "curve": changed.pop("curve", curve)},
    }  # fmt: skip
    return store.put_calibration(Calibration(**values | changed))
