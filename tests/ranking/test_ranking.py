"""Votes, score, diversity and reasons of one request, from arrays that can be read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.interests import learn_interests
from recommender.candidates.taste import Taste
from recommender.diversity import Limits
from recommender.ranking import score
from recommender.ranking.assemble import (
    MAPPED,
    ORDERLY,
    VOTED,
    VOTES,
    Known,
    Votes,
    asks,
    fading,
    membership,
    numbered,
    person_of,
    pool_of,
)
from recommender.ranking.explain import Reason, reason_codes, voters
from recommender.ranking.model import LENGTHS, LISTS, PARTS, Model, untrained
from recommender.ranking.pipeline import (
    Person,
    Pool,
    Rules,
    contract_of,
    features_of,
    rank,
    report_of,
)
from recommender.ranking.score import Say, contributions, features

EAST, NORTH = np.array([1.0, 0, 0], np.float32), np.array([0, 1.0, 0], np.float32)
UP = np.array([0, 0, 1.0], np.float32)
NOTHING = np.zeros(3, np.float32)


def column(part: str) -> int:
    return PARTS.index(part)


def weights(**parts: float) -> np.ndarray:
    """(parts,) of those that are named, the others 0."""
    return np.array([parts.get(part, 0.0) for part in PARTS], np.float32)


def model(new_item: dict | None = None, say: float = 0.5, **parts: float) -> Model:
    """The same weights whatever the length of the history."""
    return replace(
        untrained(),
        weights=np.tile(weights(**parts), (len(LENGTHS), 1)),
        new_item=weights(**(parts if new_item is None else new_item)),
        new_item_say=say,
    )


def person(likes=(EAST,), dislikes=(), history: int | None = None, **more) -> Person:
    vectors = np.array(likes, np.float32).reshape(-1, 3)
    n = len(vectors)
    fields = {
        "text": NOTHING,
        "mapped": NOTHING,
        "factors": np.zeros(2, np.float32),
        "related_ids": np.full((n, len(LISTS), 4), -1),
        "given": np.zeros((n, len(VOTES), 4), np.float32),
    }
    return Person(
        interests=learn_interests(vectors, np.ones(n)),
        like_ids=np.arange(n) + 100,
        like_vectors=vectors,
        dislike_vectors=np.array(dislikes, np.float32).reshape(-1, 3),
        history_length=n + len(dislikes) if history is None else history,
        **(fields | more),
    )


def pool(vectors, taste=None, **more) -> Pool:
    """Touched items; taste are their votes of that kind."""
    vectors = np.array(vectors, np.float32).reshape(-1, 3)
    n = len(vectors)
    votes = np.zeros((n, len(VOTES)), np.float32)
    if taste is not None:
        votes[:, column("taste")] = taste
    fields = {
        "ids": np.arange(n),
        "categories": np.zeros((n, 1), bool),
        "creators": np.full(n, -1),
        "popularity": np.zeros(n, np.float32),
        "trend": np.zeros(n, np.float32),
        "age_days": np.full(n, np.nan, np.float32),
        "votes": votes,
        "factors": np.zeros((n, 2), np.float32),
        "touched": np.ones(n, bool),
    }
    return Pool(vectors=vectors, **(fields | {name: np.array(v) for name, v in more.items()}))


PLAIN = Rules(limit=10, diversity=0.0)


# What a history says of other items.


def history(*items: tuple) -> tuple[Taste, Known]:
    """Rows are (id, affinity, vector, {list: {related id: weight}}), newest first."""
    ids, affinity, vectors, related = zip(*items, strict=True) if items else [()] * 4
    related_ids = np.full((len(ids), len(LISTS), 4), -1)
    related_weights = np.zeros((len(ids), len(LISTS), 4), np.float32)
    for row, lists in enumerate(related):
        for name, found in lists.items():
            related_ids[row, LISTS.index(name), : len(found)] = list(found)
            related_weights[row, LISTS.index(name), : len(found)] = list(found.values())
    affinity = np.array(affinity, np.float32)
    return (
        Taste(np.array(ids, np.int64), affinity, affinity),
        Known(
            np.array(vectors, np.float32).reshape(-1, 3),
            related_ids,
            related_weights,
            np.zeros((len(ids), 1), np.float32),
            np.zeros((len(ids), 1), np.float32),
        ),
    )


# The newer like, then the older one that counts half.
TWO_LIKES = history(
    (
        7,
        1.0,
        EAST,
        {"taste": {1: 0.6, 2: 0.4}, "order": {1: 0.5, 3: 0.25}, "next": {3: 0.8}},
    ),
    (
        8,
        0.5,
        NORTH,
        {"taste": {2: 0.9, 3: -0.1}, "order": {3: 0.4, 4: 0.2}, "next": {1: 0.7}},
    ),
)


def test_votes_add_up_over_the_history_and_fade_as_their_kind_does():
    _, voted = person_of(*TWO_LIKES, untrained())
    half_of_2, half_of_6 = 2 ** (-1 / 2), 2 ** (-1 / 6)
    assert [name for name, _, _ in VOTES] == ["order", "past_order", "next", "taste"]
    assert voted.ids.tolist() == [1, 2, 3, 4]
    order, past_order, following, taste = voted.strengths.T
    assert order == pytest.approx([0.5, 0, 0.25 + 0.4 * half_of_2, 0.2 * half_of_2])
    assert past_order == pytest.approx([0.5, 0, 0.25 + 0.4 * half_of_6, 0.2 * half_of_6])
    assert following == pytest.approx([0.7 * half_of_6, 0, 0.8, 0])
    assert taste == pytest.approx([0.6, 0.4 + 0.5 * 0.9, 0.5 * -0.1, 0])


def test_the_length_of_a_history_counts_also_what_is_too_old_to_be_read():
    assert person_of(*TWO_LIKES, untrained(), touched=150)[0].history_length == 150
    assert person_of(*TWO_LIKES, untrained(), touched=1)[0].history_length == 2
    assert person_of(*history(), untrained(), touched=150)[0].history_length == 0  # or may not be


def test_a_vote_halves_for_so_many_newer_items_or_never():
    assert fading(5, 2.0).tolist() == pytest.approx([1, 2**-0.5, 0.5, 2**-1.5, 0.25])
    assert fading(3, None).tolist() == [1, 1, 1]
    assert fading(0, 2.0).shape == (0,)


def test_what_was_not_taken_up_votes_for_nothing():
    _, voted = person_of(*history((7, 0.0, EAST, {name: {1: 0.9} for name in LISTS})), untrained())
    assert not voted.strengths.any()
    assert voted.best(10).tolist() == []


def test_lists_of_order_are_read_of_the_newest_items_alone():
    rows = [(100 + n, 1.0, EAST, {"taste": {n: 1}, "order": {n: 1}}) for n in range(ORDERLY + 1)]
    _, voted = person_of(*history(*rows), untrained())
    assert (voted.strengths[:ORDERLY, [0, 1, 3]] > 0).all()
    assert voted.strengths[ORDERLY].tolist() == [0, 0, 0, 1]


def test_the_best_votes_are_those_of_all_kinds_together_each_against_its_best():
    # By the weights before training, 1.0 for order and 0.6 for past_order: 3 has 1 + 0.6,
    # 1 has 0.5 + 0.6, 2 has 1 of taste; 4 has none, and what speaks against 1 takes nothing.
    voted = Votes(
        np.array([1, 2, 3, 4]),
        np.array([[4, 1, 0, -5], [0, 0, 0, 0.2], [8, 1, 0, 0], [0, 0, 0, -5]], np.float32),
    )
    assert voted.best(10).tolist() == [3, 1, 2]
    assert voted.best(2).tolist() == [3, 1]
    assert Votes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32)).best(5).tolist() == []


def test_the_text_of_a_person_is_that_of_the_newest_items_and_one_of_length_1():
    who, _ = person_of(*TWO_LIKES, untrained())
    east, north = 1.0, 0.5 * 2 ** (-1 / 3)  # affinity, and half for three newer
    length = np.hypot(east, north)
    assert who.text == pytest.approx([east / length, north / length, 0])
    assert who.mapped.tolist() == [0, 0, 0]  # before there is a map
    assert who.history_length == 2


def test_a_map_turns_the_text_of_a_history_into_what_to_look_for():
    turned = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)  # east → up → north → east
    who, _ = person_of(*TWO_LIKES, replace(untrained(), text_map=turned))
    up, east = 1.0, 0.5 * 2 ** (-1 / 50)
    length = np.hypot(up, east)
    assert who.mapped == pytest.approx([east / length, 0, up / length])


def test_what_a_history_says_of_texts_is_that_of_its_items_and_of_those_related_to_them():
    taste, known = TWO_LIKES
    known = replace(known, text_factors=np.array([[2.0], [-4.0]], np.float32))
    basis = np.array([[0, 0.5, 0]], np.float32)
    own = replace(untrained(), text_map=np.eye(3, dtype=np.float32), text_basis=basis)
    who, _ = person_of(taste, known, own)
    older = 0.5 * 2 ** (-1 / 50)
    both = np.array([1.0, older + 0.5 * (2 - 4 * older), 0])
    assert who.mapped == pytest.approx(both / np.linalg.norm(both))


def test_factors_of_a_person_are_folded_in_from_affinity_that_fades():
    taste, known = TWO_LIKES
    known = replace(known, factors=np.ones((2, 1), np.float32))
    who, _ = person_of(taste, known, replace(untrained(), gram=np.array([[2.0]], np.float32)))
    heard = 1 + 0.5 * 2 ** (-1 / 20)
    # (gram + 3 x what was heard + 5) x = (1 + 3 x newer) + (1 + 3 x older)
    assert who.factors == pytest.approx([(2 + 3 * heard) / (2 + 3 * heard + 5)])


def test_factors_and_maps_of_another_width_say_nothing():
    taste, known = TWO_LIKES
    four = np.ones((2, 4), np.float32)
    known = replace(known, factors=four, text_factors=four)
    other = replace(
        untrained(),
        gram=np.eye(2, dtype=np.float32),
        text_basis=np.ones((5, 3), np.float32),
        text_map=np.eye(5, dtype=np.float32),
    )
    who, _ = person_of(taste, known, other)
    assert who.factors.tolist() == [0, 0, 0, 0]
    assert who.mapped.tolist() == [0, 0, 0]


def test_a_person_is_read_from_likes_and_dislikes_in_one_row_of_items():
    taste, known = TWO_LIKES
    liking = np.array([1.0, -1.0], np.float32)
    who, _ = person_of(replace(taste, liking=liking), known, untrained())
    assert who.like_ids.tolist() == [7]
    assert who.like_vectors.tolist() == [EAST.tolist()]
    assert who.dislike_vectors.tolist() == [NORTH.tolist()]
    assert who.related_ids.shape == (1, len(LISTS), 4)
    assert who.given.shape == (1, len(VOTES), 4)
    assert who.history_length == 2


# Where candidates come from.


def test_sources_fill_a_pool_together():
    none = Votes(np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    plan = asks(person(likes=()), none, (), pool_size=200)
    assert [(ask.order, ask.limit) for ask in plan] == [("popular", 200), ("new", 200)]
    plan = asks(person([EAST, EAST, EAST, NORTH, NORTH, NORTH]), none, [5], pool_size=200)
    assert sum(ask.limit for ask in plan if ask.vector is not None) >= 200
    assert [ask.ids.tolist() for ask in plan if ask.ids is not None] == [[5]]


def test_a_mapped_text_and_votes_are_sources_of_their_own():
    voted = Votes(np.array([4, 9]), np.array([[0, 0, 0, 1], [0, 0, 0, 2]], np.float32))
    plan = asks(person(mapped=UP), voted, (), pool_size=200)
    mapped = [ask for ask in plan if ask.weight == MAPPED]
    assert [(ask.vector.tolist(), ask.limit) for ask in mapped] == [(UP.tolist(), 100)]
    assert [(ask.weight, ask.ids.tolist()) for ask in plan if ask.ids is not None] == [
        (VOTED, [9, 4])
    ]


def made_pool(voted: Votes, **more) -> Pool:
    n = len(more["ids"])
    fields = {
        "vectors": np.zeros((n, 3), np.float32),
        "category_ids": [[]] * n,
        "creators": np.full(n, -1),
        "popularity": np.zeros(n),
        "trend": np.zeros(n),
        "age_days": np.zeros(n),
        "factors": np.zeros((n, 1), np.float32),
        "stand_in_ids": np.full((n, 2), -1),
        "stand_in_weights": np.zeros((n, 2), np.float32),
    }
    return pool_of(voted, **(fields | more))


TEN_AND_THIRTY = Votes(
    np.array([10, 30]), np.array([[0.2, 0, 0, 0.4], [0, 0.8, 0.6, 0]], np.float32)
)


def test_votes_find_their_items_in_the_pool():
    made = made_pool(TEN_AND_THIRTY, ids=np.array([30, 20, 10]), category_ids=[[5, 2], [], [5]])
    assert made.votes == pytest.approx(np.array([[0, 0.8, 0.6, 0], [0, 0, 0, 0], [0.2, 0, 0, 0.4]]))
    assert made.categories.tolist() == [[True, True], [False, False], [False, True]]


def test_an_item_nobody_touched_has_the_votes_of_its_stand_ins_as_far_as_they_weigh():
    made = made_pool(
        TEN_AND_THIRTY,
        ids=np.array([50, 60]),
        stand_in_ids=np.array([[10, 30], [99, -1]]),
        stand_in_weights=np.array([[0.75, 0.25], [1, 0]], np.float32),
    )
    assert made.votes[0] == pytest.approx([0.15, 0.2, 0.15, 0.3])
    assert not made.votes[1].any()
    assert made.touched.tolist() == [False, False]


def test_an_item_is_touched_where_people_like_it_or_history_votes_for_it():
    made = made_pool(TEN_AND_THIRTY, ids=np.array([10, 20, 40]), popularity=np.array([0, 0.1, 0]))
    assert made.touched.tolist() == [True, True, False]


def test_membership_of_nothing_is_an_empty_table():
    assert membership([]).shape == (0, 0)


# Features and what each gives to the relevance.


def test_each_part_is_taken_against_the_best_of_the_pool():
    found = features(
        votes=np.array([[2, 0, 1, -3], [4, 0, 0, -1]]),
        factors=np.array([-1.0, 3]),
        text=np.array([0.5, 0.25]),
        mapped=np.array([0.1, 0.05]),
        to_interests=np.array([[-0.2, 0.4], [0.8, 0.1]]),
        popularity=np.array([0.01, 0.02]),
        trend=np.zeros(2),
        promise=np.array([-2.0, -1]),
        age_days=np.array([30.0, 0]),
        to_dislikes=np.array([[0.3], [0.65]]),
    )
    expected = {
        "order": [0.5, 1],
        "past_order": [0, 0],
        "next": [1, 0],
        "taste": [0, 0],  # below 0 says nothing
        "factors": [0, 1],
        "text": [1, 0.5],
        "map": [0.5, 0.25],  # against 0.2: nothing here is near
        "interest": [0.5, 1],  # the nearest of the interests
        "popularity": [0.5, 1],
        "trend": [0, 0],
        "promise": [0, 0],
        "freshness": [0.5, 1],
        "dislike": [0, 0.5],  # from a cosine of 0.3 on
    }
    assert tuple(expected) == PARTS
    for name, values in expected.items():
        assert found[:, column(name)] == pytest.approx(values, abs=1e-6), name


def test_an_unknown_age_is_not_fresh_and_a_clock_ahead_is():
    found = features_of(person(), pool([EAST] * 2, age_days=[np.nan, -5]), untrained())
    assert found[:, column("freshness")].tolist() == [0, 1]


def test_a_pool_of_nothing_has_no_features():
    assert features_of(person(), pool([]), untrained()).shape == (0, len(PARTS))


def test_without_dislikes_nothing_is_like_a_disliked_item():
    assert not features_of(person(), pool([EAST]), untrained())[:, column("dislike")].any()


ALL = np.ones(1, bool)


def rows(**parts: list[float]) -> np.ndarray:
    """(n, parts) features of those that are named, the others 0."""
    n = len(next(iter(parts.values())))
    return np.stack([np.array(parts.get(part, [0.0] * n)) for part in PARTS], axis=1)


def test_the_best_in_all_that_counts_adds_up_to_1():
    say = Say(weights(taste=3, popularity=1), weights(), 0.5)
    parts = contributions(rows(taste=[1, 0.5], popularity=[1, 1]), np.ones(2, bool), say)
    assert parts[:, column("taste")] == pytest.approx([0.75, 0.375])
    assert parts.sum(axis=1) == pytest.approx([1, 0.625])


def test_a_part_that_nothing_in_the_pool_has_is_left_out():
    say = Say(weights(taste=3, popularity=1), weights(), 0.5)
    parts = contributions(rows(popularity=[1, 0.5]), np.ones(2, bool), say)
    assert parts.sum(axis=1) == pytest.approx([1, 0.5])


def test_what_speaks_against_an_item_is_no_share_of_what_speaks_for_it():
    say = Say(weights(taste=4, dislike=-1), weights(), 0.5)
    parts = contributions(rows(taste=[1], dislike=[0.5]), ALL, say)
    assert parts[0, [column("taste"), column("dislike")]] == pytest.approx([1, -0.125])


def test_items_that_nobody_touched_are_scored_by_weights_of_their_own():
    say = Say(weights(taste=1), weights(text=3, taste=1), 0.6)
    parts = contributions(
        rows(taste=[1, 1, 0], text=[1, 1, 1]), np.array([True, False, False]), say
    )
    assert parts.sum(axis=1) == pytest.approx([1, 0.6, 0.45])
    assert parts[1, [column("taste"), column("text")]] == pytest.approx([0.15, 0.45])


def test_where_nothing_counts_for_an_item_nothing_is_given():
    against = Say(weights(dislike=-1), weights(), 0.5)
    assert not contributions(rows(dislike=[1], taste=[1]), ALL, against).any()
    assert contributions(rows(taste=[]), np.zeros(0, bool), against).shape == (0, len(PARTS))


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 20))
def test_no_item_adds_up_to_more_than_1(seed, n):
    rng = np.random.default_rng(seed)
    values = rng.random((n, len(PARTS))) * (rng.random(len(PARTS)) < 0.7)
    say = Say(rng.normal(0.5, 1, len(PARTS)), rng.normal(0.5, 1, len(PARTS)), rng.random())
    parts = contributions(values, rng.random(n) < 0.5, say)
    assert (parts.sum(axis=1) <= 1 + 1e-6).all()
    assert np.isfinite(parts).all()


def test_weights_are_those_of_people_with_so_long_a_history():
    own = replace(untrained(), weights=np.arange(5)[:, None] * np.ones(len(PARTS)))
    found = [own.weights_for(n)[0] for n in (0, 1, 5, 6, 20, 21, 100, 101, 5000)]
    assert found == [0, 1, 1, 2, 2, 3, 3, 4, 4]


# The list.


def test_what_is_near_an_interest_comes_first():
    assert rank(person(), pool([NORTH, EAST]), PLAIN).order.tolist() == [1, 0]


def test_what_related_items_vote_for_comes_before_what_is_merely_near():
    assert rank(person(), pool([EAST, NORTH], taste=[0, 1]), PLAIN).order.tolist() == [1, 0]


@pytest.mark.parametrize("name", ["text", "mapped"])
def test_what_the_text_of_a_history_or_its_map_points_at_comes_first(name):
    who = person(likes=(), history=3, **{name: NORTH})
    assert rank(who, pool([EAST, NORTH]), PLAIN).order.tolist() == [1, 0]


def test_what_goes_with_the_factors_of_a_person_comes_first():
    who = person(likes=(), history=3, factors=np.array([1, -1], np.float32))
    what = pool([EAST, EAST], factors=[[0, 1], [1, 0]])
    assert rank(who, what, PLAIN).order.tolist() == [1, 0]


@pytest.mark.parametrize("width", [1, 3])
def test_factors_of_somebody_without_history_go_with_nothing(width):
    nobody = person(likes=(), history=0, factors=np.zeros(width, np.float32))
    what = pool([EAST, EAST], factors=[[0, 1], [1, 0]], popularity=[0.1, 0.2])
    assert rank(nobody, what, PLAIN).order.tolist() == [1, 0]


def test_what_is_promised_by_its_text_counts_where_a_promise_was_learned():
    promising = replace(model(promise=1), promise=NORTH)
    ranked = rank(person(), pool([EAST, NORTH]), replace(PLAIN, model=promising))
    assert ranked.order.tolist() == [1, 0]
    of_another_width = replace(promising, promise=np.ones(7, np.float32))
    ranked = rank(person(), pool([EAST, NORTH]), replace(PLAIN, model=of_another_width))
    assert ranked.relevance.tolist() == [0, 0]


def test_what_is_like_a_disliked_item_goes_down():
    before = rank(person([EAST, NORTH]), pool([NORTH, EAST]), PLAIN)
    after = rank(person([EAST, NORTH], [NORTH]), pool([NORTH, EAST]), PLAIN)
    assert before.order.tolist() == [0, 1]
    assert after.order.tolist() == [1, 0]


def test_what_is_hardly_like_a_disliked_item_is_left_alone():
    who = person(dislikes=[EAST])
    rules = replace(PLAIN, model=model(interest=2, dislike=-1))
    far, near = rank(who, pool([[0.3, 0, 0.954], EAST]), rules).parts[:, column("dislike")]
    assert far == pytest.approx(0, abs=1e-6)
    assert near == pytest.approx(-0.5)


def test_without_history_popularity_and_freshness_decide():
    three = pool([EAST, NORTH, EAST], popularity=[0.1, 1, 0.1], age_days=[0, 900, 900])
    assert rank(person(likes=()), three, PLAIN).order.tolist() == [1, 0, 2]


def test_where_nothing_is_near_the_nearest_is_not_made_more_of():
    who, rules = person(history=10), replace(PLAIN, model=model(interest=1))
    parts = rank(who, pool([[0.1, 0, 0.995], NORTH]), rules).parts
    assert parts[0, column("interest")] == pytest.approx(0.1 / score.LEAST_BEST)


def test_the_scale_of_votes_and_of_popularity_does_not_matter():
    rng = np.random.default_rng(0)
    votes, popularity = rng.random(20), rng.random(20) / 4
    rows = rng.standard_normal((20, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    once = rank(person(), pool(rows, taste=votes, popularity=popularity), PLAIN)
    more = rank(person(), pool(rows, taste=votes * 8, popularity=popularity * 4), PLAIN)
    assert once.relevance.tolist() == more.relevance.tolist()


@given(seed=st.integers(0, 5000), n=st.integers(0, 40), diversity=st.floats(0, 1))
def test_parts_add_up_to_the_relevance_before_it_is_cut(seed, n, diversity):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 3))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    made = pool(
        rows, popularity=rng.random(n), trend=rng.random(n), age_days=rng.random(n) * 900,
        votes=rng.normal(size=(n, 4)), factors=rng.normal(size=(n, 2)), touched=rng.random(n) < 0.5,
    )  # fmt: skip
    who = person([EAST, NORTH], [-EAST], text=UP, mapped=NORTH, factors=np.ones(2, np.float32))
    ranked = rank(who, made, Rules(limit=7, diversity=diversity))
    assert np.clip(ranked.parts.sum(axis=1), 0, 1) == pytest.approx(ranked.relevance, abs=1e-6)
    assert len(ranked.order) == min(n, 7) == len(set(ranked.order.tolist()))
    assert (ranked.relevance >= 0).all()
    assert (ranked.relevance <= 1).all()
    if diversity == 0:
        assert (np.diff(ranked.relevance[ranked.order]) <= 1e-7).all()


def test_without_a_strategy_diversity_says_nothing_and_a_limit_of_creators_still_does():
    three = pool([EAST, EAST, NORTH], creators=[1, 1, 2], popularity=[1, 0.9, 0])
    none = Rules(limit=3, diversity=0.9, strategy="none")
    ranked = rank(person(), three, none)
    assert ranked.order.tolist() == [0, 1, 2]
    kept = contract_of(three, none)
    report = report_of(ranked.order, ranked.relevance, three, ranked.diversified, kept)
    assert (report.strength, report.relevance_kept) == (0, 1)
    capped = rank(person(), three, replace(none, limits=Limits(max_per_creator=1)))
    assert capped.order.tolist() == [0, 2, 1]
    report = report_of(capped.order, capped.relevance, three, capped.diversified, kept)
    assert report.relevance_kept < 1


def test_the_like_and_the_interest_nearest_to_each_item_are_named():
    likes = [EAST, EAST, EAST, NORTH, NORTH]
    ranked = rank(person(likes), pool([NORTH, EAST, 0 * EAST]), PLAIN)
    assert ranked.best_like.tolist() == [3, 0, -1]
    assert ranked.best_interest.tolist() == [1, 0, -1]
    stranger = rank(person(likes=()), pool([NORTH]), PLAIN)
    assert (stranger.best_like.tolist(), stranger.best_interest.tolist()) == ([-1], [-1])


def test_where_all_are_equal_the_order_of_the_pool_stays():
    ranked = rank(person(), pool([EAST] * 4, popularity=[0.5] * 4, taste=[2.0] * 4), PLAIN)
    assert ranked.order.tolist() == [0, 1, 2, 3]
    assert len(set(ranked.relevance.tolist())) == 1


@pytest.mark.parametrize("field", ["popularity", "votes", "vectors", "factors", "trend"])
@pytest.mark.parametrize("diversity", [0, 0.5])
def test_a_number_that_is_not_finite_is_refused(field, diversity):
    two = pool([EAST, EAST])
    bad = getattr(two, field).astype(np.float32)
    bad[0] = np.nan
    who = person(factors=np.ones(2, np.float32))
    with pytest.raises(ValueError, match="not finite"):
        rank(who, replace(two, **{field: bad}), replace(PLAIN, diversity=diversity))


def test_an_unknown_strategy_and_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="strategy"):
        rank(person(), pool([EAST]), replace(PLAIN, strategy="best"))
    with pytest.raises(ValueError, match="popularity"):
        rank(person(), pool([EAST, NORTH], popularity=[1.0]), PLAIN)


# Reasons.


def named(weights_of: Model, *, ids: list[int]) -> list[int]:
    """Which of two likes is named for each item, the newer one as 0, none as -1."""
    who, voted = person_of(*TWO_LIKES, weights_of)
    made = made_pool(voted, ids=np.array(ids))
    ranked = rank(who, made, replace(PLAIN, model=weights_of))
    return voters(who, made, ranked, np.arange(len(ids))).tolist()


def test_the_voter_is_the_like_that_gave_most_of_what_counted():
    # Of item 2: 0.4 by the newer like and 0.5 x 0.9 by the older. Of 3: 0.25 and 0.4 x 0.7.
    assert named(model(taste=1), ids=[1, 2]) == [0, 1]
    assert named(model(order=1), ids=[1, 3, 4]) == [0, 1, 1]
    assert named(model(next=1), ids=[1, 3]) == [1, 0]


def test_the_voter_is_chosen_by_all_kinds_of_votes_as_they_count():
    # Of item 3: 0.8 of next and 0.25 of order by the newer, 0.28 of order by the older like.
    assert named(model(order=1, next=1), ids=[3]) == [0]
    assert named(model(order=1, next=0.01), ids=[3]) == [1]


def test_votes_of_a_kind_that_counts_against_an_item_make_no_voter_and_take_from_none():
    # Item 1 has 0.6 of 0.85 of taste by the newer like, and 0.8 x 0.62 of next by the older.
    assert named(model(taste=1, next=0.8), ids=[1]) == [0]
    assert named(model(taste=1, next=0.8, order=-1), ids=[1]) == [0]
    assert named(model(order=-1, next=1), ids=[3]) == [0]
    assert named(model(order=-1, next=1), ids=[4]) == [-1]


def test_what_nothing_votes_for_or_only_against_has_no_voter():
    assert named(model(taste=1), ids=[3, 4, 99]) == [-1, -1, -1]


def test_of_two_that_gave_as_much_the_newer_one_is_the_voter():
    same = {"taste": {1: 0.5}}
    who, voted = person_of(*history((7, 1, EAST, same), (8, 1, EAST, same)), untrained())
    made = made_pool(voted, ids=np.array([1]))
    assert voters(who, made, rank(who, made, PLAIN), np.array([0])).tolist() == [0]


def test_only_what_was_liked_is_a_voter():
    taste, known = TWO_LIKES
    who, voted = person_of(
        replace(taste, liking=np.array([1.0, -1.0], np.float32)), known, untrained()
    )
    made = made_pool(voted, ids=np.array([2, 4]))
    ranked = rank(who, made, PLAIN)
    assert (ranked.relevance > 0).all()  # both have votes of what was taken up
    assert voters(who, made, ranked, np.arange(2)).tolist() == [0, -1]


def test_without_likes_there_are_no_voters():
    what = pool([EAST], taste=[1])
    who = person(likes=(), history=2)
    assert voters(who, what, rank(who, what, PLAIN), np.array([0])).tolist() == [-1]


def voting(likes, *gives: dict[int, float], **more) -> Person:
    """Likes, and what each gives to items by votes of taste."""
    related_ids = np.full((len(likes), len(LISTS), 4), -1)
    votes = np.zeros((len(likes), len(VOTES), 4), np.float32)
    for row, found in enumerate(gives):
        related_ids[row, LISTS.index("taste"), : len(found)] = list(found)
        votes[row, column("taste"), : len(found)] = list(found.values())
    return person(likes, related_ids=related_ids, given=votes, **more)


def reasons(who: Person, what: Pool, rules: Rules = PLAIN) -> list[Reason | None]:
    return reason_codes(who, what, rank(who, what, rules), np.arange(len(what.ids)))


def test_a_reason_names_the_like_whose_related_items_voted():
    [reason] = reasons(voting([EAST, NORTH], {}, {0: 1.0}), pool([-EAST], taste=[1.0]))
    assert (reason.kind, reason.like) == ("voted", 1)


def test_a_reason_names_the_like_that_is_near():
    [reason] = reasons(person([NORTH, EAST]), pool([EAST]))
    assert (reason.kind, reason.like) == ("similar", 1)


def test_no_reason_is_better_than_a_far_fetched_one():
    far = np.array([0.2, 0, np.sqrt(1 - 0.04)], np.float32)
    assert reasons(person(), pool([far])) == [None]


def test_a_like_that_gave_no_vote_and_a_mere_trace_of_one_are_no_reason():
    who = voting([EAST], {1: 0.09, 2: 1.0})
    nothing, trace, strong = reasons(who, pool([UP] * 3, taste=[0, 0.09, 1.0]))
    assert (nothing, trace) == (None, None)
    assert strong.kind == "voted"


def test_the_larger_of_ones_own_reasons_is_told_with_its_share():
    who, what = voting([EAST], {0: 1.0, 1: 0.15}), pool([EAST, EAST], taste=[1.0, 0.15])
    first, second = reasons(who, what, replace(PLAIN, model=model(taste=0.7, interest=0.3)))
    assert (first.kind, second.kind) == ("voted", "similar")
    assert first.strength == pytest.approx(0.7)
    assert second.strength == pytest.approx(0.3 / (0.3 + 0.15 * 0.7))


def test_what_speaks_against_an_item_makes_no_reason_for_it_larger():
    [reason] = reasons(person(dislikes=[EAST]), pool([EAST]))
    assert (reason.kind, reason.strength) == ("similar", 1)


def test_ones_own_reason_comes_before_what_all_like():
    who, what = voting([EAST], {1: 1.0}), pool([EAST, -NORTH], popularity=[1, 0], taste=[0, 1])
    rules = replace(PLAIN, model=model(interest=0.2, popularity=1, taste=1))
    ranked = rank(who, what, rules)
    assert ranked.parts[0, column("interest")] < ranked.parts[0, column("popularity")]
    assert reason_codes(who, what, ranked, [0])[0].kind == "similar"


def test_what_has_no_weight_is_no_reason():
    assert reasons(person(), pool([EAST]), replace(PLAIN, model=model(taste=1))) == [None]


def test_what_all_like_and_what_is_new_are_said_where_nothing_is_ones_own():
    popular, new = reasons(
        person(likes=()), pool([EAST, NORTH], popularity=[1, 0], age_days=[900, 1])
    )
    assert (popular.kind, new.kind) == ("popular", "new")


def test_an_item_that_is_there_for_variety_says_so():
    twins, who = pool([EAST, EAST, -NORTH]), person()
    ranked = rank(who, twins, Rules(limit=2, diversity=1.0))
    assert ranked.order.tolist() == [0, 2]
    [reason] = reason_codes(who, twins, ranked, np.array([2]))
    assert reason.kind == "varied"


def test_a_ceiling_of_likeness_counts_kinds_too_whatever_it_is():
    kin = pool([EAST, NORTH, UP], categories=[[True], [True], [False]])  # texts at right angles
    keeps = contract_of(kin, Rules(limit=2, limits=Limits(max_similarity=0.0))).keeps
    assert not keeps(np.array([0, 1]))
    assert keeps(np.array([0, 2]))


def test_ids_are_numbered_alike_near_together_and_far_apart():
    near = np.array([[7, 5, 7], [9, -1, 5]])
    for ids in (near, near * 1_000_000_007):
        found, where = numbered(ids)
        assert found.tolist() == sorted(set(ids.ravel().tolist()))
        assert (found[where] == ids).all()
    found, where = numbered(np.zeros((0, 3, 4), dtype=np.int64))
    assert (len(found), where.shape) == (0, (0, 3, 4))
