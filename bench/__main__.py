"""Measure what bench/README.md says: `make bench`, or a part of it.

make bench ARGS="scale --items=10000 --rounds=30"
make bench-million
make bench ARGS=filters
make bench ARGS=steering
make bench ARGS=api
make bench ARGS=caches
make bench ARGS=diversify
make bench ARGS=ingest
make bench ARGS=load
make bench ARGS="embedding --items=600"
make bench ARGS=online
make bench ARGS=web
make bench ARGS=parts
make bench ARGS=reach
make bench ARGS="quality --data ml-100k --split loo --system popularity"
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime

from bench import diversify, readme

ROUNDS = 200


def main() -> int:
    options = parsed(sys.argv[1:])
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        from recsite.local import services

        services.start()
    if options.part in (None, "scale", "million"):
        scale(options)
    if options.part in (None, "filters"):
        measure(options, "filters", sizes=[100_000])
    if options.part in (None, "api"):
        measure(options, "api", sizes=[10_000, 100_000])
    if options.part in (None, "caches"):
        measure(options, "caches", sizes=[100_000])
    if options.part == "steering":
        steering(options)
    if options.part == "parts":
        measure(options, "parts", sizes=[100_000])
    if options.part == "web":
        measure(options, "web", sizes=[10_000])
    if options.part == "online":
        measure(options, "online", sizes=[10_000])
    if options.part == "diversify":
        diversify.measure()
    if options.part in (None, "ingest"):
        measure(options, "ingest", sizes=[100_000])
    if options.part in (None, "load"):
        measure(options, "load", sizes=[100_000])
    if options.part == "embedding":  # ten minutes on a thread
        measure(options, "embedding", sizes=[5_000])
    if options.part == "curves":
        measure(options, "curves", sizes=[10_000, 100_000])
    if options.part in (None, "quality"):
        from bench.quality import run

        run.main(options)
    if options.part in (None, "reach"):
        from bench.reach import run as reach

        reach.main(steering=lambda: steering(options))  # and diversify
    return 0


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "part",
        nargs="?",
        choices=[*TABLES, "scale", "million", "diversify", "quality", "reach"],
        help="all if omitted, but for what takes long",
    )
    sizes = parser.add_argument_group("scale, million, filters, steering, caches and api")
    sizes.add_argument("--items", type=int, action="append", help="sizes of the catalogue")
    sizes.add_argument("--rounds", type=int)
    sizes.add_argument(
        "--requests", type=int, help="of scale: so many, for the memory of a web process; 0: none"
    )
    quality = parser.add_argument_group("quality", "each may be given again; part of a name does")
    quality.add_argument("--data", action="append", help="ml-100k, or a data set in BENCH_DATA")
    quality.add_argument("--split", action="append", help="loo, utemporal, temporal, cold, folds")
    quality.add_argument("--system", action="append", help="Medley, or one that it is compared to")
    quality.add_argument("--again", action="store_true", help="make the lists of peers anew")
    return parser.parse_args(words)


# What measures a part, and the columns of its table.
TABLES = {
    "ingest": ("bench.ingest", "what | ours | beside | theirs | ratio | aim"),
    "filters": (
        "bench.filters",
        "filter | items that pass | found too few | recall@200 | one search of 200 p50 ms | ratio"
        " | a whole list p50 ms | ratio",
    ),
    "curves": (
        "bench.curves",
        "items | m | ef_construction | build s | index MB"
        " | recall@200, p50 ms at ef_search 40 | at 80 | at 120 | at 200 | at 400",
    ),
    "online": (
        "bench.online",
        "items | people | likes a second | next list changed | candidates refreshed p50 s | p95"
        " | longest | answer to a like p50 ms | people learned anew a second",
    ),
    "embedding": (
        "bench.embedding",
        "texts | a worker, texts/s | sentence-transformers, texts/s | ratio | largest difference"
        " of a vector's number",
    ),
    "parts": ("bench.parts", "part | p50 ms | of it waiting for Postgres | share"),
    "web": (
        "bench.web",
        "server | p50 ms, one client | p50 ms, 8 clients | p99 | lists a second | ratio | MB",
    ),
    "load": (
        "bench.load",
        "items | ours: load s | index s | by hand: COPY s | CREATE INDEX s | ratio",
    ),
    "steering": ("bench.steering", "a list with | items | p50 ms | ratio"),
    "caches": (
        "bench.caches",
        "page of a visitor | items | statements | p50 ms | statements, just emptied | p50 ms"
        " | statements without Valkey | p50 ms | with it at hand beside without",
    ),
    "api": (
        "bench.api",
        "answer | items | statements | p50 ms | a plain view's p50 ms | ratio",
    ),
}


def scale(options: argparse.Namespace) -> None:
    from bench.scale import run

    part = options.part or "scale"
    run.main(
        run.Options(
            part,
            options.items or run.SIZES[part],
            options.rounds or run.ROUNDS[part],
            run.REQUESTS[part] if options.requests is None else options.requests,
        )
    )


def steering(options: argparse.Namespace) -> list[str]:
    return measure(options, "steering", sizes=[5_000])


def measure(options: argparse.Namespace, part: str, *, sizes: list[int]) -> list[str]:
    """The rows of each size, as they went to bench/README.md."""
    module, columns = TABLES[part]
    rows = []
    for size in options.items or sizes:
        done = subprocess.run(
            [sys.executable, "-m", module, str(size), str(options.rounds or ROUNDS)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows.append(done.stdout.strip())
        print(rows[-1], flush=True)
    arguments = "".join(f" --items={n}" for n in options.items or ())
    arguments += f" --rounds={options.rounds}" if options.rounds else ""
    command = f'make bench ARGS="{part}{arguments}"'
    title = f"| {columns} |\n|{'---|' * (columns.count('|') + 1)}\n"
    today = datetime.now(UTC).date()
    made = f"\n`{command}` on {today}, {os.cpu_count()} cores, {platform.machine()}.\n"
    readme.replace(part, title + "\n".join(rows) + f"\n{made}")
    return rows


if __name__ == "__main__":
    sys.exit(main())
