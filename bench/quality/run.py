"""Make lists of every system on every split, score them, and write the tables.

    python -m bench quality [--data NAME] [--split NAME] [--system WORD] [--again]

Everything is kept in `quality` in the data folder: wheels, environments, files, lists and results.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench import readme
from bench.quality import data as sources
from bench.quality import score, splits
from bench.quality.data import Data
from bench.quality.peers import PEERS, Peer
from bench.quality.score import Entry, Scores
from bench.quality.splits import Split
from recsite.local.memory import CHECKOUT, data_folder

OURS = Peer("**Medley**", "medley", "live")
HERE = Path(__file__).parent
THREADS = "2"
TIMEOUT_SECONDS = 3_600
KNOWN = ("train.csv", "valid.csv", "items.csv", "rule.json", "candidates.csv")


class Missing(Exception):
    """A system made no lists; the message says why."""


def main(options: argparse.Namespace) -> int:
    work = data_folder() / "quality"
    work.mkdir(parents=True, exist_ok=True)
    systems = [s for s in (OURS, *PEERS) if matches(s.name, options.system)]
    for data in chosen_data(work, options.data):
        for name, parts in splits.splits_of(data).items():
            if matches(name, options.split):
                compare(data, name, parts, systems, work, options)
    return 0


def matches(name: str, words: list[str] | None) -> bool:
    return not words or any(word.lower() in name.lower() for word in words)


def chosen_data(work: Path, names: list[str] | None):
    """MovieLens-100k, and what BENCH_DATA holds; those whose names contain one of `names`."""
    if matches("ml-100k", names):
        yield sources.movielens_100k(work)
    if root := os.environ.get("BENCH_DATA"):
        for name, tables in sources.data_sets(Path(root)).items():
            if matches(name, names):
                try:
                    yield sources.read(name, tables)
                except sources.NoData as reason:
                    print(f"{name}: left out, {reason}", flush=True)


def compare(
    data: Data, name: str, parts: list[Split], systems: list[Peer], work: Path, options
) -> None:
    """One table: every system on one split (or, of folds, on all of them)."""
    asked = [splits.relevant(data, part) for part in parts]
    if not all(asked):
        print(f"{data.name} {name}: nobody has anything to be found", flush=True)
        return
    folders = [work / data.name / part.name for part in parts]
    for part, folder in zip(parts, folders, strict=True):
        splits.write(data, part, folder)
    entries = []
    for number, system in enumerate(systems, start=1):
        print(f"[{number}/{len(systems)}] {data.name} {name}: {system.name}", flush=True)
        entries.append(measure(system, data, parts, folders, work, options.again))
        print(f"      {entries[-1].summary()}", flush=True)
    ours = next((e for e in entries if e.system == OURS.name), Entry(OURS.name))
    command = f"make bench ARGS={shlex.quote(shlex.join(sys.argv[1:]))}"
    people = len(np.unique(np.concatenate([list(one) for one in asked])))
    made = (
        f"{data.name}, {name}: {people:,} people, {len(data.catalogue):,} items, "
        f"{len(data.people):,} events. `{command}` on {datetime.now(UTC).date()}, "
        f"{os.cpu_count()} cores, {platform.machine()}."
    )
    text = f"{score.table(entries, ours)}\n\n{made}\n"
    result = work / data.name / name
    result.with_suffix(".md").write_text(text)
    about = {"data": data.name, "split": name, "command": command, "people": people}
    about["systems"] = [score.as_json(entry, ours) for entry in entries]
    result.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
    readme.replace(f"quality {data.name} {name}", text)
    print(f"\n{text}\n{result.with_suffix('.json')}\n", flush=True)


def measure(
    system: Peer,
    data: Data,
    parts: list[Split],
    folders: list[Path],
    work: Path,
    again: bool,
) -> Entry:
    """The lists of one system on each fold, scored and pooled; or why there are none."""
    scores, settings, seconds = [], [], 0.0
    try:
        for part, folder in zip(parts, folders, strict=True):
            lists = folder / "lists" / f"{system.module}-{system.variant}.csv"
            about = make_lists(system, folder, lists, work, again)
            scores.append(read_lists(lists, data, part))
            settings.append(", ".join(f"{k} {v}" for k, v in about.get("settings", {}).items()))
            seconds += sum(value for key, value in about.items() if key.startswith("seconds"))
    except Missing as reason:
        return Entry(system.name, missing=str(reason))
    return Entry(system.name, score.pool(scores), "; ".join(dict.fromkeys(settings)), seconds)


def make_lists(system: Peer, folder: Path, lists: Path, work: Path, again: bool) -> dict:
    """Fill `lists`, and tell how: settings and seconds.

    What a peer made of the same files with the same code is kept. Raises Missing.
    """
    lists.parent.mkdir(exist_ok=True)
    about = lists.with_suffix(".json")
    if system is OURS:
        began = time.monotonic()
        run(ours(folder, lists), "it")
        return {"seconds": time.monotonic() - began}
    made_of = digest(system, folder)
    kept = json.loads(about.read_text()) if about.exists() else {}
    if again or kept.get("made of") != made_of:
        about.unlink(missing_ok=True)
        module = f"bench.quality.peers.{system.module}"
        run([python_of(system, work), "-m", module, system.variant, folder, lists], "it")
        kept = json.loads(about.read_text()) | {"made of": made_of}
        about.write_text(json.dumps(kept) + "\n")
    if "missing" in kept:
        raise Missing(kept["missing"])
    return kept


def ours(folder: Path, lists: Path) -> list:
    command = [sys.executable, "manage.py", "recommend_files", "--k", score.LONGEST]
    for option in ("train", "valid", "items", "candidates"):
        if (folder / f"{option}.csv").exists():
            command += [f"--{option}", folder / f"{option}.csv"]
    return [*command, "--out", lists]


def digest(system: Peer, folder: Path) -> str:
    """SHA-256 over all that a peer's lists depend on."""
    code = [HERE / "peers" / f"{system.module}.py", HERE / "peers" / "common.py"]
    code += [HERE / "peers" / system.requirements] if system.requirements else []
    whole = hashlib.sha256()
    for path in code + [folder / name for name in KNOWN if (folder / name).exists()]:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def python_of(system: Peer, work: Path) -> Path:
    """The Python that a peer runs in: ours, or that of its own environment."""
    if not system.requirements:
        return Path(sys.executable)
    return environment(HERE / "peers" / system.requirements, work)


