"""The geometry of a curve, by numbers checked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.evaluation.curve import Frame, lines


def test_marks_stand_in_the_middle_of_their_columns():
    frame = Frame(left=40, right=100, top=10, bottom=110)
    assert frame.across(1) == [70.0]
    assert frame.across(3) == [50.0, 70.0, 90.0]
    assert frame.across(0) == []


def test_a_larger_value_lies_higher():
    frame = Frame(left=40, right=100, top=10, bottom=110)
    assert [frame.up(value, 0.5) for value in (0.0, 0.25, 0.5)] == [110.0, 60.0, 10.0]


@pytest.mark.parametrize(
    ("highest", "expected"),
    [
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2]),
        (0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        (0.09, [0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        (0.0031, [0, 0.001, 0.002, 0.003, 0.004]),
        (0.0, [0, 0.5, 1.0]),
    ],
)
def test_lines_are_round_numbers(highest, expected):
    assert lines([highest]) == expected


@given(st.lists(st.floats(1e-6, 1.0), min_size=1))
def test_all_values_lie_below_the_last_line_and_few_lines_are_drawn(values):
    drawn = lines(values)
    assert drawn[0] == 0
    assert drawn[-1] > max(values)
    assert drawn == sorted(set(drawn))
    assert 5 <= len(drawn) <= 9
