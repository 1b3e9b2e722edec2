"""What every peer does around its own library: read, choose settings, learn again, write."""

import csv
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from bench.quality import splits
from bench.quality.data import Data
from bench.quality.score import LONGEST, SHOWN
from bench.quality.splits import Split
from recommender.evaluation.metrics import ndcg

Lists = tuple[np.ndarray, np.ndarray]  # (people, k) item rows, -1 for none; and their scores
BATCH_PEOPLE = 1_000


@dataclass(frozen=True)
class Task:
    """Whom to make lists for, and all that may be known.

    history    (everybody, items) csr, 1 where somebody had something
    people     (n,) rows of history, rising
    allowed    (items,) bool what may be shown, to those who did not have it
    catalogue  of each item what `data.FIELDS` name
    """

    history: csr_matrix
    people: np.ndarray
    allowed: np.ndarray
    catalogue: list[dict[str, str]]


@dataclass(frozen=True)
class Variant:
    """One of a library's algorithms: recommend(task, k, **settings), and the settings to try."""

    recommend: Callable[..., Lists]
    grid: dict[str, list]
    ranks_untouched_items: bool = False


def main(variants: dict[str, Variant]) -> None:
    """The command line of a peer: VARIANT FOLDER OUT.csv; OUT.json tells what was chosen."""
    variant, folder, out = variants[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
    data, split = splits.read(folder)
    if split.only_held_items and not variant.ranks_untouched_items:
        return tell(out, {"missing": "it learns from events alone, and no candidate has any"})
    began = time.monotonic()
    settings, reached = choose(variant, data, split)
    chosen = time.monotonic()
    shown = None
    if split.only_held_items:
        named = {row["item"] for row in splits.rows_of(folder / "candidates.csv")}
        shown = [row for row, item in enumerate(data.catalogue) if item["item"] in named]
    everybody = np.arange(len(data.person_ids))
    task = task_of(data, split.known("test"), everybody, shown)
    items, scores = variant.recommend(task, LONGEST, **settings)
    write(out, data, items, scores)
    tell(
        out,
        {
            "settings": settings,
            "valid NDCG@10": reached,
            "seconds to choose": round(chosen - began, 1),
            "seconds to learn and list": round(time.monotonic() - chosen, 1),
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        },
    )


def tell(out: Path, about: dict) -> None:
    out.with_suffix(".json").write_text(json.dumps(about) + "\n")


def choose(variant: Variant, data: Data, split: Split) -> tuple[dict, float | None]:
    """The settings with the best NDCG@10 on valid, and what it was; a single one is not tried."""
    names, values = variant.grid.keys(), variant.grid.values()
    tried = [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]
    if len(tried) == 1:
        return tried[0], None
    wanted = splits.relevant(data, split, "valid")
    people = np.array(list(wanted), dtype=np.int64)
    task = task_of(data, split.train, people, splits.candidates(data, split, "valid"))
    reached = []
    for number, settings in enumerate(tried, start=1):
        lists, _ = variant.recommend(task, SHOWN, **settings)
        found = [ndcg(shown, wanted[int(p)], SHOWN) for p, shown in zip(people, lists, strict=True)]
        reached.append(float(np.mean(found)))
        print(f"      {number}/{len(tried)} {settings}: {reached[-1]:.4f}", flush=True)
    best = int(np.argmax(reached))
    return tried[best], reached[best]


def task_of(data: Data, known: np.ndarray, people: np.ndarray, shown) -> Task:
    """known (n,) bool of the events; shown: the item rows that alone may be shown, None: all."""
    shape = len(data.person_ids), len(data.catalogue)
    pairs = data.people[known], data.items[known]
    history = csr_matrix((np.ones(len(pairs[0]), dtype=np.float32), pairs), shape)
    allowed = np.full(shape[1], shown is None)
    if shown is not None:
        allowed[shown] = True
    return Task(history, people, allowed, data.catalogue)


def rank_by(score: Callable[[csr_matrix], np.ndarray], task: Task, k: int) -> Lists:
    """The k best items of each person by score(rows of history) → (rows, items); equals by row."""
    parts = []
    for begin in range(0, len(task.people), BATCH_PEOPLE):
        had = task.history[task.people[begin : begin + BATCH_PEOPLE]]
        scores = np.where(task.allowed & (had.toarray() == 0), score(had), -np.inf)
        items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(scores, items, axis=1)
        parts.append((np.where(np.isfinite(found), items, -1), found))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def write(out: Path, data: Data, items: np.ndarray, scores: np.ndarray) -> None:
    with out.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["user", "item", "rank", "score"])
        for person, row, values in zip(data.person_ids, items, scores, strict=True):
            for rank, place in enumerate(np.flatnonzero(row >= 0), start=1):
                item = data.catalogue[row[place]]["item"]
                table.writerow([person, item, rank, f"{values[place]:.6g}"])