def environment(wanted: Path, work: Path) -> Path:
    """The Python of an environment made from a file of requirements, anew when that changes."""
    venv = work / "venvs" / wanted.stem
    stamp = venv / "made-from.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print(f"      making {venv}", flush=True)
        run([sys.executable, "-m", "venv", "--clear", venv], "making its environment")
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
        run([*pip, "--disable-pip-version-check", "-r", wanted], "pip")
        stamp.write_text(wanted.read_text())
    return venv / "bin" / "python"


def run(command: list, what: str) -> None:
    """Run in the checkout on THREADS threads; what it says is seen at once. Raises Missing."""
    threads = {f"{library}_NUM_THREADS": THREADS for library in ("OMP", "OPENBLAS", "NUMBA")}
    try:
        done = subprocess.run(
            list(map(str, command)),
            cwd=CHECKOUT,
            env=os.environ | threads | {"PYTHONPATH": str(CHECKOUT)},
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{what} took more than {TIMEOUT_SECONDS} s") from None
    if done.returncode:
        raise Missing(f"{what} ended with status {done.returncode}, and said why when it ran")


def read_lists(path: Path, data: Data, split: Split) -> Scores:
    """Scores of a file user,item,rank. Raises Missing for a list that nobody should be shown."""
    person_of = {user: row for row, user in enumerate(data.person_ids)}
    row_of = {item["item"]: row for row, item in enumerate(data.catalogue)}
    found: dict[int, list[tuple[int, int]]] = {}
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["user"] not in person_of or row["item"] not in row_of:
                raise Missing(f"it shows {row['item']} to {row['user']}, one of whom is unknown")
            place = (int(row["rank"]), row_of[row["item"]])
            found.setdefault(person_of[row["user"]], []).append(place)
    lists = {
        person: np.array([item for _, item in sorted(places)]) for person, places in found.items()
    }
    known = split.known("test")
    had = np.zeros((len(data.person_ids), len(data.catalogue)), dtype=bool)
    had[data.people[known], data.items[known]] = True
    for person, items in lists.items():
        if had[person, items].any():
            raise Missing(f"it shows {data.person_ids[person]} what {data.person_ids[person]} has")
        if len(np.unique(items)) < len(items):
            raise Missing(f"it shows {data.person_ids[person]} an item twice")
    return score.score(lists, splits.relevant(data, split), len(data.catalogue))
