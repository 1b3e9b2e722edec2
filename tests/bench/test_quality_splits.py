"""What is known, what is for choosing, and what is to be found."""

import numpy as np
import pytest

from bench.quality import splits
from bench.quality.data import Event, gather


def data_of(*events, clock="time", items="abcdefghij"):
    """Events (person, item) or (person, item, rating), a second apart."""
    found = [
        Event(event[0], event[1], float(event[2]) if len(event) > 2 else np.nan, float(moment))
        for moment, event in enumerate(events)
    ]
    catalogue = [{"item": item, "title": item.upper(), "genres": "", "text": ""} for item in items]
    return gather("tiny", catalogue, found, clock)


def pairs(data, rows):
    return [
        f"{data.person_ids[data.people[row]]} {data.catalogue[data.items[row]]['item']}"
        for row in np.flatnonzero(rows)
    ]


def found(data, split, part="test"):
    wanted = splits.relevant(data, split, part)
    return {
        data.person_ids[person]: "".join(data.catalogue[item]["item"] for item in items)
        for person, items in wanted.items()
    }


def test_the_last_event_is_to_be_found_and_the_one_before_it_is_for_choosing():
    data = data_of(*[("ann", item) for item in "cab"], ("bob", "a"), ("bob", "d"), ("eve", "a"))
    split = splits.loo(data)
    assert pairs(data, split.train) == ["ann c"]
    assert pairs(data, split.valid) == ["ann a", "bob a"]
    assert pairs(data, split.test) == ["ann b", "bob d", "eve a"]
    assert found(data, split) == {"ann": "b", "bob": "d"}, "nothing is known of eve"
    assert found(data, split, "valid") == {"ann": "a"}, "nothing else is known of bob then"


def test_the_last_event_counts_whatever_its_rating():
    data = data_of(("ann", "a", 5), ("ann", "b", 5), ("ann", "c", 1))
    assert found(data, splits.loo(data)) == {"ann": "c"}


def test_of_ten_events_two_are_to_be_found_if_they_were_liked():
    ten = [("ann", item, 4 if item != "j" else 3.5) for item in "abcdefghij"]
    five = [("bob", item, 5) for item in "abcde"]
    data = data_of(*ten, *five)
    split = splits.utemporal(data)
    assert pairs(data, split.train) == [f"ann {i}" for i in "abcdefg"] + [
        f"bob {i}" for i in "abcd"
    ]
    assert pairs(data, split.valid) == ["ann h"]
    assert pairs(data, split.test) == ["ann i", "ann j", "bob e"]
    assert found(data, split) == {"ann": "i"}, "j was not liked, and bob is known by four events"


def test_without_ratings_any_event_is_to_be_found():
    data = data_of(*[("ann", item) for item in "abcdefghij"])
    assert found(data, splits.utemporal(data)) == {"ann": "ij"}


def test_the_last_tenth_of_all_time_is_to_be_found():
    data = data_of(*[("ann", item) for item in "abcde"], *[("bob", item) for item in "abcde"])
    split = splits.temporal(data)
    assert pairs(data, split.valid) == ["bob d"]
    assert pairs(data, split.test) == ["bob e"]
    assert found(data, split) == {}, "bob is known by four events"


def test_a_held_item_has_no_event_before_the_test_and_nothing_else_may_be_shown():
    people = [f"p{number}" for number in range(8)]
    data = data_of(*[(person, item) for person in people for item in "abcdefghij"])
    split = splits.cold(data)
    # The first ten numbers of the generator: .64 .27 .04 .02 .81 .91 .61 .73 .54 .94
    shown = {part: set(data.items[getattr(split, part)]) for part in ("train", "valid", "test")}
    assert shown == {"train": {0, 1, 2, 3, 6, 8}, "valid": {7}, "test": {4, 5, 9}}
    assert splits.candidates(data, split).tolist() == [4, 5, 9]
    assert splits.candidates(data, split, "valid").tolist() == [7]
    assert set(found(data, split).values()) == {"efj"}
    assert splits.candidates(data, splits.loo(data)) is None


def test_each_event_is_to_be_found_in_one_of_five_folds():
    data = data_of(*[(f"p{n % 7}", "abcdefghij"[n % 10], 1) for n in range(70)])
    folds = [splits.fold(data, number) for number in range(5)]
    assert (np.sum([fold.test for fold in folds], axis=0) == 1).all()
    for fold in folds:
        assert (fold.train.sum(), fold.valid.sum(), fold.test.sum()) == (49, 7, 14)
        assert sum(map(len, splits.relevant(data, fold).values())) == 14, "whatever the rating"


@pytest.mark.parametrize(
    ("clock", "names"),
    [
        ("time", ["loo", "utemporal", "temporal", "cold", "folds"]),
        ("order", ["loo", "utemporal", "cold", "folds"]),
        ("", ["cold", "folds"]),
    ],
)
def test_without_a_clock_nothing_is_split_by_time(clock, names):
    assert list(splits.splits_of(data_of(("ann", "a"), clock=clock))) == names


@pytest.mark.parametrize("make", [splits.loo, splits.utemporal, splits.temporal, splits.cold])
def test_another_library_sees_what_is_known_and_nothing_of_the_test(tmp_path, make):
    rng = np.random.default_rng(0)
    events = [(f"p{n % 6}", "abcdefghij"[n // 6], int(rng.integers(1, 6))) for n in range(60)]
    data = data_of(*events)
    split = make(data)
    splits.write(data, split, tmp_path)
    seen, theirs = splits.read(tmp_path)
    assert pairs(seen, theirs.train) == pairs(data, split.train)
    assert pairs(seen, theirs.valid) == pairs(data, split.valid)
    assert found(seen, theirs, "valid") == found(data, split, "valid")
    assert len(seen.people) == split.known("test").sum() < len(data.people)
    assert seen.catalogue == data.catalogue
    assert (tmp_path / "candidates.csv").exists() == (split.name == "cold")
