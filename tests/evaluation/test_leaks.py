"""A leak planted in a split is told from a split that does not leak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.evaluation.fitting import part
from recommender.evaluation.splits import Leak, after, check_apart, last_fraction
from tests.evaluation.worlds import in_order, likes, together
from tests.events import Events

EVENTS = in_order()
HELD = last_fraction(EVENTS.people, EVENTS.moments, 0.2)
KNOWN = part(EVENTS, ~HELD)


def test_a_split_in_time_does_not_leak():
    check_apart(KNOWN, EVENTS, HELD)
    later = after(EVENTS.moments, float(np.median(EVENTS.moments)))
    check_apart(part(EVENTS, ~later), EVENTS, later)
    check_apart(EVENTS, EVENTS, np.zeros(len(EVENTS.people), bool))


@pytest.mark.parametrize("row", np.flatnonzero(HELD)[[0, 1, -1]].tolist())
def test_one_event_held_out_that_is_known_too_is_a_leak(row):
    planted = together(KNOWN, part(EVENTS, np.arange(len(EVENTS.people)) == row))
    with pytest.raises(Leak, match="^1 events are known"):
        check_apart(planted, EVENTS, HELD)


def test_so_is_whatever_else_the_person_did_afterwards():
    planted = together(KNOWN, likes(3, [139], [99]))
    with pytest.raises(Leak, match="^1 events"):
        check_apart(planted, together(EVENTS, likes(3, [139], [99])), np.r_[HELD, False])


def test_a_mask_that_holds_out_the_beginning_is_one():
    first = np.arange(len(EVENTS.people)) % 12 == 0
    with pytest.raises(Leak):
        check_apart(part(EVENTS, ~first), EVENTS, first)


def test_what_others_did_later_is_none():
    check_apart(together(KNOWN, likes(777, [139], [99])), EVENTS, HELD)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40))
def test_events_of_one_moment_may_lie_on_both_sides_and_none_on_both(rows):
    people, days = (np.array(column) for column in zip(*rows, strict=True))
    whole = likes(people, np.full(len(rows), 100), days)  # all of one item, so equal ones occur
    held = last_fraction(whole.people, whole.moments, 0.3, fewest=2)
    known = part(whole, ~held)
    check_apart(known, whole, held)
    for row in np.flatnonzero(held):
        planted: Events = together(known, part(whole, np.arange(len(rows)) == row))
        with pytest.raises(Leak):
            check_apart(planted, whole, held)
