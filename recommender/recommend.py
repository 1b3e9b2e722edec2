"""Answer one request: who asks, what was liked, what was found, in which order, and why.

At most six statements: the token's (in the door), the person side, the items touched, the
candidates, the facts to show, and the list that is kept. All but the first are here, in one
transaction.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services import Refused
from recommender import store
from recommender.candidates.taste import Taste, read_taste
from recommender.diversity import Limits
from recommender.diversity.duplicates import shown_for, twins_of
from recommender.filtering.expression import parse
from recommender.filtering.fields import fields_with
from recommender.ranking.adjust import Adjustment
from recommender.ranking.asked import UNWANTED, Wishes, hold_against
from recommender.ranking.assemble import (
    FILLER,
    ask_to_explore,
    asks,
    asks_for_wishes,
    person_of,
    pool_of,
    with_mix,
)
from recommender.ranking.explain import Reason as Code
from recommender.ranking.explain import explanation_of, reason_codes
from recommender.ranking.explore import Explored, explore
from recommender.ranking.model import LISTS
from recommender.ranking.pipeline import (
    Pool,
    Ranked,
    has_no_twins,
    keeps_limits,
    rank,
    report_of,
    similar_to,
)
from recommender.ranking.rested import rested, sights_of
from recommender.ranking.rotated import rotated
from recommender.ranking.scenario import (
    NEEDS,
    TAKES,
    Pinned,
    Scenario,
    adjustments_of,
    plan_of,
    put_pins,
    rules_of,
)
from recommender.ranking.steered import Steer, moves, places_changed, pull_of, steered
from recommender.ranking.tuning import (
    BY_DATE,
    BY_PERSON,
    CHRONOLOGICAL,
    Tuning,
    changed,
    newest_first,
    wished,
)
from recommender.sessions import Page, begin_session, cursor_of, new_seed, page_at, stale
from recommender.store import (
    HOME,
    Condition,
    Facts,
    Found,
    Kept,
    Named,
    PersonSide,
    Place,
    Source,
    Touched,
)

DAY = 86_400.0
UNCALIBRATED = "uncalibrated"
LIMIT = 20  # of a list, where none is asked for
POOL_FACTOR = 10  # candidates for each place of a list, at least: a small pool has no variety


@dataclass(frozen=True)
class Reason:
    """Why an item stands in a list, in facts: the liked item or the category behind it."""

    kind: str  # wish, voted, similar, popular, new, varied, explored, promoted, picked
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
    similar: list[Facts] = field(default_factory=list)  # the same thing again, which is not shown


@dataclass(frozen=True)
class Moved:
    """An item that steering put in another place, or took into the list or out of it."""

    item: UUID
    former: int | None  # place from 1 without steering
    place: int | None  # place from 1 in the list
    by: list[UUID]  # what the person steers by that speaks of it; none: others made room or took it


@dataclass(frozen=True)
class Effect:
    """What steering and wishes of taste did to a list."""

    changed: int  # places that hold another item than without it
    moved: list[Moved]
    muted: int  # how much is muted, whose items came into no list


@dataclass(frozen=True)
class Recommendation:
    """A list with its id, what was asked for, and how diverse it came out."""

    id: UUID
    results: list[Shown]
    report: dict
    agrees: bool  # the person does to personalisation, so that what they say counts
    tuning: Tuning  # as it was applied
    diversity: float  # of it, else of the scenario or the site
    strategy: str
    likes: int  # of the person, as far as the request read
    steering: list[Steer]
    effect: Effect | None  # of steering, if there is any
    place: Place  # the scenario
    places: list[Place]  # all scenarios that may be asked for
    about: Named | None  # the item that the list is about
    seed: int  # of all that is left to chance
    next: str | None  # the cursor of the page after it; None at the end


def recommend(
    user_id: int | None,
    *,
    limit: int | None = None,
    diversity: float | None = None,
    strategy: str | None = None,
    budget: float | None = None,
    limits: Limits | None = None,
    scenario: str | Scenario = HOME.slug,
    category: str | None = None,
    item: UUID | None = None,
    filter: str | None = None,
    exploration: float | None = None,
    rotation: float | None = None,
    seed: int | None = None,
    cursor: str | None = None,
    keep: bool = True,
    preset: str | None = None,
    **tuned: float,
) -> Recommendation:
    """The list for a person (None: somebody we do not know), by the newest feedback.

    diversity    0 keeps the order of relevance, 1 looks at variety alone; None takes what the
                 person set, else what the scenario says, else the setting of the site
    budget       in its place: the share of relevance that may be given up, 0 to 1
    strategy     None takes that of the scenario, else the one that was measured to bring most,
                 else the setting of the site
    limits       floors and ceilings of the list; those of the scenario where none is given, and of
                 creators at last the site's
    scenario     the slug of the place, or one that is not saved yet
    category     the slug of the category that a list is of, for a scenario that needs one
    item         public id of the item that a list is about, for a scenario about one
    filter       an expression over fields of items; FilterError if it cannot be used
    exploration  the share of places for items that hardly anybody has seen, whatever the diversity:
                 what is new depends on it and not on sliders; None takes that of the scenario,
                 else the setting of the site
    rotation     how much of its relevance an item may move by chance, the same within a session;
                 None takes the setting of the site
    seed         0 to 2^63 - 1, of all chance: the same gives the same list while nothing changes;
                 None takes a new one
    cursor       of the next page of a session, which goes by what it was begun with: nothing but a
                 limit is asked for beside it. A page that was made before is given as it was,
                 without what may not be shown any more
    keep         False makes a list that nobody is served and that leaves no trace
    preset       a name in tuning.PRESETS, in the place of what the person set
    tuned        wishes of taste, novelty, recency and popularity, each in the place of what is set
    Raises       Refused for a scenario, category or item that is not there or does not go together,
                 and for a cursor that is stale or was not made for this person
    """
    page, shown = begin_session(), []
    if cursor is not None:
        page, (scenario, category, about_item) = page_at(cursor, user_id)
        item = about_item and UUID(about_item)
    with transaction.atomic():
        side = store.person_side(
            user_id, scenario=scenario, category=category, page=page if cursor else None
        )
        place = _place(side, scenario, category, item)
        if cursor is not None:
            if side.session is None:
                raise stale()
            shown, begun = side.session.shown, side.session.settings
            limit = limit or begun["limit"]
            budget, filter = begun.get("budget"), begun.get("filter")
            diversity = begun["diversity"] if budget is None else None
            strategy, exploration = begun["strategy"], begun["exploration"]
            rotation, seed = begun["rotation"], begun["seed"]
            limits = Limits(**{f.name: begun[f.name] for f in fields(Limits) if f.name in begun})
        limit = limit or LIMIT
        seed = new_seed() if seed is None else seed
        rotation = settings.ROTATION if rotation is None else rotation
        if diversity is not None:
            tuned["diversity"] = diversity
        if cursor is None:
            tuning = changed(side.tuning, preset, tuned)
            by_taste = budget is not None or strategy is not None or place.kind not in BY_PERSON
            by_date = tuning.chronological and not by_taste
        else:
            tuning = Tuning(**{f.name: begun[f.name] for f in fields(Tuning) if f.name in begun})
            by_date = tuning.chronological
        if preset == CHRONOLOGICAL and not by_date:
            text = _("The scenario “%(slug)s” cannot be chronological.") % {"slug": place.slug}
            raise Refused("not_taken", text, "preset")
        tuning = replace(tuning, chronological=by_date)
        if by_date:
            side, place = side.without_profile(), newest_first(place)
        declared = fields_with(side.attributes)
        place, boosts = store.boosts_of(place, declared)
        only = store.all_of(
            [
                condition_of(filter, side),
                store.what_passes(place, declared),
                category and store.in_category(category),
            ]
        )
        site = store.site_rules(side.calibrated)
        shares = (exploration, place.exploration, site.exploration)
        exploration = 0.0 if by_date else next(share for share in shares if share is not None)
        history = side.history
        taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
        model = store.model_served(side.version, side.space)
        named = item if place.kind == "similar" else None
        known = store.touched(side.space, side.version, taste.items, about=named)
        about = _about(place, item, taste, known)
        names = (place.slug, category, about and str(about.uuid))  # that pages are begun by
        if side.session is not None and (kept := side.session.kept) is not None:
            return Recommendation(
                page.id,
                _rows_kept(kept, side),
                kept.report,
                side.agrees,
                tuning,
                kept.settings["diversity"],
                kept.settings["strategy"],
                int(taste.liked.sum()),
                side.steering,
                None,
                store.place_of(place),
                side.places,
                about,
                seed,
                _next(page, user_id, names) if kept.settings["has_next"] else None,
            )
        person, voted = person_of(taste, known.known, model, touched=len(side.seen))
        size, n_likes = max(settings.POOL_SIZE, POOL_FACTOR * limit), int(taste.liked.sum())
        plan = asks(person, voted, side.candidates, pool_size=size)
        plan += asks_for_wishes(side.wishes, n_likes=n_likes, pool_size=size)
        plan = plan_of(place, plan, about and about.about, pool_size=size)
        if by_date:  # and nothing to fill up with
            plan = [ask for ask in plan if ask.name in ("new", "pinned")]
        if exploration and plan:
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
            seen=[*side.seen, *shown, *([about.about.id] if about else [])],
            limit=size,
            only=only,
            steering=side.steering,
            boosts=boosts,
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
            topic_ids=found.topic_ids,
            titles=found.titles,
        )
        person = with_mix(person, taste, known.known, found.category_ids, found.topic_ids)
        asked = hold_against(side.wishes, found.vectors, found.category_ids, n_likes=n_likes)
        rules = rules_of(
            place,
            replace(site, max_per_creator=None) if by_date else site,
            limit=limit,
            model=BY_DATE if by_date else model,
            own_diversity=tuning.diversity,
            diversity=diversity,
            budget=budget,
            strategy=strategy,
            limits=limits,
        )
        fits = keeps_limits(pool, rules)

        def ordered(adjustments: Sequence[Adjustment]) -> tuple[Ranked, Explored, Pinned]:
            ranked = rank(person, pool, rules, asked, adjustments)
            explored = explore(
                ranked.order,
                # What stands for another is not tried beside it.
                np.where(ranked.is_duplicate, -1.0, ranked.parts.sum(axis=1)),
                found.shown,
                found.taken,
                share=exploration,
                fits=fits,
                rng=np.random.default_rng([seed, page.number]),
            )
            pinned = put_pins(
                explored,
                place.pins,
                pool.ids,
                limit=limit,
                fits=lambda rows: fits(rows) and has_no_twins(ranked, rows),
            )
            return ranked, explored, pinned

        pull = pull_of(side.steering, found.steers)
        adjustments = adjustments_of(
            place,
            pool,
            about and about.about,
            boosted=found.boosted,
            against=UNWANTED * asked.against,
        )
        if not by_date:  # a list by date is by nothing else
            sights = sights_of(found.ids, side.seen_items, side.sights)
            if sights.any():
                adjustments.append(rested(sights))
            if rotation:
                adjustments.append(rotated(found.ids, seed, rotation))
        said = wished(tuning, person, pool) + ([steered(pull)] if pull.any() else [])
        ranked, explored, pinned = ordered(adjustments + said)
        without = ordered(adjustments)[2] if said else pinned
        effect = None
        if said or side.steering:
            effect = _effect(side.steering, found, without.order, pinned.order)
        ranked = replace(ranked, order=pinned.order)
        report = report_of(
            ranked.order,
            np.where(ranked.is_duplicate, 0.0, ranked.relevance),
            pool,
            ranked.diversified,
            last_ids=side.last_shown,
        )
        reasons = reason_codes(person, pool, ranked, ranked.order, asked)
        for number in pinned.explored:
            reasons[number] = Code("explored")
        for number, label in pinned.labels.items():
            reasons[number] = Code(label)
        results = _rows(pool, ranked, reasons, known, taste, side.wishes)
        report = asdict(report) | {
            "explored": [int(number) + 1 for number in pinned.explored],
            "calibrated": side.calibrated.made_at.isoformat() if side.calibrated else UNCALIBRATED,
        }
        given = {
            "budget": rules.budget,
            "filter": filter,
            "scenario_filter": place.filter or None,
            "category": category,
            "about": about and about.about.id,
            "again_after_days": place.again_after_days,
            **{name: value for name, value in asdict(tuning).items() if value},
        }
        has_next = keep and (len(found.ids) > len(results) or len(found.ids) >= FILLER)
        is_first = True
        if keep:
            is_first = store.put_served(
                page.id,
                user_id,
                scenario=place.slug,
                settings={name: value for name, value in given.items() if value is not None}
                | {name: getattr(rules.limits, name) for name in rules.limits.asked()}
                | {
                    "limit": limit,
                    "diversity": rules.diversity,
                    "strategy": rules.strategy,
                    "exploration": exploration,
                    "rotation": rotation,
                    "seed": seed,
                    "has_next": has_next,
                },
                item_ids=[row.facts.id for row in results],
                relevance=[row.relevance for row in results],
                propensity=pinned.propensity,
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
                    made_way=np.setdiff1d(explored.order, pinned.order),
                ),
            )
    if not is_first:  # the same page was asked for twice at once: the other's is the page
        return recommend(user_id, cursor=cursor)
    return Recommendation(
        page.id,
        results,
        report,
        side.agrees,
        tuning,
        rules.diversity,
        rules.strategy,
        n_likes,
        side.steering,
        effect,
        store.place_of(place),
        side.places,
        about,
        seed,
        _next(page, user_id, names) if has_next else None,
    )


def _next(page: Page, user_id: int | None, names: tuple[str | None, ...]) -> str | None:
    after = page.after()
    return after and cursor_of(after, user_id, names)


def _rows_kept(kept: Kept, side: PersonSide) -> list[Shown]:
    """The rows of a page as they were, without what is gone, muted or hidden since."""
    stays = store.still_shown(kept.item_ids, side.steering) - set(kept.hidden)
    told, likes = kept.explanation.reasons, kept.explanation.likes
    facts = store.facts([*stays, *(like for behind in likes for like in behind[:1])])
    wishes = dict(zip(side.wishes.ids, side.wishes.texts, strict=True))
    rows = []
    for number, item in enumerate(kept.item_ids):
        if item in stays:
            like = facts.get(likes[number][0]) if likes[number] else None
            reason = told[number] and Reason(told[number])
            if reason and reason.kind in ("voted", "similar"):
                reason = like and Reason(reason.kind, like.title, like.uuid)
            elif reason and reason.kind == "wish":
                text = wishes.get(kept.explanation.wishes[number])
                reason = Reason("wish", wish=text) if text else None
            rows.append(Shown(number + 1, facts[item], kept.relevance[number], reason))
    return rows


def _place(
    side: PersonSide, asked: str | Scenario, category: str | None, item: UUID | None
) -> Scenario:
    """The scenario, if what was asked for goes together; else Refused."""
    place = side.scenario
    if place is None:
        known = ", ".join(place.slug for place in side.places)
        text = _("There is no scenario “%(slug)s”; there are: %(known)s.")
        raise Refused("unknown_scenario", text % {"slug": asked, "known": known}, "scenario")
    for name, given in (("category", category), ("item", item)):
        facts = {"slug": place.slug, "name": name}
        if given is None and NEEDS.get(place.kind) == name:
            raise Refused("required", _("The scenario “%(slug)s” needs a %(name)s.") % facts, name)
        if given is not None and TAKES.get(place.kind) != name:
            raise Refused(
                "not_taken", _("The scenario “%(slug)s” takes no %(name)s.") % facts, name
            )
    if category is not None and not side.has_category:
        text = _("There is no category “%(slug)s”.") % {"slug": category}
        raise Refused("unknown_category", text, "category")
    return place


def _about(place: Scenario, item: UUID | None, taste: Taste, known: Touched) -> Named | None:
    """The item that a list is about: one asked for, or the newest that the person liked."""
    if place.kind == "similar":
        if known.about is None:
            raise Refused("unknown_item", _("There is no such item."), "item")
        return known.about
    if place.kind != "because":
        return None
    liked = np.flatnonzero(taste.liked)  # newest first
    if item is not None:
        liked = [row for row in liked if known.uuids[row] == item]
        if not liked:
            raise Refused("not_liked", _("This is none of the items you liked of late."), "item")
    return known.named(int(liked[0])) if len(liked) else None


def condition_of(filter: str | None, side: PersonSide) -> Condition | None:
    """What a filter asks of items; FilterError if it cannot be used."""
    if filter is None:
        return None
    return store.condition_of(parse(filter, fields_with(side.attributes)))


def _effect(
    steering: Sequence[Steer], found: Found, before: np.ndarray, after: np.ndarray
) -> Effect:
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
    twins = similar_to(ranked)
    facts = store.facts(pool.ids[np.concatenate([ranked.order, *twins])])
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
            similar=[facts[int(item)] for item in pool.ids[same]],
        )
        for place, (row, reason, same) in enumerate(
            zip(ranked.order, reasons, twins, strict=True), start=1
        )
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
        found = store.find(side.space, sources, seen=[item_id], limit=2 * limit, only=only)
        in_order = -np.arange(len(found.ids))
        instead = shown_for(twins_of(found.vectors, found.titles), in_order)
        rows = np.flatnonzero(instead == np.arange(len(instead)))[:limit]
        twins = [np.flatnonzero(instead == row)[1:] for row in rows]  # the first of them is itself
        facts = store.facts(found.ids[np.concatenate([rows, *twins])])
    return [
        Shown(
            place,
            facts[int(found.ids[row])],
            float(np.clip(found.vectors[row] @ known.vectors[0], 0, 1)),
            None,
            [facts[int(item)] for item in found.ids[same]],
        )
        for place, (row, same) in enumerate(zip(rows, twins, strict=True), start=1)
    ]
