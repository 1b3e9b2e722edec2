"""Score, diversity and reasons of one request, from arrays that can be read."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.interests import learn_interests
from recommender.candidates.taste import Taste
from recommender.ranking.assemble import Votes, asks, membership, person_of, pool_of
from recommender.ranking.explain import reason_codes
from recommender.ranking.pipeline import Person, Pool, Rules, rank
from recommender.ranking.score import PARTS, Weights, features, weights_for

EAST, NORTH = np.array([1.0, 0, 0], np.float32), np.array([0, 1.0, 0], np.float32)


def person(likes=(EAST,), dislikes=(), history: int | None = None) -> Person:
    vectors = np.array(likes, np.float32).reshape(-1, 3)
    return Person(
        interests=learn_interests(vectors, np.ones(len(vectors))),
        like_ids=np.arange(len(vectors)) + 100,
        like_vectors=vectors,
        like_weights=np.ones(len(vectors), np.float32),
        dislike_vectors=np.array(dislikes, np.float32).reshape(-1, 3),
        history_length=len(vectors) + len(dislikes) if history is None else history,
    )


def pool(vectors, **more) -> Pool:
    vectors = np.array(vectors, np.float32)
    n = len(vectors)
    fields = {
        "ids": np.arange(n),
        "categories": np.zeros((n, 1), bool),
        "creators": np.full(n, -1),
        "popularity": np.zeros(n, np.float32),
        "age_days": np.full(n, np.nan, np.float32),
        "votes": np.zeros(n, np.float32),
        "voter": np.full(n, -1),
    }
    return Pool(vectors=vectors, **(fields | {name: np.array(v) for name, v in more.items()}))


PLAIN = Rules(limit=10, diversity=0.0)


def test_what_is_near_an_interest_comes_first():
    assert rank(person(), pool([NORTH, EAST]), PLAIN).order.tolist() == [1, 0]


def test_what_neighbours_vote_for_comes_before_what_is_merely_near():
    ranked = rank(person(), pool([EAST, NORTH], votes=[0, 1.0], voter=[-1, 0]), PLAIN)
    assert ranked.order.tolist() == [1, 0]


def test_what_is_like_a_disliked_item_goes_down():
    before = rank(person([EAST, NORTH]), pool([NORTH, EAST]), PLAIN)
    after = rank(person([EAST, NORTH], [NORTH]), pool([NORTH, EAST]), PLAIN)
    assert before.order.tolist() == [0, 1]
    assert after.order.tolist() == [1, 0]


def test_without_history_popularity_and_freshness_decide():
    three = pool([EAST, NORTH, EAST], popularity=[0.1, 1, 0.1], age_days=[0, 900, 900])
    ranked = rank(person(likes=()), three, PLAIN)
    assert ranked.order.tolist() == [1, 0, 2]


def test_ones_own_taste_takes_over_as_history_grows():
    shares = [
        weights_for(n, Weights(), has_interests=True, has_votes=True)[:2].sum()
        for n in (0, 1, 5, 50)
    ]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[3] > 0.9


def test_what_speaks_for_an_item_adds_up_to_one():
    for n in (0, 1, 20):
        for has_interests in (True, False):
            for has_votes in (True, False):
                own = weights_for(n, Weights(), has_interests=has_interests, has_votes=has_votes)
                assert own[:4].sum() == pytest.approx(1, abs=1e-6)


def test_an_unknown_age_is_not_fresh_and_a_clock_ahead_is():
    found = features(
        np.zeros((2, 0)), np.zeros((2, 0)), np.zeros(2), np.zeros(2), np.array([np.nan, -5])
    )
    assert found[:, PARTS.index("freshness")].tolist() == [0, 1]


@given(seed=st.integers(0, 5000), n=st.integers(0, 40), diversity=st.floats(0, 1))
def test_parts_add_up_to_the_relevance_before_it_is_cut(seed, n, diversity):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n, 3))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    made = pool(
        rows.reshape(n, 3), popularity=rng.random(n), age_days=rng.random(n) * 900,
        votes=rng.random(n), voter=rng.integers(0, 2, n),
    )  # fmt: skip
    ranked = rank(person([EAST, NORTH], [-EAST]), made, Rules(limit=7, diversity=diversity))
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
    assert (ranked.report.strength, ranked.report.relevance_kept) == (0, 1)
    capped = rank(person(), three, replace(none, max_per_creator=1))
    assert capped.order.tolist() == [0, 2, 1]
    assert capped.report.relevance_kept < 1


def test_the_like_and_the_interest_nearest_to_each_item_are_named():
    likes = [EAST, EAST, EAST, NORTH, NORTH]
    ranked = rank(person(likes), pool([NORTH, EAST, 0 * EAST]), PLAIN)
    assert ranked.best_like.tolist() == [3, 0, -1]
    assert ranked.best_interest.tolist() == [1, 0, -1]
    stranger = rank(person(likes=()), pool([NORTH]), PLAIN)
    assert (stranger.best_like.tolist(), stranger.best_interest.tolist()) == ([-1], [-1])


def test_where_all_are_equal_the_order_of_the_pool_stays():
    same = pool([EAST] * 4, popularity=[0.5] * 4, votes=[2.0] * 4, voter=[0] * 4)
    ranked = rank(person(), same, PLAIN)
    assert ranked.order.tolist() == [0, 1, 2, 3]
    assert len(set(ranked.relevance.tolist())) == 1


def test_the_scale_of_votes_and_of_popularity_does_not_matter():
    rng = np.random.default_rng(0)
    votes, popularity = rng.random(20), rng.random(20) / 4
    rows = rng.standard_normal((20, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    once = rank(person(), pool(rows, votes=votes, popularity=popularity), PLAIN)
    more = rank(person(), pool(rows, votes=votes * 8, popularity=popularity * 4), PLAIN)
    assert once.relevance.tolist() == more.relevance.tolist()


def test_without_one_of_votes_and_interests_the_other_speaks_for_both():
    voted = rank(person(likes=(), history=10), pool([EAST, NORTH], votes=[1, 0.5]), PLAIN)
    near = rank(person(history=10), pool([EAST, NORTH]), PLAIN)
    known = 10 / 10.75
    assert voted.parts[0, PARTS.index("votes")] == pytest.approx(known * 0.94)
    assert near.parts[0, PARTS.index("interest")] == pytest.approx(known * 0.94)


def test_where_nothing_is_near_the_nearest_is_not_made_more_of():
    parts = rank(person(history=10), pool([[0.1, 0, 0.995], NORTH]), PLAIN).parts
    assert parts[0, 0] == pytest.approx(10 / 10.75 * 0.94 * 0.1 / 0.2)


def test_what_is_hardly_like_a_disliked_item_is_left_alone():
    who = person(dislikes=[EAST])
    far, near = rank(who, pool([[0.3, 0, 0.954], EAST]), PLAIN).parts[:, PARTS.index("dislike")]
    assert far == pytest.approx(0, abs=1e-6)
    assert near == pytest.approx(-0.3 * 2 / 2.75)


@pytest.mark.parametrize("field", ["popularity", "votes", "vectors"])
@pytest.mark.parametrize("diversity", [0, 0.5])
def test_a_number_that_is_not_finite_is_refused(field, diversity):
    bad = {"vectors": [[np.nan, 0, 0], EAST]} if field == "vectors" else {"vectors": [EAST, EAST]}
    if field != "vectors":
        bad[field] = np.array([np.nan, 1.0])
    with pytest.raises(ValueError, match="not finite"):
        rank(person(), pool(**bad), replace(PLAIN, diversity=diversity))


def test_an_unknown_strategy_and_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="strategy"):
        rank(person(), pool([EAST]), replace(PLAIN, strategy="best"))
    with pytest.raises(ValueError, match="popularity"):
        rank(person(), pool([EAST, NORTH], popularity=[1.0]), PLAIN)


def reasons(who: Person, what: Pool, rules: Rules = PLAIN) -> list:
    ranked = rank(who, what, rules)
    return reason_codes(who, what, ranked, np.arange(len(what.ids)))


def test_a_reason_names_the_like_whose_neighbours_voted():
    [reason] = reasons(person([EAST, NORTH]), pool([-EAST], votes=[1.0], voter=[1]))
    assert (reason.kind, reason.like) == ("voted", 1)


def test_a_reason_names_the_like_that_is_near():
    [reason] = reasons(person([NORTH, EAST]), pool([EAST]))
    assert (reason.kind, reason.like) == ("similar", 1)


def test_no_reason_is_better_than_a_far_fetched_one():
    far = np.array([0.2, 0, np.sqrt(1 - 0.04)], np.float32)
    assert reasons(person(), pool([far])) == [None]


def test_a_like_that_gave_no_vote_and_a_mere_trace_of_one_are_no_reason():
    far = [0, 0, 1.0]
    nothing, trace, strong = reasons(
        person(), pool([far] * 3, votes=[0, 0.09, 1.0], voter=[0, 0, 0])
    )
    assert (nothing, trace) == (None, None)
    assert strong.kind == "voted"


def test_the_larger_of_ones_own_reasons_is_told_with_its_share():
    what = pool([EAST, EAST], votes=[1.0, 0.15], voter=[0, 0])
    first, second = reasons(person(), what)
    assert (first.kind, second.kind) == ("voted", "similar")
    assert first.strength == pytest.approx(0.74 / 0.94)
    assert second.strength == pytest.approx(0.2 / (0.2 + 0.15 * 0.74))


def test_what_speaks_against_an_item_makes_no_reason_for_it_larger():
    [reason] = reasons(person(dislikes=[EAST]), pool([EAST]))
    assert (reason.kind, reason.strength) == ("similar", 1)


def test_ones_own_reason_comes_before_what_all_like():
    what = pool([EAST, -NORTH], popularity=[1.0, 0], votes=[0, 1.0], voter=[-1, 0])
    who = person(history=1)
    ranked = rank(who, what, PLAIN)
    interest, _, popularity, _, _ = ranked.parts[0]
    assert interest < popularity
    assert reason_codes(who, what, ranked, [0])[0].kind == "similar"


def test_what_has_no_weight_is_no_reason():
    assert reasons(person(history=0), pool([EAST])) == [None]


def test_what_all_like_and_what_is_new_are_said_where_nothing_is_ones_own():
    popular, new = reasons(
        person(likes=()), pool([EAST, NORTH], popularity=[1, 0], age_days=[900, 1])
    )
    assert (popular.kind, new.kind) == ("popular", "new")


def test_an_item_that_is_there_for_variety_says_so():
    twins = pool([EAST, EAST, -NORTH])
    who = person()
    ranked = rank(who, twins, Rules(limit=2, diversity=0.9))
    assert ranked.order.tolist() == [0, 2]
    [reason] = reason_codes(who, twins, ranked, np.array([2]))
    assert reason.kind == "varied"


def test_a_person_is_read_from_likes_and_dislikes_in_one_row_of_vectors():
    taste = Taste(np.array([7, 8]), np.array([1.0, 0.5], np.float32), np.array([9]))
    vectors = np.array([EAST, np.zeros(3), NORTH], np.float32)
    neighbours = np.array([[1, 2], [2, 3], [4, -1]])
    weights = np.array([[0.6, 0.4], [0.9, 0.1], [1.0, 0]])
    who, voted = person_of(taste, vectors, neighbours, weights)
    assert who.history_length == 3
    assert who.dislike_vectors.tolist() == [NORTH.tolist()]
    assert len(who.interests.weights) == 1
    assert voted.ids.tolist() == [2, 1, 3]  # 4 is a neighbour of what was disliked
    assert voted.strengths == pytest.approx([0.85, 0.6, 0.05])


def test_sources_fill_a_pool_together():
    nobody, none = person(likes=()), Votes(*(np.zeros(0, int) for _ in range(3)))
    plan = asks(nobody, none, (), pool_size=200)
    assert [(ask.order, ask.limit) for ask in plan] == [("popular", 200), ("new", 200)]
    plan = asks(person([EAST, EAST, EAST, NORTH, NORTH, NORTH]), none, [5], pool_size=200)
    assert sum(ask.limit for ask in plan if ask.interest is not None) >= 200


def test_votes_find_their_items_in_the_pool():
    made = pool_of(
        Votes(np.array([30, 10]), np.array([0.9, 0.2]), np.array([1, 0])),
        ids=np.array([10, 20, 30]),
        vectors=np.zeros((3, 3), np.float32),
        category_ids=[[5], [], [5, 2]],
        creators=np.full(3, -1),
        popularity=np.zeros(3),
        age_days=np.zeros(3),
    )
    assert made.votes == pytest.approx([0.2, 0, 0.9])
    assert made.voter.tolist() == [0, -1, 1]
    assert made.categories.tolist() == [[False, True], [False, False], [True, True]]


def test_membership_of_nothing_is_an_empty_table():
    assert membership([]).shape == (0, 0)
