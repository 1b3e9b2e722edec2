"""The one ranking, live and of a replayed history: score, diversity, and a report of a list."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np

from recommender.candidates.interests import Interests
from recommender.diversity import (
    NEED_ASPECTS,
    STRATEGIES,
    Contract,
    Curve,
    Diversified,
    Limits,
    budget_of,
    diversify,
    measures,
)
from recommender.diversity.duplicates import shown_for
from recommender.diversity.features import Shares, joint_features, mixed_features
from recommender.diversity.measures import Report
from recommender.ranking import asked as wishes
from recommender.ranking import score
from recommender.ranking.adjust import Adjustment, adjusted
from recommender.ranking.asked import Asked, with_asked
from recommender.ranking.model import PARTS, Model, untrained

NONE = "none"  # the order of relevance, whatever the diversity


@dataclass(frozen=True)
class Person:
    """What is known of the person who asks."""

    interests: Interests
    like_ids: np.ndarray  # (l,) int64, newest first
    like_vectors: np.ndarray  # (l, d) unit rows, zeros where there is none
    dislike_vectors: np.ndarray  # (x, d) unit rows
    history_length: int  # items with feedback
    text: np.ndarray  # (d,) the newest items' text together, unit or zeros
    mapped: np.ndarray  # (d,) the text to look for, by behaviour, unit or zeros
    factors: np.ndarray  # (f,)
    related_ids: np.ndarray  # (l, 3, k) int64, of each like, -1 where there is none
    given: np.ndarray  # (l, 4, k) float32, the votes it gives them
    # (c,) and (t,) shares of the pool's categories and topics in what the person liked, None where
    # that has none of them; see assemble.mix_of()
    mix: np.ndarray | None = None
    topic_mix: np.ndarray | None = None


@dataclass(frozen=True)
class Pool:
    """Candidates that may be shown."""

    ids: np.ndarray  # (n,) int64
    vectors: np.ndarray  # (n, d) float32 unit rows, zeros where there is none yet
    categories: np.ndarray  # (n, c) bool
    creators: np.ndarray  # (n,) int64 first creator, below 0 for none
    popularity: np.ndarray  # (n,) 0 to 1
    trend: np.ndarray  # (n,) 0 to 1
    age_days: np.ndarray  # (n,), nan where unknown
    votes: np.ndarray  # (n, 4) by the person's history
    factors: np.ndarray  # (n, f), zeros where there is none
    touched: np.ndarray  # (n,) bool, somebody gave feedback on it
    topics: np.ndarray | None = None  # (n, t) bool
    twins: np.ndarray | None = (
        None  # (m, 2) rows that are the same thing; see duplicates.twins_of()
    )

    @property
    def of_each(self) -> list[str]:
        """Names of what has a row for each item."""
        return [f.name for f in fields(self) if f.name != "twins" and f.default is not None] + (
            ["topics"] if self.topics is not None else []
        )


@dataclass(frozen=True)
class Rules:
    """What was asked for."""

    limit: int
    diversity: float = 0.3  # 0 to 1
    strategy: str = "mixed"  # a name in diversity.STRATEGIES, or "none"
    # 0 to 1, the share of relevance that may be given up; in the place of the diversity if given
    budget: float | None = None
    limits: Limits = field(default_factory=Limits)
    similarity: Shares = field(default_factory=Shares)  # of what makes two items alike
    # What strategies were measured to keep: budget and diversity then speak of that on average, and
    # no list costs more of its own relevance all the same.
    curve: Curve | None = None
    model: Model = field(default_factory=untrained)


@dataclass(frozen=True)
class Ranked:
    """The list, and how it came about."""

    order: np.ndarray  # (k,) rows of the pool, in the order to show
    shown_for: np.ndarray  # (n,) the row to show in the stead of each, itself but for duplicates
    relevance: np.ndarray  # (n,) float32, 0 to 1
    names: tuple[str, ...]  # of the parts: model.PARTS, then asked.PARTS and adjustments, if any
    parts: np.ndarray  # (n, names) float32 contributions
    best_like: np.ndarray  # (n,) row of the like most similar to it, -1 for none
    best_interest: np.ndarray  # (n,) the interest nearest to it, -1 for none
    diversified: Diversified  # how the order was chosen

    @property
    def is_duplicate(self) -> np.ndarray:
        """(n,) bool: the same thing as another item, in whose stead it is not shown."""
        return self.shown_for != np.arange(len(self.shown_for))


@dataclass(frozen=True)
class Weighed:
    """A pool as a person would have it before anything is adjusted: all that lists of it, with
    different adjustments, have in common."""

    names: tuple[str, ...]  # of the parts
    parts: np.ndarray  # (n, names) float32 contributions
    best_like: np.ndarray  # (n,), as of Ranked
    best_interest: np.ndarray  # (n,)
    likeness: np.ndarray  # (n, f), see likeness_of()
    aspects: np.ndarray | None  # (n, a), see aspects_of()
    mix: np.ndarray | None  # (a,)


def rank(
    person: Person,
    pool: Pool,
    rules: Rules,
    asked: Asked | None = None,
    adjustments: Sequence[Adjustment] = (),
) -> Ranked:
    """Choose and order up to rules.limit items of the pool.

    The parts of an item add up to its relevance before that is cut at 0 and 1. Equal inputs give
    equal lists; of equals the one that stands earlier in the pool comes first.
    Raises ValueError for an unknown strategy, a limit below 0, a diversity or a budget outside
    [0, 1], arrays of different lengths, or a number that is not finite (an unknown age aside)
    """
    return arrange(weigh(person, pool, rules, asked), pool, rules, adjustments)


def weigh(person: Person, pool: Pool, rules: Rules, asked: Asked | None = None) -> Weighed:
    """The first half of rank(), for whoever makes several lists of one pool."""
    if rules.strategy not in (*STRATEGIES, NONE):
        raise ValueError(f"no strategy {rules.strategy!r}: {', '.join(STRATEGIES)} or none")
    n = len(pool.ids)
    for name in pool.of_each:
        if len(getattr(pool, name)) != n:
            raise ValueError(f"{n} ids in the pool, {len(getattr(pool, name))} {name}")

    to_interests = pool.vectors @ person.interests.vectors.T
    parts = score.contributions(
        features_of(person, pool, rules.model, to_interests),
        pool.touched,
        score.Say(
            rules.model.weights_for(person.history_length),
            rules.model.new_item,
            rules.model.new_item_say,
        ),
    )
    names = PARTS
    if asked is not None:
        parts, names = with_asked(parts, asked), (*names, *wishes.PARTS)
    to_likes = pool.vectors @ person.like_vectors.T
    return Weighed(
        names,
        parts,
        _nearest(to_likes),
        _nearest(to_interests),
        likeness_of(pool, rules),
        *aspects_of(person, pool, rules),
    )


def arrange(
    weighed: Weighed, pool: Pool, rules: Rules, adjustments: Sequence[Adjustment] = ()
) -> Ranked:
    """The other half, by the same pool and rules."""
    n = len(pool.ids)
    parts = adjusted(weighed.parts, adjustments)
    names = (*weighed.names, *(adjustment.part for adjustment in adjustments))
    relevance = np.clip(parts.sum(axis=1), 0.0, 1.0)
    instead = np.arange(n)
    if pool.twins is not None and len(pool.twins):
        instead = shown_for(pool.twins, relevance, then=pool.popularity)
    # A slice copies nothing, and hardly a pool has a duplicate.
    kept = np.flatnonzero(instead == np.arange(n))
    rows = slice(None) if len(kept) == n else kept
    chosen = diversify(
        weighed.likeness[rows],
        relevance[rows],
        rules.limit,
        **_asked(rules),
        limits=rules.limits,
        categories=pool.categories[rows],
        creators=pool.creators[rows],
        aspects=None if weighed.aspects is None else weighed.aspects[rows],
        mix=weighed.mix,
    )
    chosen = replace(chosen, order=kept[chosen.order])
    return Ranked(
        chosen.order,
        instead,
        relevance,
        names,
        parts,
        weighed.best_like,
        weighed.best_interest,
        chosen,
    )


def aspects_of(
    person: Person, pool: Pool, rules: Rules
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(n, a) what a strategy over aspects goes by, None for one that goes by none; and (a,) how
    much the person wants of each, None where that is unknown.

    Calibration is to the categories of what was liked, as in its paper; xQuAD answers to topics
    too, which together are wanted as much as categories together.
    """
    if rules.strategy not in NEED_ASPECTS:
        return None, None
    if rules.strategy != "xquad" or pool.topics is None or not pool.topics.any():
        return pool.categories, person.mix
    aspects = np.concatenate([pool.categories, pool.topics], axis=1)
    mixes = (person.mix, pool.categories), (person.topic_mix, pool.topics)
    if all(mix is None for mix, _ in mixes):
        return aspects, None
    known = [np.zeros(of.shape[1], np.float32) if mix is None else mix for mix, of in mixes]
    return aspects, np.concatenate(known)


