"""A budget is never overspent, more of it never buys less, and it buys alike of every strategy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import Curve, Limits, Point, budget_of, diversify, mmr, spend
from recommender.diversity.budget import STRENGTHS
from recommender.diversity.measures import dcg
from tests.diversity.every import EVERY, every


def pool(seed: int, n: int = 60, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Candidates of a few kinds, the best of which are of one."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((5, d))
    relevance = rng.random(n) ** 2
    kind = np.where(relevance > 0.5, 0, rng.integers(0, 5, n))
    vectors = kinds[kind] + 0.7 * rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), relevance


def cost(order: np.ndarray, relevance: np.ndarray) -> float:
    return 1 - dcg(relevance[order]) / dcg(np.sort(relevance)[::-1][: len(order)])


def bought(choose, seed: int, budget: float, k: int = 10):
    vectors, relevance = pool(seed)
    found = spend(budget, lambda strength: choose(vectors, relevance, k, strength), relevance)
    assert found.cost == pytest.approx(cost(found.order, relevance), abs=1e-12)
    return found


@every
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_no_list_costs_more_than_its_budget(choose, seed, budget):
    found = bought(choose, seed, budget)
    assert found.cost <= budget + 1e-8
    vectors, relevance = pool(seed)
    assert found.order.tolist() == choose(vectors, relevance, 10, found.strength).tolist()


@every
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_budget_never_turns_a_strategy_down(choose, seed, one, other):
    less, more = sorted((one, other))
    assert bought(choose, seed, less).strength <= bought(choose, seed, more).strength


@every
def test_nothing_buys_the_order_of_relevance_and_everything_full_strength(choose):
    vectors, relevance = pool(1)
    assert bought(choose, 1, 0).order.tolist() == np.argsort(-relevance)[:10].tolist()
    assert (bought(choose, 1, 0).strength, bought(choose, 1, 1).strength) == (0, 1)


@every
def test_what_is_bought_is_the_most_that_the_budget_allows(choose):
    vectors, relevance = pool(2)
    found = bought(choose, 2, 0.05)
    assert 0 < found.strength < 1
    a_step_more = STRENGTHS[STRENGTHS.index(found.strength) + 1]
    assert cost(choose(vectors, relevance, 10, a_step_more), relevance) > 0.05


def test_the_same_diversity_costs_the_same_whatever_the_strategy():
    pools = [pool(seed, n=200) for seed in range(20)]

    def mean_costs(lists_of) -> np.ndarray:
        return np.array(
            [
                np.mean([cost(lists_of(name, *each), each[1]) for each in pools])
                for name in ("mmr", "msd", "dpp", "ssd")
            ]
        )

    for diversity, least in ((0.5, 0.6), (0.7, 0.8)):
        means = mean_costs(
            lambda name, *each, d=diversity: diversify(*each, 20, strategy=name, diversity=d).order
        )
        assert (least * budget_of(diversity) < means).all()
        assert (means <= budget_of(diversity)).all()
    # One strength for all costs one of them several times what it costs another.
    at_one_strength = mean_costs(lambda name, *each: EVERY[name](*each, 20, 0.5))
    assert at_one_strength.max() > 3 * at_one_strength.min()


def test_a_plain_diversity_rises_from_nothing_to_half():
    budgets = [budget_of(diversity) for diversity in np.linspace(0, 1, 11)]
    assert (budgets[0], budgets[-1]) == (0, 0.5)
    assert (np.diff(budgets) > 0).all()


def test_where_relevance_is_negative_costs_count_from_the_lowest():
    vectors, relevance = pool(3)
    order = np.arange(10)
    found = spend(1, lambda _: order, relevance - 5)
    assert found.cost == pytest.approx(cost(order, relevance - relevance.min()))


def test_a_list_that_limits_alone_make_dear_is_taken_at_strength_zero():
    vectors, relevance = pool(4)
    worst = np.argsort(relevance)[:10]
    found = spend(0.01, lambda _: worst, relevance)
    assert (found.strength, found.order.tolist()) == (0, worst.tolist())
    assert found.cost > 0.01


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 2, float("nan")])
def test_a_budget_or_diversity_outside_zero_to_one_is_refused(wrong):
    vectors, relevance = pool(0)
    with pytest.raises(ValueError, match="budget"):
        spend(wrong, lambda s: mmr(vectors, relevance, 5, s), relevance)
    with pytest.raises(ValueError, match="diversity"):
        budget_of(wrong)
    with pytest.raises(ValueError, match="budget"):
        diversify(vectors, relevance, 5, budget=wrong)


POINTS = (
    Point("mmr", 0.0, 1.0, 0.40),
    Point("mmr", 0.3, 0.98, 0.50),
    Point("dpp", 0.2, 0.99, 0.52),
    Point("dpp", 0.6, 0.91, 0.70),
    Point("ssd", 0.9, 0.95, 0.52),
)


@pytest.mark.parametrize(
    ("budget", "expected"),
    [(0, ("mmr", 0.0)), (0.01, ("dpp", 0.2)), (0.05, ("dpp", 0.4)), (0.09, ("dpp", 0.6))],
)
def test_a_curve_names_the_strategy_and_strength_of_the_most_diversity_within(budget, expected):
    found = Curve(POINTS).strongest_within(budget)
    assert (found.strategy, round(found.strength, 9)) == expected


def test_a_curve_without_a_point_that_keeps_enough_names_none():
    assert Curve(POINTS[1:]).strongest_within(0) is None
    assert Curve(()).strongest_within(1) is None


def test_between_two_points_a_strategy_keeps_and_brings_what_lies_on_the_line():
    found = Curve(POINTS).within("dpp", 0.05)
    assert (found.strategy, found.kept) == ("dpp", 0.95)
    assert found.strength == pytest.approx(0.4)
    assert found.diversity == pytest.approx(0.61)


@pytest.mark.parametrize(
    ("strategy", "budget", "strength"),
    [
        ("mmr", 0, 0),
        ("mmr", 0.01, 0.15),
        ("mmr", 0.02, 1),  # all that was measured keeps that much
        ("dpp", 0, 0),  # not even its smallest does
        ("dpp", 0.09, 1),
        ("msd", 0.01, 1),  # was not measured
    ],
)
def test_a_curve_says_how_strong_a_strategy_may_be(strategy, budget, strength):
    assert Curve(POINTS).strength_within(strategy, budget) == pytest.approx(strength)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_budget_never_allows_less_strength(one, other):
    less, more = sorted((one, other))
    for strategy in ("mmr", "dpp", "ssd"):
        within = [Curve(POINTS).strength_within(strategy, budget) for budget in (less, more)]
        assert within[0] <= within[1]


@every
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_a_strength_that_may_not_be_passed_is_used_where_the_budget_allows(
    choose, seed, budget, at_most
):
    vectors, relevance = pool(seed)
    found = spend(budget, lambda s: choose(vectors, relevance, 10, s), relevance, at_most=at_most)
    assert found.strength <= at_most
    assert found.cost <= budget + 1e-8
    if budget > 0 and cost(choose(vectors, relevance, 10, at_most), relevance) <= budget:
        assert found.strength == at_most


def test_a_budget_beside_limits_pays_for_both():
    vectors, relevance = pool(5)
    creators = np.arange(60) % 12
    found = diversify(
        vectors, relevance, 10, budget=0.3, limits=Limits(max_per_creator=1), creators=creators
    )
    assert found.unmet == ()
    assert len(set(creators[found.order])) == 10
    assert found.cost == pytest.approx(cost(found.order, relevance))
    assert 0 < found.cost <= 0.3
