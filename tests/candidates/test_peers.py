"""What people of like taste took up, so that no list tells what one of them did."""

import numpy as np
import pytest

from recommender.candidates.peers import FEWEST_PEERS, taken_up


def found(*people: tuple[float, dict[int, float]]) -> list[int]:
    """Of people as a likeness, and how much each item counts."""
    return taken_up(
        np.array([likeness for likeness, _ in people]),
        [np.array(list(took), dtype=np.int64) for _, took in people],
        [np.array(list(took.values()), dtype=np.float32) for _, took in people],
    ).tolist()


def test_what_nearer_people_took_up_comes_first():
    near, far = {1: 1.0}, {2: 1.0}
    assert found(*[(0.9, near)] * 3, *[(0.8, far)] * 3) == [1, 2]
    assert found(*[(0.8, near)] * 3, *[(0.9, far)] * 3) == [2, 1]


def test_what_more_of_them_took_up_comes_first():
    assert found(*[(0.5, {1: 1.0, 2: 1.0})] * 3, (0.5, {2: 1.0})) == [2, 1]


def test_what_counts_more_comes_first():
    # 3 x 0.5 x 0.25 against 3 x 0.5 x 1
    assert found(*[(0.5, {1: 0.25, 2: 1.0})] * 3) == [2, 1]


def test_of_equals_the_lower_id_comes_first():
    assert found(*[(0.5, {9: 1.0, 4: 1.0})] * 3) == [4, 9]


@pytest.mark.parametrize("behind", range(1, 6))
def test_what_fewer_than_three_people_took_up_is_told_to_nobody(behind):
    assert FEWEST_PEERS == 3
    others = [(0.9, {2: 1.0})] * 5
    assert (1 in found(*[(1.0, {1: 1.2})] * behind, *others)) is (behind >= 3)


def test_who_is_not_alike_is_not_asked_and_not_counted():
    both = [(0.9, {1: 1.0})] * 2
    assert found(*both, (-0.9, {1: 1.0})) == found(*both, (0.0, {1: 1.0})) == []
    assert found(*both, (0.1, {1: 1.0})) == [1]


def test_what_counts_for_nothing_is_nobody_s():
    assert found(*[(0.9, {1: 1.0})] * 2, (0.9, {1: 0.0})) == []


def test_nobody_took_up_nothing():
    assert found() == []
    assert found(*[(0.9, {})] * 4) == []