def has_no_twins(ranked: Ranked, rows: np.ndarray) -> bool:
    """Whether rows of the pool are all of other things."""
    return len(np.unique(ranked.shown_for[rows])) == len(rows)


def similar_to(ranked: Ranked) -> list[np.ndarray]:
    """Of each row of the list the rows that are the same thing and not in the list."""
    twins = np.flatnonzero(
        ranked.is_duplicate & ~np.isin(np.arange(len(ranked.shown_for)), ranked.order)
    )
    of = ranked.shown_for
    return [twins[of[twins] == of[row]] for row in ranked.order]


def contract_of(pool: Pool, rules: Rules) -> Contract:
    """The limits of the rules, over the pool: which of them a list of its rows keeps."""
    return Contract(
        rules.limits,
        rules.limit,
        np.zeros(len(pool.ids)),
        categories=pool.categories,
        creators=pool.creators,
        vectors=pool.vectors if rules.limits.max_similarity is None else likeness_of(pool, rules),
    )


def ceilings_full(order: np.ndarray, pool: Pool, rules: Rules) -> dict[str, np.ndarray]:
    """Ceiling → (n,) bool: which rows of the pool it would keep out of a list that has `order`."""
    limits, full = rules.limits, {}
    if limits.max_per_creator is not None:
        by, times = np.unique(pool.creators[order], return_counts=True)
        most = by[(times >= limits.max_per_creator) & (by >= 0)]
        full["max_per_creator"] = np.isin(pool.creators, most)
    if limits.max_per_category is not None:
        most = pool.categories[order].sum(axis=0) >= limits.max_per_category
        full["max_per_category"] = pool.categories[:, most].any(axis=1)
    if limits.max_similarity is not None:
        likeness = likeness_of(pool, rules)
        full["max_similarity"] = (likeness @ likeness[order].T > limits.max_similarity).any(axis=1)
    return full


