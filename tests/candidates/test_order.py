"""What follows what: counts damped by distance, and a ridge from the past to the near future."""

import numpy as np
import pytest
import scipy.sparse as sp

from recommender.candidates import order
from recommender.candidates.neighbours import ENOUGH_LIKES, Neighbours
from recommender.candidates.order import (
    DAMPING,
    FUTURE_HALF_LIFE,
    PAST_HALF_LIFE,
    RIDGE,
    WINDOW,
    learn_next,
    learn_order,
    strongest,
)


def sequences(*histories: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """People and items of histories, each oldest first."""
    people = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    return people, np.array([item for history in histories for item in history], dtype=np.int64)


def table(found: Neighbours) -> np.ndarray:
    """(n, n) weight of what comes after each item."""
    n = len(found.ids)
    out = np.zeros((n, n))
    for row in range(n):
        there = found.ids[row] >= 0
        out[row, found.ids[row][there]] = found.weights[row][there]
    return out


THREE_PEOPLE = sequences([0, 1, 2], [0, 1], [2, 0])


def test_what_follows_counts_by_its_distance_and_through_a_logarithm():
    # 0 → 1 twice next to each other, 0 → 2 once behind another, 1 → 2 and 2 → 0 once.
    found = learn_order(*THREE_PEOPLE, n_items=3, k=2)
    of_one = 3 / DAMPING
    assert found.ids.tolist() == [[1, 2], [2, -1], [0, -1]]
    assert found.weights == pytest.approx(
        np.log1p([[2 * of_one, 0.5 * of_one], [of_one, 0], [of_one, 0]])
    )


def test_what_one_person_did_last_leads_to_nothing_of_the_next_person():
    assert (learn_order(*sequences([0], [1], [2]), n_items=3).ids == -1).all()


def test_an_event_leads_to_no_more_than_a_window_of_others():
    history = list(range(WINDOW + 2))
    found = table(learn_order(*sequences(history), n_items=len(history)))[0]
    assert found[WINDOW] == pytest.approx(np.log1p(len(history) / DAMPING / WINDOW))
    assert found[WINDOW + 1] == 0


def test_an_item_never_leads_to_itself():
    found = table(learn_order(*sequences([0, 0, 1, 0]), n_items=2))
    assert found.diagonal().tolist() == [0, 0]
    # 0 → 1 from one and from two places away; 1 → 0 once.
    assert [found[0, 1], found[1, 0]] == pytest.approx(
        [np.log1p(1.5 * 2 / DAMPING), np.log1p(2 / DAMPING)]
    )


def test_of_two_that_follow_as_often_the_lower_number_comes_first():
    assert learn_order(*sequences([0, 2], [0, 1], [0, 3]), n_items=4, k=2).ids[0].tolist() == [1, 2]


def test_the_strongest_of_a_row_are_kept_and_none_that_is_not_above_0():
    rows = sp.csr_array(np.array([[0.0, 0.2, 0.9, -0.5], [0] * 4, [0] * 4, [0, 0, -1, 0]]))
    found = strongest(rows, 3)
    assert found.ids.tolist() == [[2, 1, -1], [-1] * 3, [-1] * 3, [-1] * 3]
    assert found.weights[0] == pytest.approx([0.9, 0.2, 0])


def dense_next(histories: list[list[int]], n_items: int) -> np.ndarray:
    """(n, n) ridge from the fading past of each event to it and its fading future, solved whole."""
    past, future = [], []
    for history in histories:
        for at in range(len(history)):
            before, after = np.zeros(n_items), np.zeros(n_items)
            for step, item in enumerate(history[:at][::-1][:WINDOW]):
                before[item] += 0.5 ** (step / PAST_HALF_LIFE)
            for step, item in enumerate(history[at:][:WINDOW]):
                after[item] += 0.5 ** (step / FUTURE_HALF_LIFE)
            past.append(before)
            future.append(after)
    past, future = np.array(past), np.array(future)
    weights = np.linalg.solve(past.T @ past + RIDGE * np.eye(n_items), past.T @ future)
    np.fill_diagonal(weights, 0)
    return np.maximum(weights, 0)


def some_histories(seed: int, people: int = 30, n_items: int = 6) -> list[list[int]]:
    """Wanderings that mostly go on to the next item."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(people):
        item, history = int(rng.integers(n_items)), []
        for _ in range(int(rng.integers(2, 30))):
            history.append(item)
            ahead = rng.random() < 0.7
            item = (item + 1) % n_items if ahead else int(rng.integers(n_items))
        made.append(history)
    return made


def test_two_items_in_turn_say_what_a_ridge_of_two_says():
    # Five people took up 0 and then 1. The past of 1 is 0, the past of 0 nothing: the gram of the
    # past is 5 for item 0 alone, and what came then is 1, five times.
    found = learn_next(*sequences(*[[0, 1]] * 5), n_items=2, k=1)
    assert found.ids.tolist() == [[1], [-1]]
    assert found.weights[0, 0] == pytest.approx(5 / (5 + RIDGE))


@pytest.mark.parametrize("seed", range(3))
def test_what_comes_next_is_a_ridge_as_a_plain_solution_gives_it(seed):
    histories = some_histories(seed)
    found = table(learn_next(*sequences(*histories), n_items=6))
    expected = dense_next(histories, 6)
    assert (expected > 0).sum() > 6
    assert found == pytest.approx(expected, abs=1e-5)


def test_only_the_strongest_are_kept_and_none_that_is_not_above_0():
    histories = some_histories(4)
    two, expected = learn_next(*sequences(*histories), n_items=6, k=2), dense_next(histories, 6)
    for row in range(6):
        assert two.ids[row].tolist() == np.argsort(-expected[row])[:2].tolist()
        assert two.weights[row] == pytest.approx(np.sort(expected[row])[::-1][:2], abs=1e-5)


def test_an_item_of_few_events_has_no_say_and_is_as_if_it_had_not_been():
    histories = [[0, 2, 1]] * (ENOUGH_LIKES - 1) + [[0, 1]] * 3
    found = table(learn_next(*sequences(*histories), n_items=3))
    assert not found[2].any()
    assert not found[:, 2].any()
    assert found[:2, :2] == pytest.approx(dense_next([[0, 1]] * 7, 2))


def test_where_more_items_than_the_limit_have_enough_events_none_has_a_say():
    histories = some_histories(5)
    assert (learn_next(*sequences(*histories), n_items=6, limit=5).ids == -1).all()
    assert (learn_next(*sequences(*histories), n_items=6, limit=6).ids >= 0).any()
    assert (learn_next(*sequences([0] * 9), n_items=1).ids == -1).all()  # one says nothing


@pytest.mark.parametrize("events", [1, 7, 40, 10_000])
def test_chunks_part_no_person_and_change_nothing(monkeypatch, events):
    # The last person is longer than a chunk of 7 or of 40, so that a bound falls within.
    histories = [*some_histories(6), list(range(6)) * 10]
    before = table(learn_next(*sequences(*histories), n_items=6))
    monkeypatch.setattr(order, "CHUNK_EVENTS", events)
    assert table(learn_next(*sequences(*histories), n_items=6)) == pytest.approx(before, abs=1e-5)


def test_the_size_of_blocks_changes_nothing(monkeypatch):
    histories = some_histories(7)
    before = table(learn_next(*sequences(*histories), n_items=6))
    monkeypatch.setattr(order, "BLOCK_ITEMS", 4)
    assert table(learn_next(*sequences(*histories), n_items=6)).tolist() == before.tolist()
