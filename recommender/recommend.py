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
from recommender.diversity.contract import Contract
from recommender.diversity.duplicates import shown_for, twins_of
from recommender.filtering.expression import parse
from recommender.filtering.fields import fields_with
from recommender.ranking.adjust import Adjustment
from recommender.ranking.asked import UNWANTED, Asked, hold_against
from recommender.ranking.assemble import (
    FILLER,
    Ask,
    ask_to_explore,
    asks,
    asks_for_wishes,
    person_of,
    pool_of,
    with_mix,
)
from recommender.ranking.explain import Explanation, explanation_of, reason_codes
from recommender.ranking.explain import Reason as Code
from recommender.ranking.explore import Explored, explore
from recommender.ranking.floor import raised
from recommender.ranking.model import LISTS
from recommender.ranking.pipeline import (
    Person,
    Pool,
    Ranked,
    Rules,
    Weighed,
    arrange,
    contract_of,
    has_no_twins,
    report_of,
    similar_to,
    weigh,
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
    Nearby,
    NewList,
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
    is_picked: bool = False  # the item behind it was not liked but picked for this list


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
    exclude: Sequence[UUID] = (),
    items: Sequence[UUID] = (),
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
    exclude      public ids of items to leave out
    items        public ids of items, which count as all that was liked: nothing else that the
                 person said of their taste does, but for what they muted
    exploration  the share of places for items that hardly anybody has seen, whatever the diversity:
                 what is new depends on it and not on sliders; None takes that of the scenario,
                 else the setting of the site
    rotation     how much of its relevance an item may move by chance, the same within a session;
                 None takes that of the scenario, else the setting of the site
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
    page = begin_session()
    if cursor is not None:
        page, (scenario, category, about_item) = page_at(cursor, user_id)
        item = about_item and UUID(about_item)
    with transaction.atomic():
        side = store.person_side(
            user_id,
            scenario=scenario,
            category=category,
            page=page if cursor else None,
            durable=False,
        )
        place = _place(side, scenario, category, item)
        if cursor is not None:
            terms = _terms_of_session(side, place, limit, category)
        else:
            if diversity is not None:
                tuned["diversity"] = diversity
            terms = _terms(
                side,
                place,
                changed(side.tuning, preset, tuned),
                limit=limit,
                diversity=diversity,
                strategy=strategy,
                budget=budget,
                limits=limits,
                category=category,
                filter=filter,
                exclude=exclude,
                items=items,
                exploration=exploration,
                rotation=rotation,
                seed=seed,
            )
            if preset == CHRONOLOGICAL and not terms.by_date:
                text = _("The scenario “%(slug)s” cannot be chronological.") % {"slug": place.slug}
                raise Refused("not_taken", text, "preset")
        named = item if place.kind == "similar" else None
        taste, known = _read(terms, about=named, every=cursor is None)
        about = _about(place, item, taste, known)
        if side.session is not None and side.session.kept is not None:
            kept = side.session.kept
            made = _Made(_rows_kept(kept, side), kept.report, None, kept.settings["has_next"])
        else:
            draft = _draft(terms, page, taste, known, about, keep=keep)
            facts = store.facts(draft.items, shown=True)
            if keep and not store.put_served(user_id, [draft.as_kept()]):
                made = None
            else:
                made = _Made(draft.rows(facts), draft.report, draft.effect, draft.has_next)
    if made is None:  # the same page was asked for twice at once: the other's is the page
        return recommend(user_id, cursor=cursor)
    return _answer(terms, page, user_id, about, int(taste.liked.sum()), made)


def recommend_rows(
    user_id: int | None,
    scenarios: Sequence[str],
    *,
    limit: int | None = None,
    diversity: float | None = None,
    filter: str | None = None,
    exclude: Sequence[UUID] = (),
    seed: int | None = None,
) -> list[Recommendation]:
    """A list for each of several scenarios, of which none has an item of another: a home screen.

    What a row shows, the rows below it do without; each is a list of its own, whose further pages
    show nothing of the others either. The person and what they touched are read once for all.

    Raises Refused for a scenario that is not there, or needs a category or an item
    """
    # The first row is the last list that was shown: what is known of the last list is of it.
    pages = sorted((begin_session() for _ in scenarios), key=lambda page: page.id, reverse=True)
    seed = new_seed() if seed is None else seed
    with transaction.atomic():
        side = store.person_side(user_id, scenario=scenarios[0], durable=False)
        sides = [side, *store.sides_of_places(side, user_id, scenarios[1:])]
        read: dict[bool, tuple[Taste, Touched]] = {}
        drafts: list[_Draft] = []
        # Each row may show some twins besides.
        nearby = store.Nearby(slack=2 * (limit or LIMIT) * (len(scenarios) - 1))
        for page, slug, side in zip(pages, scenarios, sides, strict=True):
            place = _place_of_row(side, slug)
            terms = _terms(
                side,
                place,
                changed(side.tuning, None, {} if diversity is None else {"diversity": diversity}),
                limit=limit,
                diversity=diversity,
                filter=filter,
                exclude=exclude,
                seed=seed,
                beside=[item for draft in drafts for item in draft.beside],
            )
            if terms.by_date not in read:
                read[terms.by_date] = _read(terms)
            taste, known = read[terms.by_date]
            about = _about(place, None, taste, known)
            drafts.append(_draft(terms, page, taste, known, about, keep=True, nearby=nearby))
        facts = store.facts([item for draft in drafts for item in draft.items], shown=True)
        store.put_served(
            user_id,
            [
                draft.as_kept([i for other in drafts if other is not draft for i in other.beside])
                for draft in drafts
            ],
        )
    return [
        _answer(
            draft.terms,
            draft.page,
            user_id,
            draft.about,
            int(draft.taste.liked.sum()),
            _Made(draft.rows(facts), draft.report, draft.effect, draft.has_next),
        )
        for draft in drafts
    ]


def _answer(
    terms: "_Terms",
    page: Page,
    user_id: int | None,
    about: Named | None,
    likes: int,
    made: "_Made",
) -> Recommendation:
    side, place = terms.side, terms.place
    names = (place.slug, terms.category, about and str(about.uuid))  # that pages are begun by
    return Recommendation(
        page.id,
        made.results,
        made.report,
        side.agrees,
        terms.tuning,
        terms.rules.diversity,
        terms.rules.strategy,
        likes,
        side.steering,
        made.effect,
        store.place_of(place),
        side.places,
        about,
        terms.seed,
        _next(page, user_id, names) if made.has_next else None,
    )


def scores(user_id: int, item_ids: Sequence[int]) -> dict[int, float]:
    """How relevant given items are to a person, 0 to 1, by id, before a scenario moves anything.

    Also what the person knows already. Left out is what may not be shown, and what they mute.
    """
    with transaction.atomic():
        side = store.person_side(user_id)
        place = _place(side, HOME.slug, None, None)
        unset = dict.fromkeys(
            ("diversity", "strategy", "budget", "limits", "category", "filter", "seed")
        )
        terms = _terms(
            replace(side, seen=[]),
            place,
            replace(side.tuning, chronological=False),
            limit=len(item_ids),
            exploration=0.0,
            rotation=0.0,
            **unset,
        )
        taste, known = _read(terms)
        given = Ask("given", 1.0, len(item_ids), ids=np.array(item_ids, dtype=np.int64))
        they = _candidates(terms, taste, known, None, only=given)
    relevance = np.clip(they.weighed.parts.sum(axis=1), 0.0, 1.0)
    return dict(zip(map(int, they.found.ids), map(float, relevance), strict=True))


# --- what a list is made by -------------------------------------------------------------------


@dataclass(frozen=True)
class _Terms:
    """What a list is made by, once all who have a say were heard."""

    side: PersonSide
    place: Scenario
    rules: Rules
    tuning: Tuning
    category: str | None
    filter: str | None
    only: Condition | None  # what all items must meet
    boosts: list[Condition]
    exploration: float
    rotation: float
    seed: int
    exclude: Sequence[UUID]
    items: Sequence[UUID]  # that count as all that was liked; none: what was liked does
    beside: Sequence[int]  # items of other lists on the same screen

    @property
    def by_date(self) -> bool:
        return self.tuning.chronological

    def settings(self, about: Named | None) -> dict:
        """What is kept of it with the list, so that a further page is made by the same."""
        given = {
            "budget": self.rules.budget,
            "filter": self.filter,
            "scenario_filter": self.place.filter or None,
            "category": self.category,
            "about": about and about.about.id,
            "exclude": [str(item) for item in self.exclude] or None,
            "items": [str(item) for item in self.items] or None,
            "again_after_days": self.place.again_after_days,
            **{name: value for name, value in asdict(self.tuning).items() if value},
        }
        return {
            **{name: value for name, value in given.items() if value is not None},
            **{name: getattr(self.rules.limits, name) for name in self.rules.limits.asked()},
            "limit": self.rules.limit,
            "diversity": self.rules.diversity,
            "strategy": self.rules.strategy,
            "exploration": self.exploration,
            "rotation": self.rotation,
            "seed": self.seed,
        }


def _terms(
    side: PersonSide,
    place: Scenario,
    tuning: Tuning,
    *,
    limit: int | None,
    diversity: float | None,
    filter: str | None,
    seed: int | None,
    strategy: str | None = None,
    budget: float | None = None,
    limits: Limits | None = None,
    category: str | None = None,
    exploration: float | None = None,
    rotation: float | None = None,
    exclude: Sequence[UUID] = (),
    items: Sequence[UUID] = (),
    beside: Sequence[int] = (),
) -> _Terms:
    """The request before the person, the scenario, and the site."""
    by_taste = budget is not None or strategy is not None or place.kind not in BY_PERSON
    by_taste = by_taste or bool(items)
    tuning = replace(tuning, chronological=tuning.chronological and not by_taste)
    site = store.site_rules(side.calibrated)
    exploration, rotation = (
        next(share for share in shares if share is not None)
        for shares in (
            (exploration, place.exploration, site.exploration),
            (rotation, place.rotation, settings.ROTATION),
        )
    )
    model = store.model_served(side.version, side.space)
    if items:
        side = side.for_other_likes()
    if tuning.chronological:
        side, place = side.without_profile(), newest_first(place)
        site, model, exploration = replace(site, max_per_creator=None), BY_DATE, 0.0
    declared = fields_with(side.attributes)
    place, boosts = store.boosts_of(place, declared)
    return _Terms(
        side,
        place,
        rules_of(
            place,
            site,
            limit=limit or LIMIT,
            model=model,
            own_diversity=tuning.diversity,
            diversity=diversity,
            budget=budget,
            strategy=strategy,
            limits=limits,
        ),
        tuning,
        category,
        filter,
        store.all_of(
            [
                condition_of(filter, side),
                store.what_passes(place, declared),
                category and store.in_category(category),
            ]
        ),
        boosts,
        exploration,
        rotation,
        new_seed() if seed is None else seed,
        exclude,
        items,
        beside,
    )


def _terms_of_session(
    side: PersonSide, place: Scenario, limit: int | None, category: str | None
) -> _Terms:
    """Those that its first page was made by; Refused if that is no longer there."""
    if side.session is None:
        raise stale()
    begun = side.session.settings
    tuning = Tuning(**{f.name: begun[f.name] for f in fields(Tuning) if f.name in begun})
    budget = begun.get("budget")
    return _terms(
        side,
        place,
        tuning,
        limit=limit or begun["limit"],
        diversity=None if tuning.chronological or budget is not None else begun["diversity"],
        strategy=None if tuning.chronological else begun["strategy"],
        budget=budget,
        limits=Limits(**{f.name: begun[f.name] for f in fields(Limits) if f.name in begun}),
        category=category,
        filter=begun.get("filter"),
        exploration=begun["exploration"],
        rotation=begun["rotation"],
        seed=begun["seed"],
        exclude=[UUID(item) for item in begun.get("exclude", ())],
        items=[UUID(item) for item in begun.get("items", ())],
        beside=begun.get("beside", ()),
    )


def _read(terms: _Terms, *, about: UUID | None = None, every: bool = True) -> tuple[Taste, Touched]:
    """What was liked, and what is known of it: one statement.

    every   of the items that were picked each must be there, else Refused
    """
    side = terms.side
    if terms.items and not terms.by_date:
        known = store.touched(side.space, side.version, (), about=about, uuids=terms.items)
        if every and (missing := set(terms.items) - set(known.uuids)):
            text = _("There is no such item: %(ids)s.")
            some = ", ".join(sorted(map(str, missing))[:5])
            raise Refused("unknown_item", text % {"ids": some}, "items")
        n = len(known.ids)
        ids, unsaid = np.array(known.ids, dtype=np.int64), np.full(n, np.nan)
        return read_taste(ids, ["like"] * n, unsaid), known
    history = side.history
    taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
    known = store.touched(side.space, side.version, taste.items, about=about)
    return side.silenced.left_out(taste, known.known.vectors), known


def condition_of(filter: str | None, side: PersonSide) -> Condition | None:
    """What a filter asks of items; FilterError if it cannot be used."""
    if filter is None:
        return None
    return store.condition_of(parse(filter, fields_with(side.attributes)))


# --- the list -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """A page, new or as it was kept."""

    results: list[Shown]
    report: dict
    effect: Effect | None
    has_next: bool


@dataclass(frozen=True)
class _Candidates:
    """What may be shown, to whom."""

    found: Found
    plan: list[Ask]  # what was asked for, source by source
    person: Person
    pool: Pool
    asked: Asked
    weighed: Weighed
    contract: Contract  # the limits of the list, over the pool


@dataclass(frozen=True)
class _Arranged:
    """An order, and the places in it that go by something else than relevance and variety."""

    ranked: Ranked
    explored: Explored
    pinned: Pinned


@dataclass(frozen=True)
class _Draft:
    """A page before anything is read to show it, or it is kept."""

    terms: _Terms
    page: Page
    taste: Taste
    known: Touched
    about: Named | None
    pool: Pool
    ranked: Ranked
    reasons: list[Code | None]
    twins: list[np.ndarray]  # of each place, rows of the pool that are the same thing again
    propensity: Sequence[float]
    report: dict
    effect: Effect | None
    has_next: bool
    explanation: Explanation

    @property
    def similar(self) -> list[int]:
        """Ids of what those shown stand for."""
        return [int(item) for same in self.twins for item in self.pool.ids[same]]

    @property
    def items(self) -> list[int]:
        """Ids of all that has to be read to show it."""
        return [*map(int, self.pool.ids[self.ranked.order]), *self.similar]

    @property
    def beside(self) -> list[int]:
        """Ids of what no other list on the same screen shows."""
        return [*self.items, *([self.about.about.id] if self.about else [])]

    def rows(self, facts: dict[int, Facts]) -> list[Shown]:
        return _rows(self, facts)

    def as_kept(self, beside: Sequence[int] = ()) -> NewList:
        """beside  ids of items that other lists on the same screen show"""
        return NewList(
            self.page.id,
            self.terms.place.slug,
            self.terms.settings(self.about)
            | {"has_next": self.has_next, "similar": self.similar}
            | ({"beside": [int(item) for item in beside]} if beside else {}),
            item_ids=[int(item) for item in self.pool.ids[self.ranked.order]],
            relevance=[float(self.ranked.relevance[row]) for row in self.ranked.order],
            propensity=self.propensity,
            report=self.report,
            explanation=self.explanation,
        )


def _draft(
    terms: _Terms,
    page: Page,
    taste: Taste,
    known: Touched,
    about: Named | None,
    *,
    keep: bool,
    nearby: Nearby | None = None,
) -> _Draft:
    side = terms.side
    they = _candidates(terms, taste, known, about, nearby=nearby)
    found, pool = they.found, they.pool
    pull = pull_of(side.steering, found.steers)
    given = _given(terms, they, about)
    said = wished(terms.tuning, they.person, pool) + ([steered(pull)] if pull.any() else [])
    arranged = _arrange(terms, they, given + said, page)
    effect = None
    if said or side.steering:
        without = _arrange(terms, they, given, page) if said else arranged
        effect = _effect(side.steering, found, without.pinned.order, arranged.pinned.order)
    pinned = arranged.pinned
    ranked = replace(arranged.ranked, order=pinned.order)
    reasons = reason_codes(they.person, pool, ranked, ranked.order, they.asked)
    for number in pinned.explored:
        reasons[number] = Code("explored")
    for number, label in pinned.labels.items():
        reasons[number] = Code(label)
    report = report_of(
        ranked.order,
        np.where(ranked.is_duplicate, 0.0, ranked.relevance),
        pool,
        ranked.diversified,
        they.contract,
        last_ids=side.last_shown,
    )
    report = asdict(report) | {
        "explored": [int(number) + 1 for number in pinned.explored],
        "calibrated": side.calibrated.made_at.isoformat() if side.calibrated else UNCALIBRATED,
    }
    more = np.count_nonzero(~ranked.is_duplicate) > len(ranked.order)
    return _Draft(
        terms,
        page,
        taste,
        known,
        about,
        pool,
        ranked,
        reasons,
        similar_to(ranked),
        pinned.propensity,
        report,
        effect,
        keep and (bool(more) or len(found.ids) >= FILLER),
        explanation_of(
            they.person,
            pool,
            ranked,
            terms.rules,
            reasons,
            they.asked,
            found_by=found.sources,
            sources=[ask.name for ask in they.plan],
            wish_ids=side.wishes.ids,
            steering=side.steering,
            made_way=np.setdiff1d(arranged.explored.order, pinned.order),
        ),
    )


def _candidates(
    terms: _Terms,
    taste: Taste,
    known: Touched,
    about: Named | None,
    only: Ask | None = None,
    nearby: Nearby | None = None,
) -> _Candidates:
    """only: what is looked at, in the place of what the person and the scenario would find."""
    side, rules = terms.side, terms.rules
    person, voted = person_of(taste, known.known, rules.model, touched=len(side.seen))
    size, n_likes = max(settings.POOL_SIZE, POOL_FACTOR * rules.limit), int(taste.liked.sum())
    plan = asks(person, voted, side.candidates, pool_size=size)
    plan += asks_for_wishes(side.wishes, n_likes=n_likes, pool_size=size)
    plan = plan_of(terms.place, plan, about and about.about, pool_size=size)
    if terms.by_date:  # and nothing to fill up with
        plan = [ask for ask in plan if ask.name in ("new", "pinned")]
    if only:
        plan = [only]
    if terms.exploration and plan:
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
        seen=[
            *side.seen,
            *(side.session.shown if side.session else []),
            *(known.ids if terms.items else []),
        ],
        beside=[*terms.beside, *([about.about.id] if about else [])],
        nearby=nearby,
        limit=size,
        only=terms.only,
        steering=side.steering,
        boosts=terms.boosts,
        without=terms.exclude,
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
    return _Candidates(
        found,
        plan,
        person,
        pool,
        asked,
        weigh(person, pool, rules, asked),
        contract_of(pool, rules),
    )


def _given(terms: _Terms, they: _Candidates, about: Named | None) -> list[Adjustment]:
    """What moves relevance besides what the person says."""
    found, side = they.found, terms.side
    adjustments = adjustments_of(
        terms.place,
        they.pool,
        about and about.about,
        boosted=found.boosted,
        against=UNWANTED * they.asked.against,
    )
    if terms.by_date:  # by nothing else
        return adjustments
    if settings.EXPOSURE_FLOOR:
        adjustments.append(raised(found.prices))
    sights = sights_of(found.ids, side.seen_items, side.sights)
    if sights.any():
        adjustments.append(rested(sights))
    if terms.rotation:
        adjustments.append(rotated(found.ids, terms.seed, terms.rotation))
    return adjustments


def _arrange(
    terms: _Terms, they: _Candidates, adjustments: Sequence[Adjustment], page: Page
) -> _Arranged:
    ranked = arrange(they.weighed, they.pool, terms.rules, adjustments)
    explored = explore(
        ranked.order,
        # What stands for another is not tried beside it.
        np.where(ranked.is_duplicate, -1.0, ranked.parts.sum(axis=1)),
        they.found.shown,
        they.found.taken,
        share=terms.exploration,
        fits=they.contract.keeps,
        rng=np.random.default_rng([terms.seed, page.number]),
    )
    pinned = put_pins(
        explored,
        terms.place.pins,
        they.pool.ids,
        limit=terms.rules.limit,
        fits=lambda rows: they.contract.keeps(rows) and has_no_twins(ranked, rows),
    )
    return _Arranged(ranked, explored, pinned)


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
                picked = "items" in kept.settings
                reason = like and Reason(reason.kind, like.title, like.uuid, is_picked=picked)
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


def _place_of_row(side: PersonSide, slug: str) -> Scenario:
    """The scenario of a row, if a list of it needs nothing else."""
    try:
        return _place(side, slug, None, None)
    except Refused as refusal:
        raise Refused(refusal.code, refusal.message, "scenarios") from None


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


def _rows(draft: _Draft, facts: dict[int, Facts]) -> list[Shown]:
    pool, ranked, known = draft.pool, draft.ranked, draft.known
    liked = np.flatnonzero(draft.taste.liked)  # rows of what was touched
    wishes = draft.terms.side.wishes
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
                bool(draft.terms.items),
            ),
            similar=[facts[int(item)] for item in pool.ids[same] if int(item) in facts],
        )
        for place, (row, reason, same) in enumerate(
            zip(ranked.order, draft.reasons, draft.twins, strict=True), start=1
        )
        if int(pool.ids[row]) in facts  # it may have been hidden meanwhile
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
        facts = store.facts(found.ids[np.concatenate([rows, *twins])], shown=True)
    return [
        Shown(
            place,
            facts[int(found.ids[row])],
            float(np.clip(found.vectors[row] @ known.vectors[0], 0, 1)),
            None,
            [facts[int(item)] for item in found.ids[same] if int(item) in facts],
        )
        for place, (row, same) in enumerate(zip(rows, twins, strict=True), start=1)
        if int(found.ids[row]) in facts
    ]
