"""A floor of exposure: prices rise below it and fall far above it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.ranking.adjust import PARTS, adjusted
from recommender.ranking.floor import BACK, FAR_ABOVE, MOST, STEP, next_prices, raised

FLOOR = 3


def days(shown: int, n: int, start: float = 0.0) -> float:
    """The price of an item after n days in each of which it was shown to so many people."""
    price = np.array([start])
    for _ in range(n):
        price = next_prices(price, np.array([shown]), FLOOR)
    return float(price[0])


@pytest.mark.parametrize(
    ("shown", "moves"),
    [
        (0, STEP),
        (FLOOR - 1, STEP),
        (FLOOR, 0.0),
        (FAR_ABOVE * FLOOR, 0.0),
        (FAR_ABOVE * FLOOR + 1, -BACK),
    ],
)
def test_a_price_moves_by_how_many_were_shown_the_item(shown, moves):
    assert days(shown, 1, start=0.1) == pytest.approx(0.1 + moves)


def test_a_price_rises_no_further_than_it_may_and_falls_no_further_than_nothing():
    assert days(0, 100) == MOST
    assert days(1000, 100, start=MOST) == 0.0


@given(st.lists(st.tuples(st.floats(0, MOST), st.integers(0, 50)), min_size=1), st.integers(1, 9))
def test_no_item_is_priced_by_another(rows, floor):
    prices, shown = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    together = next_prices(prices, shown, floor)
    alone = [next_prices(prices[[n]], shown[[n]], floor)[0] for n in range(len(rows))]
    assert together.tolist() == alone


def test_what_has_nothing_for_it_gains_nothing():
    parts = np.array([[0.5], [0.0], [-0.5]])
    assert adjusted(parts, [raised(np.full(3, 0.2))])[:, 1].tolist() == pytest.approx([0.2, 0, 0])


def test_what_a_person_says_comes_after_it():
    assert PARTS.index("exposure") < min(
        PARTS.index(part) for part in PARTS if part == "steered" or part.startswith("wish_")
    )


def test_lists_of_all_people_together_hold_more_items_for_little_relevance():
    rng = np.random.default_rng(0)
    popular = np.linspace(0.4, 0.0, 300)  # the same few items are good for everybody
    relevance = 0.3 + popular + 0.15 * rng.random((100, 300))
    prices = np.zeros(300)

    def lists() -> np.ndarray:
        return np.array([np.argsort(-(own + raised(prices).added(own)))[:10] for own in relevance])

    before = lists()
    for _ in range(12):
        prices = next_prices(prices, np.bincount(lists().ravel(), minlength=300), 1)
    after = lists()
    assert len(np.unique(after)) >= 1.5 * len(np.unique(before))
    kept = [np.take_along_axis(relevance, chosen, axis=1).mean() for chosen in (before, after)]
    assert kept[1] >= 0.9 * kept[0]
