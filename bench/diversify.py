"""Our strategies beside pyversity's: the same choice from the same candidates, in turns in one run.

    make bench ARGS=diversify

pyversity gets an environment of its own in the data folder, in which both are then measured: ours
needs numpy alone. Each library's numbers for relevance and strength are turned into those of the
other, so that both maximise the same sum; what lists come to by it, in double precision, is
compared too. Candidates are made: unit vectors around forty kinds, relevance that falls off.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np

from bench import readme

SIZES = ((200, 384, 20), (1000, 384, 50))
ROUNDS = 60
POOLS = 8  # of each size
DIVERSITIES = (0.3, 0.6)
AIMS = {("ssd", 200): 0.3, ("ssd", 1000): 0.3, 200: 0.5, 1000: 0.75}
Choose = Callable[[], np.ndarray]
Objective = Callable[[np.ndarray], float]


def pool(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((40, d))
    vectors = kinds[rng.integers(0, 40, n)] + rng.standard_normal((n, d))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = np.sort(rng.beta(2, 5, n))[::-1]
    stretched = (relevance - relevance[-1]) / np.ptp(relevance)
    return vectors.astype(np.float32), stretched.astype(np.float32)


def both(
    name: str, vectors: np.ndarray, relevance: np.ndarray, k: int, diversity: float
) -> tuple[tuple[Choose, Choose, Choose], Objective]:
    """Ours, theirs, and theirs told all that it can be; then what a list comes to."""
    import pyversity

    from recommender.diversity import STRATEGIES
    from recommender.diversity.dpp import ALIKE
    from recommender.diversity.msd import TOGETHER

    spread = float(relevance.std())
    exact, worth = vectors.astype(float), relevance.astype(float)
    theirs = {"diversity": diversity}
    ours = {}
    if name == "msd":
        ratio = 2 * diversity / (1 - diversity) / TOGETHER  # of distance to relevance
        theirs["diversity"] = ratio / (1 + ratio)
    elif name == "dpp":
        weight = ((1 - diversity) / diversity) ** ALIKE
        theirs["scale"] = weight * spread / 2 / (1 - diversity)
    elif name == "ssd":
        ours["window"] = 10
        theirs |= {"window": 10, "gamma": 1 / spread, "append_bias": False}

    def objective(rows: np.ndarray) -> float:
        rows = np.asarray(rows)
        gram, own = exact[rows] @ exact[rows].T, worth[rows]
        if name == "mmr":
            nearest = [max(0.0, gram[i, :i].max(initial=0)) for i in range(len(rows))]
            return (1 - diversity) * own.sum() - diversity * sum(nearest)
        if name == "msd":
            pairs = (1 - gram)[np.triu_indices(len(rows), 1)].sum()
            return (1 - diversity) * own.sum() / 2 + diversity * pairs / TOGETHER
        if name == "dpp":
            return weight * own.sum() + np.linalg.slogdet(gram)[1]
        total = 0.0
        for place in range(len(rows)):
            before = exact[rows[max(0, place - 10) : place]]
            axes = np.linalg.qr(before.T)[0] if len(before) else np.zeros((exact.shape[1], 0))
            left = exact[rows[place]] - axes @ (axes.T @ exact[rows[place]])
            total += (1 - diversity) * own[place] + diversity * np.linalg.norm(left)
        return total

    ours_by, theirs_by = STRATEGIES[name], getattr(pyversity, name)
    # They are unit rows already; of dpp alone it cannot be told so.
    told = {} if name == "dpp" else {"normalize": False}
    sides = (
        lambda: ours_by(vectors, relevance, k, diversity, **ours),
        lambda: theirs_by(vectors, relevance, k, **theirs).indices,
        lambda: theirs_by(vectors, relevance, k, **theirs, **told).indices,
    )
    return sides, objective


def seconds(choose: Choose) -> float:
    start = time.perf_counter()
    choose()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Row:
    """A strategy on one size of pools; milliseconds are medians, ratios are ours ÷ theirs."""

    strategy: str
    diversity: float
    size: tuple[int, int, int]
    ours_ms: float
    theirs_ms: float
    ratio: float
    told_ms: float
    told_ratio: float
    alike: int  # of POOLS, lists of the same rows
    worst: float  # of ours by the objective, as a share of theirs

    @property
    def aim(self) -> float:
        return AIMS.get((self.strategy, self.size[0]), AIMS[self.size[0]])

    def cells(self) -> list[str]:
        n, d, k = self.size
        return [
            f"{self.strategy} {self.diversity}",
            f"{n:,} × {d} → {k}",
            f"{self.ours_ms:.2f}",
            f"{self.theirs_ms:.2f}",
            f"{self.ratio:.2f}",
            f"{self.told_ms:.2f}",
            f"{self.told_ratio:.2f}",
            f"{self.aim}",
            f"{self.alike} of {POOLS}",
            f"{self.worst:+.0e}",
        ]


COLUMNS = (
    "strategy, strength | candidates | ours p50 ms | pyversity p50 ms | ratio"
    " | told of unit rows p50 ms | ratio | aim | lists alike | worst of ours by the objective"
)


def row(name: str, diversity: float, size: tuple[int, int, int], rounds: int) -> Row:
    n, d, k = size
    cases = [both(name, *pool(seed, n, d), k, diversity) for seed in range(POOLS)]
    gains, alike = [], 0
    for (ours, theirs, _), objective in cases:
        one, other = ours(), theirs()
        alike += one.tolist() == other.tolist()
        gains.append((objective(one) - objective(other)) / abs(objective(other)))
    took: list[list[float]] = [[], [], []]
    for turn in range(rounds):
        for sides, _ in cases:
            for side in np.roll(range(3), turn):
                took[side].append(seconds(sides[side]))
    ms = [1000 * statistics.median(side) for side in took]
    ratios = [
        statistics.median(a / b for a, b in zip(took[0], side, strict=True)) for side in took[1:]
    ]
    return Row(
        name, diversity, size, ms[0], ms[1], ratios[0], ms[2], ratios[1], alike, float(min(gains))
    )


def measure(rounds: int = ROUNDS) -> list[Row]:
    """Every row, in an environment that has both; the table goes to bench/README.md."""
    from bench.quality.run import HERE, environment, run
    from recsite.local.memory import data_folder

    work = data_folder() / "quality"
    work.mkdir(parents=True, exist_ok=True)
    python, out = environment(HERE / "peers" / "pyversity.txt", work), work / "diversify.json"
    run([python, "-m", "bench.diversify", str(rounds), str(out)], "measuring")
    rows = [Row(**row | {"size": tuple(row["size"])}) for row in json.loads(out.read_text())]
    made = f"`make bench ARGS=diversify` on {datetime.now(UTC).date()}, {os.cpu_count()} cores,"
    lines = [f"| {COLUMNS} |", "|" + "---|" * (COLUMNS.count("|") + 1)]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    readme.replace("diversify", "\n".join(lines) + f"\n\n{made} {platform.machine()}.\n")
    return rows


def main(rounds: int, out: Path) -> None:
    rows = []
    for size, diversity, name in product(SIZES, DIVERSITIES, ("mmr", "msd", "dpp", "ssd")):
        rows.append(row(name, diversity, size, max(3, rounds * 200 // size[0])))
        print(" | ".join(rows[-1].cells()), flush=True)
    out.write_text(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
