"""Serving at 10^4, 10^5 and 10^6 items, by two commands that share one table: how far, and growth.

    make bench ARGS=scale
    make bench-million

All sizes of a command are served at once, each by web processes as the Procfile starts them and a
Valkey of its own, and are asked in turns; clients are processes too, on the same cores. Raw numbers
go to the data folder, the table of what was measured last to bench/README.md, pictures to
docs/pictures.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import readme, site
from bench.catalogue import GENERATOR
from bench.scale import measure, report
from bench.scale.measure import Served
from bench.scale.prepare import MOST_TRAINED, N_PEOPLE, Prepared
from recsite.local import services
from recsite.local.memory import CHECKOUT, data_folder

SIZES = {"scale": (10_000, 100_000), "million": (10_000, 1_000_000)}
ROUNDS = {"scale": 100, "million": 50}
REQUESTS = {"scale": 20_000, "million": 0}  # for the memory of a web process
KEPT = ("took", "rates", "recall", "missing", "memory", "pool")


@dataclass(frozen=True)
class Options:
    part: str  # of SIZES
    items: Sequence[int]
    rounds: int
    requests: int

    @property
    def command(self) -> str:
        said = [f"--items={n}" for n in self.items if tuple(self.items) != SIZES[self.part]]
        said += [f"--rounds={self.rounds}"] if self.rounds != ROUNDS[self.part] else []
        said += [f"--requests={self.requests}"] if self.requests != REQUESTS[self.part] else []
        if self.part == "million":
            return " ".join(["make bench-million", *([f'ARGS="{" ".join(said)}"'] if said else [])])
        return f'make bench ARGS="{" ".join(["scale", *said])}"'


def main(options: Options) -> None:
    work = data_folder() / "scale"
    work.mkdir(parents=True, exist_ok=True)
    begun = datetime.now(UTC)

    def say(text: str) -> None:
        print(f"{(datetime.now(UTC) - begun).seconds:>5} s  {text}", file=sys.stderr, flush=True)

    with contextlib.ExitStack() as stack:
        is_trained = max(options.items) <= MOST_TRAINED
        sites = [
            stack.enter_context(served(n, work, say, is_trained=is_trained)) for n in options.items
        ]
        measure.one_by_one(sites, options.rounds, say)
        measure.all_at_once(sites, say)
        for at in sites:
            measure.recall_of(at, say)
        if options.requests:
            measure.memory_of(sites[-1], options.requests, say)
    numbers = {
        "command": options.command,
        "begun": begun.isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "sites": [measured(at) for at in sites],
    }
    (work / f"{options.part}.json").write_text(json.dumps(numbers) + "\n")
    write(work)


def write(work: Path) -> None:
    """The table and the pictures, of the newest numbers of both commands."""
    runs = [
        json.loads(path.read_text()) for part in SIZES if (path := work / f"{part}.json").exists()
    ]
    text = report.table(runs)
    readme.replace("scale", text)
    for name, svg in report.pictures(runs).items():
        (CHECKOUT / "docs" / "pictures" / f"scale-{name}.svg").write_text(svg + "\n")
    print(text, flush=True)


def measured(at: Served) -> dict:
    """What is kept of a site: everything but the statements."""
    about = at.prepared
    return {
        "items": about.n_items,
        "people": about.n_people,
        "ef_search": about.settings["hnsw.ef_search"],
        "index": about.index_megabytes,
        "table": about.table_megabytes,
        **{name: getattr(at, name) for name in KEPT},
    }


@contextlib.contextmanager
def catalogue_of(
    n_items: int, work: Path, say, *, is_trained: bool = True
) -> Iterator[tuple[dict[str, str], Prepared]]:
    """A catalogue of so many items, what is asked of it, and the environment of its site.

    The database is kept; the Valkey is its own and empty.
    """
    with contextlib.ExitStack() as stack:
        say(f"{n_items:,} items: the catalogue")
        url = site.kept_database(
            f"medley_bench_{n_items}_{N_PEOPLE}_{GENERATOR}",
            lambda empty: prepare("fill", n_items, {"DATABASE_URL": empty}),
        )
        environment = {"DATABASE_URL": url} | stack.enter_context(valkey_alone(work))
        say(f"{n_items:,} items: the people that are measured, and their statements")
        file = work / f"{n_items}-prepared.json"
        prepare("note", file, environment, *(["trained"] if is_trained else []))
        yield environment, Prepared(**json.loads(file.read_text()))


@contextlib.contextmanager
def served(n_items: int, work: Path, say, *, is_trained: bool) -> Iterator[Served]:
    """Such a catalogue with web processes."""
    with catalogue_of(n_items, work, say, is_trained=is_trained) as (environment, prepared):
        port = site.free_port()
        with site.web(port, **environment) as process:
            yield Served(prepared, environment["DATABASE_URL"], port, process.pid)


def prepare(what: str, argument: object, environment: dict[str, str], *more: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "bench.scale.prepare", what, str(argument), *more],
        env=os.environ | environment,
        check=True,
    )


@contextlib.contextmanager
def valkey_alone(work: Path) -> Iterator[dict[str, str]]:
    """The environment of a site with an empty one, so that none reads what another cached."""
    if os.environ.get("REDIS_URL"):
        yield {}
        return
    with tempfile.TemporaryDirectory(dir=work) as folder:
        data = Path(folder)
        data.chmod(0o711)  # root's servers run as another user
        try:
            subprocess.run(
                [sys.executable, "-m", "recsite.local.services", "start"],
                env=os.environ | {"DATABASE_URL": "elsewhere", "MEDLEY_DATA": folder},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            yield {"MEDLEY_DATA": folder}
        finally:
            services.stop(lambda text: None, data)
