"""Measure what bench/README.md says, in one run: `make bench`, `make bench ARGS=--items=10000`."""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

TABLE = Path(__file__).with_name("README.md")
ROUNDS, WARM_UP = 200, 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, action="append", help="sizes of the catalogue")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    sizes = options.items or [10_000, 100_000]
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        from recsite.local import services

        services.start()
    rows = []
    for size in sizes:
        done = subprocess.run(
            [sys.executable, "-m", "bench.request", str(size), str(options.rounds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows.append(done.stdout.strip())
        print(rows[-1], flush=True)
    write(rows, sizes)
    return 0


def write(rows: list[str], sizes: list[int]) -> None:
    text = TABLE.read_text()
    head, _, rest = text.partition("<!-- measured -->\n")
    _, _, tail = rest.partition("<!-- end -->")
    command = "make bench" + "".join(f" ARGS=--items={n}" for n in sizes if len(sizes) == 1)
    columns = (
        "items | GET p50 ms | p95 | its vector statement p50 ms | ratio"
        " | one search of 200 p50 ms | ratio | recall@200 | web process MB | torch"
    )
    title = f"| {columns} |\n|{'---|' * (columns.count('|') + 1)}\n"
    today = datetime.now(UTC).date()
    made = f"\n`{command}` on {today}, {os.cpu_count()} cores, {platform.machine()}.\n"
    TABLE.write_text(
        f"{head}<!-- measured -->\n{title}" + "\n".join(rows) + f"\n{made}<!-- end -->{tail}"
    )


if __name__ == "__main__":
    sys.exit(main())
