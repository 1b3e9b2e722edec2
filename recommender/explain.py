"""Why an item stands in a list that was shown, and why another does not.

Both are answered from what was kept with the list: feedback, models and items may have changed
since. Only the person it was made for and operators are answered; of everybody else's lists, and of
a list that never was, nothing is known: None.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from catalog.models import User
from recommender import store
from recommender.filtering.expression import FilterError, parse
from recommender.filtering.fields import fields_with
from recommender.models import ScenarioPin
from recommender.ranking.explain import Explanation
from recommender.store import Condition, Facts, ServedList, Standing


@dataclass(frozen=True)
class Points:
    """What one part gives to the relevance of an item, or takes from it."""

    part: str  # a name in ranking.explain.ALL_PARTS, or "cut"
    points: int


@dataclass(frozen=True)
class Behind:
    """An interest that found an item."""

    percent: int  # of what the person likes
    words: dict
    likes: list[Facts]


@dataclass(frozen=True)
class Why:
    """Why an item stands in a list."""

    served_at: datetime
    item: Facts
    place: int
    place_by_relevance: int
    moved_by: str | None  # diversity, exploration or pinned
    relevance: int  # out of 100, as it was shown
    points: list[Points]  # that add up to it, the most first
    reason: str | None  # a kind of reason
    likes: list[Facts]  # liked items behind it, that of the reason first
    wish: str  # that it is near to; empty without
    is_picked: bool  # the items behind it were not liked but picked for this list
    interests: list[Behind]
    sources: list[str]  # that found it


@dataclass(frozen=True)
class WhyNot:
    """Where on its way to a list an item fell."""

    served_at: datetime
    item: Facts
    # shown, later, removed, unavailable, about, excluded, picked, beside, seen, muted,
    # scenario_filter, filter, not_found; and of those in the pool: exploration, pinned, relevance,
    # diversity, or the ceiling that kept it out, such as max_per_creator, or duplicate
    stage: str
    place: int | None  # of an item that was shown
    place_by_relevance: int | None  # of an item in the pool
    relevance: int | None  # of an item in the pool, out of 100
    list_size: int
    pool_size: int


def why(served_id: UUID, item_uuid: UUID, viewer: User) -> Why | None:
    """None too for an item that was not in the list."""
    asked = _asked(served_id, item_uuid, viewer)
    if asked is None:
        return None
    served, item, kept = asked
    if item.id not in served.item_ids:
        return None
    row = served.item_ids.index(item.id)
    found_by, interests = kept.found_by[row], []
    for number, source in enumerate(n for n, name in enumerate(kept.sources) if name == "interest"):
        if found_by >> source & 1:
            interests.append(number)
    facts = store.facts(
        [item.id, *kept.likes[row], *(like for n in interests for like in kept.interests[n])]
    )
    points = [
        Points(part, number)
        for part, number in zip(kept.parts, kept.points[row], strict=True)
        if number
    ]
    wish = kept.wishes[row]
    place, by_relevance = row + 1, kept.pool.index(item.id) + 1
    return Why(
        served_at=served.served_at,
        item=facts[item.id],
        place=place,
        place_by_relevance=by_relevance,
        moved_by=_moved_by(kept.reasons[row], place, by_relevance),
        relevance=kept.relevance[by_relevance - 1],
        points=sorted(points, key=lambda point: -abs(point.points)),
        reason=kept.reasons[row],
        likes=_of(facts, kept.likes[row]),
        wish=store.wish_text(wish) if wish is not None else "",
        is_picked="items" in served.settings,
        interests=[
            Behind(kept.shares[n], store.describe(likes), likes)
            for n in interests
            for likes in [_of(facts, kept.interests[n])]
        ],
        sources=list(
            dict.fromkeys(name for n, name in enumerate(kept.sources) if found_by >> n & 1)
        ),
    )


def why_not(served_id: UUID, item_uuid: UUID, viewer: User) -> WhyNot | None:
    """The first stage at which an item fell; "shown" if it did not."""
    asked = _asked(served_id, item_uuid, viewer)
    if asked is None:
        return None
    served, item, kept = asked
    in_pool = kept.pool.index(item.id) if item.id in kept.pool else None
    if in_pool is None:
        stage = _outside(served, kept, item, item_uuid)
    else:
        stage = _inside(served, kept, in_pool)
    return WhyNot(
        served_at=served.served_at,
        item=store.facts([item.id])[item.id],
        stage=stage,
        place=served.item_ids.index(item.id) + 1 if item.id in served.item_ids else None,
        place_by_relevance=None if in_pool is None else in_pool + 1,
        relevance=None if in_pool is None else kept.relevance[in_pool],
        list_size=len(served.item_ids),
        pool_size=len(kept.pool),
    )


def _asked(
    served_id: UUID, item_uuid: UUID, viewer: User
) -> tuple[ServedList, Standing, Explanation] | None:
    served = store.served_list(served_id)
    if served is None or served.explanation is None:
        return None
    is_owner = served.user_id is not None and served.user_id == viewer.pk
    if not is_owner and not (viewer.is_staff and viewer.has_perm("recommender.view_served")):
        return None
    item = store.standing(item_uuid)
    return None if item is None else (served, item, served.explanation)


def _moved_by(reason: str | None, place: int, by_relevance: int) -> str | None:
    if reason == "explored":
        return "exploration"
    if reason in ScenarioPin.Label:
        return "pinned"
    return "diversity" if place < by_relevance else None


def _inside(served: ServedList, kept: Explanation, row: int) -> str:
    """The stage of an item of the pool."""
    item = kept.pool[row]
    if item in served.item_ids:
        return "shown"
    if item in kept.displaced:
        return "exploration"
    if item in kept.made_way:
        return "pinned"
    if row >= kept.cut:
        return "relevance"
    for ceiling, out in kept.capped.items():
        if item in out:
            return ceiling
    return "diversity"


def _outside(served: ServedList, kept: Explanation, item: Standing, uuid: UUID) -> str:
    """The stage of an item that never got into the pool."""
    if item.created_at > served.served_at:
        return "later"
    if item.removed_at is not None and item.removed_at <= served.served_at:
        return "removed"
    if served.settings.get("about") == item.id:
        return "about"
    for stage, name in (("excluded", "exclude"), ("picked", "items")):
        if str(uuid) in served.settings.get(name, ()):
            return stage
    if item.id in served.settings.get("beside", ()):
        return "beside"
    again_after_days = served.settings.get("again_after_days")
    if store.had_seen(served.user_id, item.id, served.served_at, again_after_days):
        return "seen"
    if not item.is_available:
        return "unavailable"
    if kept.mutes and store.is_muted(item.id, kept.mutes):
        return "muted"
    for name, condition in _filters(served.settings):
        if not store.passes(condition, item.id):
            return name
    return "not_found"


def _filters(settings: dict) -> Iterator[tuple[str, Condition]]:
    """What kept items out, as they are now; what speaks of a field that is gone says nothing."""
    if "category" in settings:
        yield "scenario_filter", store.in_category(settings["category"])
    for name in ("scenario_filter", "filter"):
        if name in settings:
            try:
                yield name, store.condition_of(parse(settings[name], fields_with(store.declared())))
            except FilterError:
                continue


def _of(facts: dict[int, Facts], ids: list[int]) -> list[Facts]:
    return [facts[item] for item in ids if item in facts]
