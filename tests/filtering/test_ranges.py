"""Ranges of prices: easy to read, and each number in exactly one."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from recommender.filtering.ranges import MOST, ranges


@given(st.lists(st.decimals(0, 10**9, places=2), max_size=60))
def test_every_number_is_in_one_range_and_ranges_are_few_and_in_order(numbers):
    found = ranges(numbers)
    assert sum(row.count for row in found) == len(numbers)
    assert len(found) <= MOST + 1
    for row in found:
        inside = [n for n in numbers if n >= row.low and (row.high is None or n < row.high)]
        assert len(inside) == row.count > 0
    assert [row.low for row in found] == sorted({row.low for row in found})


def test_of_equal_prices_there_is_one_range():
    [only] = ranges([Decimal("9.99")] * 4)
    assert (only.low, only.high, only.count) == (Decimal(5), None, 4)
