"""How much each part counts: learned from what was taken up, or left where it began."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.ranking.model import LENGTHS, PARTS, Model, untrained
from recommender.training.blend import (
    BEGIN_OF_NEW,
    ENOUGH_WHOLE,
    FEWEST_MIXED,
    PRIOR,
    PRIOR_OF_NEW,
    SAYS,
    Example,
    fit,
    fit_weights,
)

N = len(PARTS)
START = untrained().weights[-1].astype(np.float64)
DISLIKE = PARTS.index("dislike")


def column(part: str) -> int:
    return PARTS.index(part)


def rows(**parts: list[float]) -> np.ndarray:
    """(n, parts) features of those that are named, the others 0."""
    n = len(next(iter(parts.values())))
    return np.stack([np.array(parts.get(part, [0.0] * n)) for part in PARTS], axis=1)


def example(taken: list[float], *, length: int = 3, touched=None, **parts: list[float]) -> Example:
    n = len(taken)
    touched = np.ones(n, bool) if touched is None else np.array(touched)
    return Example(rows(**parts), touched, np.array(taken, np.float32), length)


def choices(planted: np.ndarray, *, n: int, seed: int = 0) -> tuple[list, list]:
    """What people would take up out of twenty each, if these were the weights."""
    rng = np.random.default_rng(seed)
    features, taken = [], []
    for _ in range(n):
        rows = rng.random((20, N))
        chance = np.exp(rows @ planted)
        took = np.zeros(20)
        took[rng.choice(20, p=chance / chance.sum())] = 1.0
        features.append(rows)
        taken.append(took)
    return features, taken


# The weights of one kind of pool.


def test_without_examples_the_weights_stay_where_they_began():
    assert fit_weights([], [], START).tolist() == START.tolist()


def test_an_example_of_which_nothing_was_taken_up_says_nothing():
    shown = np.random.default_rng(0).random((5, N))
    assert fit_weights([shown], [np.zeros(5)], START).tolist() == START.tolist()
    some = [shown, shown[::-1]], [np.eye(5)[0], np.zeros(5)]
    alone = fit_weights(some[0][:1], some[1][:1], START)
    assert fit_weights(*some, START).tolist() == alone.tolist()


def test_one_choice_out_of_two_moves_a_weight_to_where_the_prior_holds_it():
    # The loss log(1 + exp(-w)) + prior w^2 is least where 1 / (1 + exp(w)) = 2 prior w.
    shown, took = rows(taste=[1.0, 0]), np.array([1.0, 0])
    for prior in (PRIOR, PRIOR_OF_NEW):
        found = fit_weights([shown], [took], np.zeros(N), prior=prior)
        w = found[column("taste")]
        assert 1 / (1 + np.exp(w)) == pytest.approx(2 * prior * w, abs=1e-4)
        assert np.delete(found, column("taste")).tolist() == [0] * (N - 1)


def test_planted_weights_are_recovered_from_what_people_took_up():
    planted = np.linspace(-1, 4, N)
    planted[DISLIKE] = -3.0
    found = fit_weights(*choices(planted, n=4000), np.zeros(N))
    assert found == pytest.approx(planted, abs=0.3)


def test_with_few_examples_weights_stay_nearer_to_the_prior_than_with_many():
    planted = START + 2.0
    planted[DISLIKE] = START[DISLIKE]
    off = [
        np.abs(fit_weights(*choices(planted, n=n), START) - START).mean() for n in (3, 100, 2000)
    ]
    assert off == sorted(off)
    assert off[0] < 0.3
    assert off[2] > 1.5


def test_a_dislike_never_speaks_for_an_item_however_many_take_such_items_up():
    planted = np.zeros(N)
    planted[DISLIKE] = 5.0
    assert fit_weights(*choices(planted, n=300), START)[DISLIKE] == 0.0


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_whatever_was_taken_up_weights_are_finite_and_a_dislike_is_not_above_0(seed):
    rng = np.random.default_rng(seed)
    features = [rng.random((n, N)) * 9 for n in rng.integers(1, 9, 4)]
    taken = [rng.random(len(f)) * (rng.random(len(f)) < 0.4) for f in features]
    found = fit_weights(features, taken, START)
    assert np.isfinite(found).all()
    assert found[DISLIKE] <= 0


def test_how_much_each_counts_is_shared_within_an_example_and_not_among_them():
    shown = np.random.default_rng(3).random((4, N))
    once = fit_weights([shown], [np.array([1.0, 0.5, 0, 0])], START)
    assert fit_weights([shown], [np.array([2.0, 1, 0, 0])], START) == pytest.approx(once, abs=1e-6)
    # Two of which one was taken up each are another matter than one with both.
    assert fit_weights([shown] * 2, [np.eye(4)[0], np.eye(4)[1]], START) != pytest.approx(
        once, abs=1e-3
    )


def test_the_same_examples_give_the_same_weights_to_the_last_bit():
    made = choices(START, n=50)
    assert fit_weights(*made, START).tobytes() == fit_weights(*made, START).tobytes()


# All weights of a model.


def by(part: str, n: int, *, length: int) -> list[Example]:
    """People who took up, of two items, the one that this part speaks for."""
    return [example([1, 0], length=length, **{part: [1.0, 0]})] * n


def weight(model: Model, part: str, length: int) -> float:
    return float(model.weights_for(length)[column(part)])


def test_without_examples_a_model_stays_as_it_began():
    found, start = fit([], [], untrained()), untrained()
    assert found.weights == pytest.approx(start.weights)
    assert found.new_item == pytest.approx(BEGIN_OF_NEW)
    assert found.new_item_say == start.new_item_say


def test_each_length_of_history_has_weights_of_its_own_and_others_follow_all_together():
    found = fit(by("taste", 60, length=3) + by("text", 60, length=200), [], untrained())
    start = untrained()
    assert weight(found, "taste", 3) > weight(found, "taste", 10) > START[column("taste")]
    assert weight(found, "text", 200) > weight(found, "text", 10) > START[column("text")]
    # Of 6 to 20 and 21 to 100 items there are no examples: they are as all together.
    assert found.weights[2].tolist() == found.weights[3].tolist()
    assert found.weights[0].tolist() == start.weights[0].tolist()  # nobody's examples are of that


@pytest.mark.parametrize(("length", "row"), [(1, 1), (5, 1), (6, 2), (20, 2), (21, 3), (101, 4)])
def test_an_example_counts_for_the_row_of_its_length(length, row):
    assert LENGTHS == (0, 1, 6, 21, 101)
    found = fit(by("taste", 60, length=length), [], untrained())
    best = np.argmax(found.weights[1:, column("taste")]) + 1
    assert best == row


def test_shortened_histories_speak_for_their_length_alone():
    short = [replace(e, is_shortened=True) for e in by("taste", 40, length=3)]
    found = fit(by("text", 40, length=30) + short, [], untrained())
    assert weight(found, "taste", 3) > START[column("taste")] + 0.5
    for length in (10, 30, 200):
        assert weight(found, "taste", length) == pytest.approx(START[column("taste")])


def test_where_enough_people_have_so_short_a_history_shortened_ones_say_nothing():
    short = [replace(e, is_shortened=True) for e in by("taste", 40, length=3)]
    whole = by("text", ENOUGH_WHOLE, length=3)
    enough, few = fit(whole + short, [], untrained()), fit(whole[:-1] + short, [], untrained())
    assert weight(enough, "taste", 3) == pytest.approx(START[column("taste")])
    assert weight(few, "taste", 3) > START[column("taste")] + 0.5


def test_what_nobody_touched_says_nothing_of_the_weights_of_the_others():
    mixed = example(
        [1, 0, 0], touched=[False, True, True], taste=[1.0, 0, 0], text=[0.0, 1, 0]
    )  # what was taken up is untouched
    found = fit([mixed] * 10, [], untrained())
    assert found.weights == pytest.approx(untrained().weights)


def test_items_that_nobody_touched_are_learned_from_examples_of_such_alone():
    new = [example([1, 0], touched=[False, False], text=[1.0, 0])] * 200
    found, start = fit([], new, untrained()), untrained()
    assert found.new_item[column("text")] > BEGIN_OF_NEW[column("text")] + 0.2
    assert found.weights == pytest.approx(start.weights)
    held = fit_weights(
        [e.features for e in new], [e.taken for e in new], BEGIN_OF_NEW, prior=PRIOR_OF_NEW
    )
    assert found.new_item == pytest.approx(held)


def mixed(n: int, *, took_new: int) -> list[Example]:
    """Of n people, so many took up the untouched item beside a touched one."""
    both = {"touched": [True, False], "taste": [1.0, 0], "text": [0.0, 1], "length": 3}
    return [example([0, 1], **both)] * took_new + [example([1, 0], **both)] * (n - took_new)


def test_the_say_of_new_items_grows_with_how_often_they_are_taken_up():
    says = [fit(mixed(40, took_new=took), [], untrained()).new_item_say for took in (0, 16, 40)]
    assert says == sorted(says)
    assert says[0] == min(SAYS) > 0
    assert says[-1] == max(SAYS)


def test_of_few_examples_nothing_is_learned_of_the_say_of_new_items():
    start = untrained()
    for n, say in ((FEWEST_MIXED - 1, start.new_item_say), (FEWEST_MIXED, min(SAYS))):
        assert fit(mixed(n, took_new=0), [], start).new_item_say == say
    shortened = [replace(e, is_shortened=True) for e in mixed(40, took_new=0)]
    assert fit(shortened, [], start).new_item_say == start.new_item_say


def test_the_maps_of_a_model_are_left_as_they_are():
    start = replace(untrained(), gram=np.eye(2), text_map=np.eye(3), promise=np.ones(3))
    found = fit(by("taste", 5, length=3), [], start)
    assert found.gram is start.gram
    assert found.text_map is start.text_map
    assert found.promise is start.promise
