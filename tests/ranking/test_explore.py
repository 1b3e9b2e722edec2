"""Places of a list that go to little known items: to which, how many, and with what chance."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from recommender.candidates.signals import KINDS, signal
from recommender.diversity import Contract, Limits
from recommender.ranking.explore import (
    FEW_SHOWN,
    FIRST,
    LEFT,
    TAKEN,
    Explored,
    chances,
    explore,
    records,
)

NOBODY = -1


@dataclass
class Case:
    """A list of the first rows of a pool of known items, and new ones behind them."""

    places: int
    new: int
    share: float = 0.05
    worth: dict[int, float] = field(default_factory=dict)
    creators: dict[int, int] = field(default_factory=dict)
    shown: dict[int, float] = field(default_factory=dict)
    taken: dict[int, float] = field(default_factory=dict)
    max_per_creator: int | None = 3

    def explore(self, seed: int = 0) -> Explored:
        n = self.places + self.new
        columns = {
            "worth": np.linspace(1, 0.5, n),
            "shown": np.r_[np.full(self.places, 900.0), np.zeros(self.new)],
            "taken": np.zeros(n),
        }
        creators = np.full(n, NOBODY)
        for name, column in (columns | {"creators": creators}).items():
            for row, value in getattr(self, name).items():
                column[row] = value
        return explore(
            np.arange(self.places),
            *columns.values(),
            share=self.share,
            fits=Contract(
                Limits(max_per_creator=self.max_per_creator),
                self.places,
                columns["worth"],
                categories=np.zeros((n, 0), dtype=bool),
                creators=creators,
                vectors=np.zeros((n, 1)),
            ).keeps,
            rng=np.random.default_rng(seed),
        )

    def tried(self, seeds: int = 200) -> set[int]:
        """Rows that got a place in some of so many lists."""
        return {int(row) for seed in range(seeds) for row in given(self.explore(seed))}


def given(explored: Explored) -> list[int]:
    return explored.order[explored.places].tolist()


# How many places, and which.


def test_one_place_in_twenty_goes_to_an_item_that_nobody_saw():
    explored = Case(places=20, new=30).explore()
    [place] = explored.places
    assert place >= FIRST
    assert explored.order[place] >= 20
    kept = np.arange(20) != place
    assert explored.order[kept].tolist() == np.arange(20)[kept].tolist()


@pytest.mark.parametrize(
    ("places", "share"), [(20, 0.05), (20, 0.02), (10, 0.05), (50, 0.05), (100, 0.07), (5, 0.4)]
)
def test_the_share_of_places_is_the_one_asked_for(places, share):
    lists = [Case(places=places, new=300, share=share).explore(seed) for seed in range(1500)]
    per_list = np.array([len(explored.places) for explored in lists])
    assert per_list.max() <= np.ceil(share * places)
    error = 4 * per_list.std() / np.sqrt(len(lists))
    assert abs(per_list.mean() - share * places) <= error + 1e-9


def test_no_place_is_given_away_without_a_share():
    explored = Case(places=20, new=30, share=0).explore()
    assert explored.order.tolist() == list(range(20))
    assert explored.propensity.tolist() == [1.0] * 20


@pytest.mark.parametrize("places", [0, 1, FIRST])
def test_the_first_places_are_never_given_away(places):
    explored = Case(places=places, new=30, share=1).explore()
    assert explored.order.tolist() == list(range(places))


def test_all_places_but_the_first_can_be_given_away():
    explored = Case(places=8, new=300, share=1).explore()
    assert explored.places.tolist() == [3, 4, 5, 6, 7]
    assert len(set(explored.order.tolist())) == 8


def test_without_a_little_known_item_the_list_stays():
    case = Case(places=20, new=2, shown={20: FEW_SHOWN, 21: FEW_SHOWN + 1})
    assert case.explore().propensity.tolist() == [1.0] * 20
    assert case.tried() == set()


def test_one_seed_gives_one_list_and_others_give_others():
    case = Case(places=20, new=30)
    assert case.explore(7).order.tolist() == case.explore(7).order.tolist()
    assert len({tuple(case.explore(seed).order) for seed in range(20)}) > 10


# To whom.


def test_what_has_more_against_it_than_for_it_is_not_tried():
    assert Case(places=20, new=3, worth={20: -0.01, 21: 0.0}).tried() == {21, 22}


def test_a_creator_who_fills_the_list_gets_no_place_more():
    case = Case(places=20, new=3, creators={0: 5, 1: 5, 2: 5, 20: 5, 3: 6, 4: 6, 21: 6})
    assert case.tried() == {21, 22}


def test_two_places_do_not_go_to_a_creator_who_has_room_for_one():
    case = Case(places=40, new=4, creators=dict.fromkeys((0, 1, 40, 41, 42, 43), 5))
    both = [len(given(case.explore(seed))) for seed in range(50)]
    assert both == [1] * 50
    assert case.tried() == {40, 42}  # those of the first part


def test_an_item_gets_the_place_of_another_of_its_creator():
    case = Case(places=20, new=1, creators={0: 5, 1: 5, 7: 5, 20: 5})
    lists = [case.explore(seed) for seed in range(200)]
    assert {tuple(explored.places) for explored in lists} == {(), (7,)}
    kept = next(explored for explored in lists if not len(explored.places))
    assert kept.propensity == pytest.approx([1.0] * 7 + [16 / 17] + [1.0] * 12)


def test_a_list_that_keeps_no_limit_stays_as_it_is():
    case = Case(places=20, new=3, creators=dict.fromkeys(range(4), 5))
    assert case.tried() == set()


def test_of_many_the_most_relevant_are_tried():
    assert Case(places=20, new=100).tried(1000) == set(range(20, 40))


def test_the_better_record_is_preferred_and_the_others_still_tried():
    case = Case(places=20, new=3, shown={20: 20, 21: 20}, taken={20: 6, 21: 1})
    often = {20: 0, 21: 0, 22: 0}
    for seed in range(500):
        [row] = given(case.explore(seed))
        often[row] += 1
    assert often[20] > often[22] > often[21] > 0


# With what chance.


def test_the_chance_to_be_best_is_that_of_drawing_a_share_for_each():
    shown, taken = np.array([0.0, 10, 40, 49.5]), np.array([0.0, 3, 1, 12.25])
    drawn = np.random.default_rng(0).beta(TAKEN + taken, LEFT + shown - taken, (200_000, 4))
    best = np.bincount(drawn.argmax(axis=1), minlength=4) / len(drawn)
    assert chances(shown, taken) == pytest.approx(best, abs=0.005)


def test_one_item_alone_is_surely_the_best():
    assert chances(np.zeros(1), np.zeros(1)).tolist() == [1.0]


@pytest.mark.parametrize(("places", "share"), [(6, 0.1), (6, 0.5), (20, 0.05), (5, 1.0)])
def test_items_come_to_stand_where_they_do_as_often_as_the_propensity_says(places, share):
    case = Case(places=places, new=5, share=share, shown={places: 20}, taken={places: 5})
    case.creators, case.max_per_creator = {3: 5, places + 1: 5}, 1  # this one fits at place 3 alone
    n, often, said = 5_000, {}, {}
    for seed in range(n):
        explored = case.explore(seed)
        for place, row in enumerate(explored.order.tolist()):
            often[place, row] = often.get((place, row), 0) + 1
            said.setdefault((place, row), set()).add(float(explored.propensity[place]))
    for where, propensities in said.items():
        [propensity] = propensities  # whatever became of the other places
        assert 0 < propensity <= 1
        error = 5 * np.sqrt(propensity * (1 - propensity) / n)
        assert often[where] / n == pytest.approx(propensity, abs=error + 1e-12), where
    total = sum(propensity for [propensity] in said.values())
    assert total == pytest.approx(places)  # all that can stand anywhere was seen


# Bad input.


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        Case(places=20, new=3, share=share).explore()


@pytest.mark.parametrize("column", ["worth", "shown", "taken"])
def test_a_number_that_is_not_finite_is_refused(column):
    with pytest.raises(ValueError, match="finite"):
        Case(places=20, new=3, **{column: {21: float("nan")}}).explore()


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        explore(
            np.arange(2),
            *(np.zeros(n) for n in (4, 3, 4)),
            share=0.5,
            fits=lambda rows: True,
            rng=np.random.default_rng(0),
        )


# Records.


def record(feedback=(), shown=(), answers=()) -> dict[int, tuple[float, float]]:
    """Feedback is (person, item, kind), shown (item, people), answers (person, item, weight)."""
    people, items, kinds = zip(*feedback, strict=True) if feedback else ([], [], [])
    numbers = np.array([KINDS.index(kind) for kind in kinds], dtype=np.int8)
    says = signal(numbers, np.full(len(kinds), np.nan), rating_mean=3.5)
    shown_items, times = zip(*shown, strict=True) if shown else ([], [])
    columns = zip(*answers, strict=True) if answers else ([], [], [])
    found = records(
        np.array(items, dtype=np.int64),
        np.array(people, dtype=np.int64),
        says,
        shown_items=np.array(shown_items, dtype=np.int64),
        shown=np.array(times, dtype=np.float64),
        answers=tuple(
            np.array(column, dtype=kind)
            for column, kind in zip(columns, ("i8", "i8", "f8"), strict=True)
        ),
    )
    return {int(item): (had, taken) for item, had, taken in zip(*found, strict=True)}


def test_nothing_shown_and_nothing_said_is_no_record():
    assert record() == {}


def test_who_was_shown_an_item_and_likes_it_took_it_up():
    shown, answers = [(7, 3.0)], [(1, 7, 1.0), (2, 7, 1.0)]
    assert record([(1, 7, "like"), (2, 7, "hide")], shown, answers) == {7: (3.0, 1.0)}


def test_an_answer_fades_with_its_showing():
    assert record([(1, 7, "like")], [(7, 2.25)], [(1, 7, 0.25)]) == {7: (2.25, 0.25)}


def test_who_found_an_item_elsewhere_knows_it_too():
    assert record([(1, 7, "like"), (2, 7, "dislike")], [(7, 4.0)]) == {7: (6.0, 1.0)}
    assert record([(1, 7, "like")]) == {7: (1.0, 1.0)}


def test_a_person_counts_once_whatever_they_did():
    said = [(1, 7, "view"), (1, 7, "view"), (1, 7, "like"), (1, 7, "save")]
    assert record(said, [(7, 1.0)], [(1, 7, 1.0)]) == {7: (1.0, 1.0)}


def test_a_view_that_ended_in_a_dislike_is_none():
    assert record([(1, 7, "view"), (1, 7, "dislike")]) == {7: (1.0, 0.0)}


def test_what_nobody_was_shown_is_tried_however_little_speaks_for_it():
    places, new = 20, 60
    last = places + new - 1
    shown = dict.fromkeys(range(places, last), 40.0)  # the others are more relevant, and known
    case = Case(places, new, worth={last: 0.0}, shown=shown)
    assert last in case.tried()
    case.shown[last] = 40.0
    assert last not in case.tried()