def likeness_of(pool: Pool, rules: Rules) -> np.ndarray:
    """(n, f) unit rows, whose products are how like the items of the pool are."""
    say = rules.similarity
    if say.text + say.categories and not (say.topics or say.creator or say.behaviour):
        share = say.categories / (say.text + say.categories)
        return joint_features(pool.vectors, pool.categories, category_share=share)
    return mixed_features(
        say,
        text=pool.vectors,
        categories=pool.categories,
        topics=np.zeros((len(pool.ids), 0)) if pool.topics is None else pool.topics,
        creators=pool.creators,
        behaviour=pool.factors,
    )


def _asked(rules: Rules) -> dict:
    if rules.strategy == NONE:
        return {"strategy": "mmr", "budget": 0.0}
    budget = budget_of(rules.diversity) if rules.budget is None else rules.budget
    curve = rules.curve or Curve(())
    at_most = curve.strength_within(rules.strategy, budget)
    return {"strategy": rules.strategy, "budget": budget, "at_most": at_most}


def report_of(
    order: np.ndarray,
    relevance: np.ndarray,
    pool: Pool,
    chosen: Diversified,
    contract: Contract,
    *,
    last_ids: Sequence[int] = (),
) -> Report:
    """What a list of rows of the pool, relevant so much each, shows of variety.

    chosen    how it was chosen, but for places that were given away since
    contract  the limits that it was to keep: a pin may break one
    last_ids  of the list that the person saw before
    """
    report = measures.report(
        order,
        relevance,
        pool.vectors,
        pool.categories,
        pool.creators,
        strategy=chosen.strategy,
        diversity=chosen.strength,
        topics=pool.topics,
    )
    reasons = {unmet.limit: unmet.reason for unmet in chosen.unmet}
    unmet = contract.unmet(order, reasons, otherwise="not together with what is pinned")
    held = {*chosen.binding, *(limit.limit for limit in unmet)}
    return replace(
        report,
        budget=round(chosen.budget, measures.DIGITS),
        in_last=measures.share_in(pool.ids[order], last_ids),
        binding=[name for name in contract.limits.asked() if name in held],
        unmet=[asdict(limit) for limit in unmet],
    )


def features_of(
    person: Person, pool: Pool, model: Model, to_interests: np.ndarray | None = None
) -> np.ndarray:
    """(n, parts) float32: what speaks for each item of the pool; see score.features()."""
    if to_interests is None:
        to_interests = pool.vectors @ person.interests.vectors.T
    # Of somebody without history, and of items that no version knows, the width is unknown.
    has_factors = pool.factors.shape[1] == len(person.factors)
    has_promise = len(model.promise) == pool.vectors.shape[1]
    return score.features(
        votes=pool.votes,
        factors=pool.factors @ person.factors if has_factors else np.zeros(len(pool.ids)),
        text=pool.vectors @ person.text,
        mapped=pool.vectors @ person.mapped,
        to_interests=to_interests,
        popularity=pool.popularity,
        trend=pool.trend,
        promise=pool.vectors @ model.promise if has_promise else np.zeros(len(pool.ids)),
        age_days=pool.age_days,
        to_dislikes=pool.vectors @ person.dislike_vectors.T,
    )


def _nearest(cosines: np.ndarray) -> np.ndarray:
    """(n,) the column of the largest cosine; -1 without columns, or for a row of zeros."""
    if cosines.shape[1] == 0:
        return np.full(len(cosines), -1, dtype=np.int64)
    return np.where(cosines.any(axis=1), np.argmax(cosines, axis=1), -1)
