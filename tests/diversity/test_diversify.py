"""The one function on plain arrays, and that its documentation tells the truth."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from recommender.diversity import (
    NEED_ASPECTS,
    STRATEGIES,
    Contract,
    Limits,
    budget_of,
    diversify,
)
from recommender.diversity.diversify import OF_SETS, unit
from recommender.diversity.measures import relevance_kept

ROOT = Path(__file__).resolve().parents[2]
rng = np.random.default_rng(0)
VECTORS = rng.standard_normal((40, 8)) * 3
RELEVANCE = rng.random(40)
CATEGORIES = rng.random((40, 6)) < 0.3
CREATORS = rng.integers(-1, 9, 40)


def test_the_examples_of_the_documentation_print_what_they_say():
    found = doctest.testfile(str(ROOT / "docs" / "diversity.md"), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_documentation_names_every_strategy():
    text = (ROOT / "docs" / "diversity.md").read_text()
    assert [name for name in STRATEGIES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_is_asked_for_by_its_name(strategy):
    found = diversify(VECTORS, RELEVANCE, 10, strategy=strategy, budget=0.1, categories=CATEGORIES)
    assert (found.strategy, found.budget, found.unmet) == (strategy, 0.1, ())
    assert 0 < found.cost <= 0.1
    assert len(set(found.order.tolist())) == 10
    again = diversify(VECTORS, RELEVANCE, 10, strategy=strategy, budget=0.1, categories=CATEGORIES)
    assert again.order.tolist() == found.order.tolist()


def by_relevance(order: np.ndarray) -> list[int]:
    return sorted(order.tolist(), key=lambda row: -RELEVANCE[row])


@pytest.mark.parametrize("strategy", sorted(OF_SETS))
def test_a_set_is_shown_by_relevance_which_costs_least_of_it(strategy):
    more = {"aspects": CATEGORIES} if strategy in NEED_ASPECTS else {}
    found = diversify(VECTORS, RELEVANCE, 10, strategy=strategy, budget=0.1, categories=CATEGORIES)
    chosen = STRATEGIES[strategy](unit(VECTORS), RELEVANCE, 10, found.strength, **more)
    assert chosen.tolist() != found.order.tolist() == by_relevance(chosen)
    cost = 1 - relevance_kept(chosen, RELEVANCE)
    assert found.cost < cost


def test_without_a_budget_it_is_that_of_the_diversity_or_of_three_tenths():
    assert diversify(VECTORS, RELEVANCE, 10).budget == budget_of(0.3)
    assert diversify(VECTORS, RELEVANCE, 10, diversity=0.5).budget == budget_of(0.5)
    assert diversify(VECTORS, RELEVANCE, 10, diversity=0).order.tolist() == (
        np.argsort(-RELEVANCE)[:10].tolist()
    )


def test_the_length_of_a_vector_does_not_matter():
    lengths = rng.random((40, 1)) + 0.1
    one, other = (
        diversify(vectors, RELEVANCE, 10, budget=0.1).order.tolist()
        for vectors in (VECTORS, VECTORS * lengths)
    )
    assert one == other


def test_limits_come_before_the_budget():
    found = diversify(
        VECTORS, RELEVANCE, 5, budget=0, categories=CATEGORIES, creators=CREATORS,
        limits=Limits(min_categories=6, max_per_creator=1),
    )  # fmt: skip
    assert found.unmet == ()
    assert CATEGORIES[found.order].any(axis=0).sum() == 6
    assert found.strength == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("budget", [0, 0.05, 0.4])
def test_a_ceiling_for_creators_gives_the_list_that_a_gate_gives(strategy, budget):
    contract = Contract(
        Limits(max_per_creator=1), 8, RELEVANCE,
        categories=CATEGORIES, creators=CREATORS, vectors=VECTORS,
    )  # fmt: skip
    found = diversify(
        VECTORS, RELEVANCE, 8, strategy=strategy, budget=budget, categories=CATEGORIES,
        creators=CREATORS, limits=Limits(max_per_creator=1),
    )  # fmt: skip
    more = {"aspects": CATEGORIES} if strategy in NEED_ASPECTS else {}
    gated = contract.keep(
        lambda gate: STRATEGIES[strategy](
            unit(VECTORS), RELEVANCE, 8, found.strength, gate=gate, **more
        )
    )
    gives = by_relevance(gated.order) if strategy in OF_SETS else gated.order.tolist()
    assert found.order.tolist() == gives
    assert found.binding == gated.binding
    if budget == 0:
        assert found.binding == ("max_per_creator",)
    loose = diversify(
        VECTORS, RELEVANCE, 8, strategy=strategy, budget=budget, categories=CATEGORIES,
        creators=CREATORS, limits=Limits(max_per_creator=8),
    )  # fmt: skip
    assert loose.binding == ()


def test_nothing_to_choose_from_is_an_empty_list():
    found = diversify(np.zeros((0, 3)), np.zeros(0), 5)
    assert (found.order.tolist(), found.cost) == ([], 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strategy": "best"}, "no strategy 'best': mmr, msd"),
        ({"diversity": 0.3, "budget": 0.1}, "not both"),
        ({"strategy": "xquad"}, "needs aspects"),
        ({"limits": Limits(min_categories=2)}, "min_categories needs categories"),
        ({"limits": Limits(max_per_category=2)}, "max_per_category needs categories"),
        ({"limits": Limits(max_per_creator=2)}, "max_per_creator needs creators"),
        ({"limits": Limits(max_per_creator=2), "creators": CREATORS[1:]}, "creators"),
    ],
)
def test_what_cannot_be_asked_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        diversify(VECTORS, RELEVANCE, 5, **wrong)
    with pytest.raises(ValueError, match="vectors must be"):
        diversify(RELEVANCE, RELEVANCE, 5)
