"""Answer one request: who asks, what was liked, what was found, in which order, and why.

At most six statements: the token's (in the door), the person side, the items touched, the
candidates, the facts to show, and the list that is kept. All but the first are here, in one
transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction

from catalog.uuid7 import uuid7
from recommender import store
from recommender.candidates.taste import Taste, read_taste
from recommender.diversity import Limits
from recommender.filtering.expression import parse
from recommender.filtering.fields import fields_with
from recommender.ranking.adjust import Adjustment
from recommender.ranking.asked import Wishes, hold_against
from recommender.ranking.assemble import ask_to_explore, asks, asks_for_wishes, person_of, pool_of
from recommender.ranking.explain import Reason as Code
from recommender.ranking.explain import explanation_of, reason_codes
from recommender.ranking.explore import Explored, explore
from recommender.ranking.model import LISTS
from recommender.ranking.pipeline import Pool, Ranked, Rules, keeps_limits, rank, report_of
from recommender.ranking.steered import Steer, moves, places_changed, pull_of, steered
from recommender.store import Condition, Facts, Found, PersonSide, Source, Touched

DAY = 86_400.0
POOL_FACTOR = 10  # candidates for each place of a list, at least: a small pool has no variety


@dataclass(frozen=True)
class Reason:
    """Why an item stands in a list, in facts: the liked item or the category behind it."""

    kind: str  # wish, voted, similar, popular, new, varied, explored
    like_title: str = ""
    like_uuid: UUID | None = None
    wish: str = ""  # what was asked for


@dataclass(frozen=True)
class Shown:
    """One row of a list."""

    rank: int
    facts: Facts
    relevance: float  # 0 to 1
    reason: Reason | None


@dataclass(frozen=True)
class Moved:
    """An item that steering put in another place, or took into the list or out of it."""

    item: UUID
    former: int | None  # place from 1 without steering
    place: int | None  # place from 1 in the list
    by: list[UUID]  # what the person steers by that speaks of it; none: others made room or took it


@dataclass(frozen=True)
class Effect:
    """What steering did to a list."""

    changed: int  # places that hold another item than without it
    moved: list[Moved]
    muted: int  # how much is muted, whose items came into no list


@dataclass(frozen=True)
class Recommendation:
    """A list with its id, what was asked for, and how diverse it came out."""

    id: UUID
    results: list[Shown]
    report: dict
    diversity: float
    strategy: str
    likes: int  # of the person, as far as the request read
    steering: list[Steer]
    effect: Effect | None  # of steering, if there is any


def recommend(
    user_id: int | None,
    *,
    limit: int = 20,
    diversity: float | None = None,
    strategy: str | None = None,
    budget: float | None = None,
    limits: Limits | None = None,
    scenario: str = "home",
    filter: str | None = None,
    exploration: float | None = None,
) -> Recommendation:
    """The list for a person (None: somebody we do not know), by the newest feedback.

    diversity    0 keeps the order of relevance, 1 looks at variety alone; None takes what the
                 person set, else the setting of the site
    budget       in its place: the share of relevance that may be given up, 0 to 1
    limits       floors and ceilings of the list; of creators the site's where none is given
    filter       an expression over fields of items; FilterError if it cannot be used
    exploration  the share of places for items that hardly anybody has seen, whatever the diversity:
                 what is new depends on it and not on sliders; None takes the setting of the site
    """
    if exploration is None:
        exploration = settings.EXPLORATION_SHARE
    with transaction.atomic():
        side = store.person_side(user_id)
        only = condition_of(filter, side)
        history = side.history
        taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
        model = store.model_served(side.version, side.space)
        known = store.touched(side.space, side.version, taste.items)
        person, voted = person_of(taste, known.known, model, touched=len(side.seen))
        size, n_likes = max(settings.POOL_SIZE, POOL_FACTOR * limit), int(taste.liked.sum())
        plan = asks(person, voted, side.candidates, pool_size=size)
        plan += asks_for_wishes(side.wishes, n_likes=n_likes, pool_size=size)
        if exploration:
            plan.append(ask_to_explore())
        found = store.find(
            side.space,
            [
                Source(
                    weight=ask.weight,
                    limit=ask.limit,
                    vector=ask.vector,
                    item_ids=ask.ids,
                    order=ask.order,
                )
                for ask in plan
            ],
            version=side.version,
            seen=side.seen,
            limit=size,
            only=only,
            steering=side.steering,
        )
        pool = pool_of(
            voted,
            ids=found.ids,
            vectors=found.vectors,
            category_ids=found.category_ids,
            creators=found.creators,
            popularity=found.popularity,
            trend=found.trend,
            age_days=np.maximum(found.now - found.moments, 0) / DAY,
            factors=found.factors,
            stand_in_ids=found.stand_in_ids,
            stand_in_weights=found.stand_in_weights,
        )
        asked = hold_against(side.wishes, found.vectors, found.category_ids, n_likes=n_likes)
        if diversity is None:
            diversity = settings.DEFAULT_DIVERSITY if side.diversity is None else side.diversity
        strategy = strategy or settings.DEFAULT_STRATEGY
        limits = limits or Limits()
        if limits.max_per_creator is None:
            limits = replace(limits, max_per_creator=settings.MAX_PER_CREATOR)
        rules = Rules(limit, diversity, strategy, budget, limits, model=model)
        served = uuid7()

        def ordered(adjustments: Sequence[Adjustment]) -> tuple[Ranked, Explored]:
            ranked = rank(person, pool, rules, asked, adjustments)
            return ranked, explore(
                ranked.order,
                ranked.parts.sum(axis=1),
                found.shown,
                found.taken,
                share=exploration,
                fits=keeps_limits(pool, rules),
                rng=np.random.default_rng(served.int),  # so that its id gives the list again
            )

        pull = pull_of(side.steering, found.steers)
        adjustments: list[Adjustment] = []
        said = [steered(pull)] if pull.any() else []
        ranked, explored = ordered(adjustments + said)
        without = ordered(adjustments)[1] if said else explored
        effect = _effect(side.steering, found, without.order, explored.order)
        ranked = replace(ranked, order=explored.order)
        report = report_of(
            ranked.order, ranked.relevance, pool, ranked.diversified, last_ids=side.last_shown
        )
        reasons = reason_codes(person, pool, ranked, ranked.order, asked)
        for place in explored.places:
            reasons[place] = Code("explored")
        results = _rows(pool, ranked, reasons, known, taste, side.wishes)
        report = asdict(report) | {"explored": [int(place) + 1 for place in explored.places]}
        store.put_served(
            served,
            user_id,
            scenario=scenario,
            settings={
                "limit": limit,
                "diversity": diversity,
                "strategy": strategy,
                "exploration": exploration,
            }
            | {name: getattr(limits, name) for name in limits.asked()}
            | ({} if budget is None else {"budget": budget})
            | ({"filter": filter} if filter else {}),
            item_ids=[row.facts.id for row in results],
            relevance=[row.relevance for row in results],
            propensity=explored.propensity,
            report=report,
            explanation=explanation_of(
                person,
                pool,
                ranked,
                rules,
                reasons,
                asked,
                found_by=found.sources,
                sources=[ask.name for ask in plan],
                wish_ids=side.wishes.ids,
                steering=side.steering,
            ),
        )
    return Recommendation(
        served, results, report, diversity, strategy, n_likes, side.steering, effect
    )


def condition_of(filter: str | None, side: PersonSide) -> Condition | None:
    """What a filter asks of items; FilterError if it cannot be used."""
    if filter is None:
        return None
    return store.condition_of(parse(filter, fields_with(side.attributes)))


def _effect(
    steering: Sequence[Steer], found: Found, before: np.ndarray, after: np.ndarray
) -> Effect | None:
    if not steering:
        return None
    moved = [
        Moved(
            found.uuids[move.row],
            move.former,
            move.place,
            [steering[number].id for number in found.steers[move.row]],
        )
        for move in moves(before, after)
    ]
    muted = sum(steer.action == "mute" for steer in steering)
    return Effect(places_changed(before, after), moved, muted)


def _rows(
    pool: Pool,
    ranked: Ranked,
    reasons: list[Code | None],
    known: Touched,
    taste: Taste,
    wishes: Wishes,
) -> list[Shown]:
    facts = store.facts(pool.ids[ranked.order])
    liked = np.flatnonzero(taste.liked)  # rows of what was touched
    return [
        Shown(
            rank=place,
            facts=facts[int(pool.ids[row])],
            relevance=float(ranked.relevance[row]),
            reason=reason
            and Reason(
                reason.kind,
                known.titles[liked[reason.like]] if reason.like is not None else "",
                known.uuids[liked[reason.like]] if reason.like is not None else None,
                wishes.texts[reason.wish] if reason.wish is not None else "",
            ),
        )
        for place, (row, reason) in enumerate(zip(ranked.order, reasons, strict=True), start=1)
    ]


def similar(
    item_id: int, *, limit: int = 20, user_id: int | None = None, filter: str | None = None
) -> list[Shown]:
    """Items like one item: near in content, or liked by the same people. Best first.

    filter  an expression over fields of items; FilterError if it cannot be used
    """
    with transaction.atomic():
        side = store.person_side(user_id, history=1)
        only = condition_of(filter, side)
        known = store.touched(side.space, side.version, [item_id]).known
        sources = []
        if known.vectors.any():
            sources.append(Source(weight=1.0, vector=known.vectors[0], limit=3 * limit))
        taste = LISTS.index("taste")
        near = known.related_ids[0, taste][known.related_weights[0, taste] > 0]
        if len(near):
            sources.append(Source(weight=0.5, item_ids=near[: 3 * limit]))
        found = store.find(side.space, sources, seen=[item_id], limit=limit, only=only)
        facts = store.facts(found.ids)
    cosine = found.vectors @ known.vectors[0] if len(found.ids) else []
    return [
        Shown(place, facts[int(item)], float(np.clip(close, 0, 1)), None)
        for place, (item, close) in enumerate(zip(found.ids, cosine, strict=True), start=1)
    ]
