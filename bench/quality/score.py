"""Lists → numbers → a table: each system beside ours, with intervals over people."""

from dataclasses import dataclass

import numpy as np

from recommender.evaluation import compare, metrics

SHOWN, LONGEST = 10, 20
DRAWS_OF_A_PAIR = 2_000


@dataclass(frozen=True)
class Scores:
    """What one system reached for each person; a person without a list has 0.

    people    (n,) distinct
    ndcg, recall, first   (n,) NDCG@10, the share of all relevant items in the first 10, and
              1 / rank of the first one among 20
    coverage  share of the catalogue in the first 10 of anybody
    """

    people: np.ndarray
    ndcg: np.ndarray
    recall: np.ndarray
    first: np.ndarray
    coverage: float


def score(lists: dict[int, np.ndarray], relevant: dict[int, np.ndarray], n_items: int) -> Scores:
    """lists, relevant  person → item rows, best first; lists of others are not looked at."""
    nothing = np.zeros(0, dtype=np.int64)
    pairs = [(lists.get(person, nothing), wanted) for person, wanted in relevant.items()]
    return Scores(
        np.array(list(relevant)),
        np.array([metrics.ndcg(shown, wanted, SHOWN) for shown, wanted in pairs]),
        # Of all, as the libraries define it: metrics.recall divides by what a list can hold.
        np.array([np.isin(wanted, shown[:SHOWN]).mean() for shown, wanted in pairs]),
        np.array([metrics.reciprocal_rank(shown, wanted, LONGEST) for shown, wanted in pairs]),
        metrics.coverage(np.concatenate([shown[:SHOWN] for shown, _ in pairs]), n_items),
    )


def pool(parts: list[Scores]) -> Scores:
    """One score of several folds: of a person their mean, since a person's folds go together."""
    people, place = np.unique(np.concatenate([part.people for part in parts]), return_inverse=True)
    times = np.bincount(place)

    def mean(name: str) -> np.ndarray:
        values = np.concatenate([getattr(part, name) for part in parts])
        return np.bincount(place, weights=values) / times

    coverage = float(np.mean([part.coverage for part in parts]))
    return Scores(people, mean("ndcg"), mean("recall"), mean("first"), coverage)


@dataclass(frozen=True)
class Entry:
    """A system in the table: its scores and how it came by them, or why there are none."""

    system: str
    scores: Scores | None = None
    settings: str = ""
    seconds: float = 0.0
    missing: str = ""

    def summary(self) -> str:
        return f"NDCG@10 {self.scores.ndcg.mean():.4f}" if self.scores else self.missing

    def intervals(self) -> dict[str, compare.Interval]:
        if self.scores is None:
            return {}
        found = {"NDCG@10": self.scores.ndcg, "recall@10": self.scores.recall}
        found["MRR@20"] = self.scores.first
        return {measure: compare.bootstrap(values) for measure, values in found.items()}


def lead(ours: Scores, theirs: Scores) -> compare.Interval:
    """How much more NDCG@10 the same people get from our lists. Raises ValueError for others."""
    if not np.array_equal(ours.people, theirs.people):
        raise ValueError("the two were not asked for the same people")
    return compare.paired(ours.ndcg, theirs.ndcg, draws=DRAWS_OF_A_PAIR)


def table(entries: list[Entry], ours: Entry) -> str:
    """Markdown, the best NDCG@10 first, systems without lists last."""
    columns = "system | NDCG@10 | recall@10 | MRR@20 | coverage@10 | ours less it | | settings | s"
    lines = [f"| {columns} |", f"|{'---|' * (columns.count('|') + 1)}"]
    best_first = sorted(entries, key=lambda e: -e.scores.ndcg.mean() if e.scores else np.inf)
    return "\n".join(lines + [_line(entry, ours) for entry in best_first])


def _line(entry: Entry, ours: Entry) -> str:
    if entry.scores is None:
        return f"| {entry.system} | no lists: {entry.missing} |" + " |" * 7
    cells = [entry.system, *map(str, entry.intervals().values()), f"{entry.scores.coverage:.3f}"]
    if entry is ours or ours.scores is None:
        cells += ["", ""]
    else:
        found = lead(ours.scores, entry.scores)
        cells += [f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]", found.verdict]
    return f"| {' | '.join([*cells, entry.settings, f'{entry.seconds:.0f}'])} |"


def as_json(entry: Entry, ours: Entry) -> dict:
    """The same for a program: means with their intervals, and everything that was chosen."""
    about = {"system": entry.system, "settings": entry.settings, "seconds": entry.seconds}
    if entry.scores is None:
        return about | {"missing": entry.missing}
    found = entry.intervals()
    if entry is not ours and ours.scores is not None:
        found["ours less it"] = lead(ours.scores, entry.scores)
        about["verdict"] = found["ours less it"].verdict
    numbers = {name: [i.mean, i.low, i.high] for name, i in found.items()}
    return about | numbers | {"coverage@10": entry.scores.coverage}
