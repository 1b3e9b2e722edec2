"""What of the events is known, what settings are chosen by, and what is to be found.

`train` is known, `valid` is for choosing, `test` is never written to a file. Lists for the test are
learned from train and valid together.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.quality.data import FIELDS, Data, rows_of

GOOD_RATING = 4.0
FEWEST_EVENTS = 5  # of a person before the test, where it is not each one's last event
FOLDS = 5


@dataclass(frozen=True)
class Split:
    """train, valid, test  (n,) bool of the events
    relevant_from       the rating from which an event counts as found, None: any
    fewest_events       a person known by fewer is not asked for
    only_held_items     nothing but the items of the held-out part may be shown
    """

    name: str
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    relevant_from: float | None = None
    fewest_events: int = 1
    only_held_items: bool = False

    def known(self, part: str) -> np.ndarray:
        return self.train if part == "valid" else self.train | self.valid


def loo(data: Data) -> Split:
    """Each person's last event is to be found, whatever its rating; the one before it is valid."""
    place, length = places(data.people)
    back = length - 1 - place
    return Split("loo", back >= 2, back == 1, back == 0)


def utemporal(data: Data) -> Split:
    """Each person's last fifth is to be found; the tenth before it is valid."""
    place, length = places(data.people)
    part = place / length
    return Split("utemporal", part < 0.7, (part >= 0.7) & (part < 0.8), part >= 0.8, *_rule(data))


def temporal(data: Data) -> Split:
    """The last tenth of all events is to be found; the tenth before it is valid."""
    n = len(data.people)
    row = np.arange(n)
    valid, test = int(0.8 * n), int(0.9 * n)
    return Split("temporal", row < valid, (row >= valid) & (row < test), row >= test, *_rule(data))


def cold(data: Data) -> Split:
    """A fifth of the items has no event before the test, and nothing else may be shown.

    Another tenth is valid. Which ones, a generator with the seed 0 says.
    """
    drawn = np.random.default_rng(0).random(len(data.catalogue))[data.items]
    return Split(
        "cold", drawn < 0.7, (drawn >= 0.7) & (drawn < 0.8), drawn >= 0.8, *_rule(data), True
    )


def fold(data: Data, number: int) -> Split:
    """One of FOLDS random parts is to be found, whatever the ratings; half of the next is valid."""
    drawn = np.random.default_rng(0).permutation(len(data.people))
    test = drawn % FOLDS == number
    valid = (drawn % FOLDS == (number + 1) % FOLDS) & (drawn // FOLDS % 2 == 0)
    return Split(f"folds-{number + 1}", ~test & ~valid, valid, test)


def splits_of(data: Data) -> dict[str, list[Split]]:
    """Name → its parts (one, but for the folds), of all that the clock of the data allows."""
    named = {}
    if data.clock:
        named |= {"loo": [loo(data)], "utemporal": [utemporal(data)]}
    if data.clock == "time":
        named["temporal"] = [temporal(data)]
    named["cold"] = [cold(data)]
    named["folds"] = [fold(data, number) for number in range(FOLDS)]
    return named


def relevant(data: Data, split: Split, part: str = "test") -> dict[int, np.ndarray]:
    """Person → items to be found in "valid" or "test", of all who are asked for; never empty."""
    counts = np.bincount(data.people[split.known(part)], minlength=len(data.person_ids))
    wanted = getattr(split, part) & (counts[data.people] >= split.fewest_events)
    if split.relevant_from is not None:
        wanted &= data.ratings >= split.relevant_from
    rows = np.flatnonzero(wanted)
    rows = rows[np.argsort(data.people[rows], kind="stable")]
    people, begins = np.unique(data.people[rows], return_index=True)
    items = np.split(data.items[rows], begins)[1:]  # what stands before the first is nobody's
    return dict(zip(people.tolist(), items, strict=True))


def candidates(data: Data, split: Split, part: str = "test") -> np.ndarray | None:
    """(n,) the items that alone may be shown; None: all."""
    return np.unique(data.items[getattr(split, part)]) if split.only_held_items else None


def places(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the place of an event among those of its person, from 0, and how many those are."""
    order = np.argsort(people, kind="stable")
    counts = np.bincount(people)
    begins = np.cumsum(counts) - counts
    place = np.empty(len(people), dtype=np.int64)
    place[order] = np.arange(len(people)) - begins[people[order]]
    return place, counts[people]


def write(data: Data, split: Split, folder: Path) -> None:
    """train.csv, valid.csv, items.csv, rule.json and, where not all may be shown, candidates.csv.

    Nothing of the test but which items are its candidates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "valid"):
        rows = np.flatnonzero(getattr(split, part))
        _table(folder / f"{part}.csv", ("user", "item", "rating", "ts"), (
            (
                data.person_ids[data.people[row]],
                data.catalogue[data.items[row]]["item"],
                f"{data.ratings[row]:g}" if data.rated else "",
                f"{data.moments[row]:.15g}",
            )
            for row in rows
        ))  # fmt: skip
    _table(folder / "items.csv", FIELDS, ([item[f] for f in FIELDS] for item in data.catalogue))
    shown = candidates(data, split)
    if shown is not None:
        _table(folder / "candidates.csv", ["item"], ([data.catalogue[i]["item"]] for i in shown))
    rule = {
        "name": split.name,
        "relevant_from": split.relevant_from,
        "fewest_events": split.fewest_events,
        "only_held_items": split.only_held_items,
    }
    (folder / "rule.json").write_text(json.dumps(rule) + "\n")


def read(folder: Path) -> tuple[Data, Split]:
    """What `write` wrote: data and split without a test, as another library sees them."""
    rows = {part: list(rows_of(folder / f"{part}.csv")) for part in ("train", "valid")}
    events = rows["train"] + rows["valid"]
    catalogue = list(rows_of(folder / "items.csv"))
    row_of = {item["item"]: row for row, item in enumerate(catalogue)}
    person_of = {user: row for row, user in enumerate(dict.fromkeys(e["user"] for e in events))}
    rule = json.loads((folder / "rule.json").read_text())
    data = Data(
        folder.name,
        list(person_of),
        catalogue,
        np.array([person_of[event["user"]] for event in events], dtype=np.int64),
        np.array([row_of[event["item"]] for event in events], dtype=np.int64),
        np.array([float(event["rating"] or "nan") for event in events]),
        np.array([float(event["ts"]) for event in events]),
        "order",
    )
    valid = np.arange(len(events)) >= len(rows["train"])
    return data, Split(train=~valid, valid=valid, test=np.zeros_like(valid), **rule)


def _rule(data: Data) -> tuple[float | None, int]:
    return (GOOD_RATING if data.rated else None), FEWEST_EVENTS


def _table(path: Path, head, rows) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(head)
        table.writerows(rows)
