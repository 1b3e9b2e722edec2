"""The index of a space by its parameters: what is found, how fast, and what it takes.

    python -m bench.curves ITEMS ROUNDS

Each index is built over the same vectors, alone in its table's place, and asked for the 200 nearest
of vectors that are like items, beside an exact scan. Of a million only two indexes are built.
"""

import os
import statistics
import sys
import time

import numpy as np

from bench.site import scratch_database

NEAREST = 200
PARAMETERS = [(m, construction) for m in (12, 16, 24) for construction in (64, 128, 200)]
AT_A_MILLION = [(16, 128), (24, 200)]
SEARCHES = (40, 80, 120, 200, 400)


def main(n_items: int, rounds: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from bench import catalogue
    from recommender import store

    call_command("migrate", verbosity=0)
    row = catalogue.fill(n_items, n_people=1)
    space = store.Space(row.id, row.dimension)
    asked = [store.as_text(query) for query in catalogue.queries(rounds)]
    search = (
        "SELECT e.item_id, halfvec_send(e.embedding) FROM recommender_itemembedding e"
        f" WHERE e.space_id = {space.id} ORDER BY {space.column} <=> %s::halfvec({space.dimension})"
        f" LIMIT {NEAREST}"
    )

    def found(cursor, query: str) -> tuple[set[int], float]:
        begun = time.perf_counter()
        cursor.execute(search, [query])
        ids = {item for item, _vector in cursor.fetchall()}
        return ids, time.perf_counter() - begun

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL enable_indexscan = off")
        exact = [found(cursor, query)[0] for query in asked]
    for m, construction in PARAMETERS if n_items < 1_000_000 else AT_A_MILLION:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(f"DROP INDEX {space.index}")
        begun = time.perf_counter()
        store.build_index(
            row, memory_mb=catalogue.INDEX_MEMORY_MB, m=m, ef_construction=construction
        )
        seconds = time.perf_counter() - begun
        cells = []
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT pg_relation_size('{space.index}') / 1048576.0,"
                " set_config('hnsw.iterative_scan', 'relaxed_order', true)"
            )
            megabytes = cursor.fetchone()[0]
            for width in SEARCHES:
                cursor.execute(f"SET LOCAL hnsw.ef_search = {width}")
                for query in asked:
                    found(cursor, query)
                answers = [found(cursor, query) for query in asked]
                recall = np.mean(
                    [len(ids & near) / len(near)
                     for (ids, _), near in zip(answers, exact, strict=True)]
                )  # fmt: skip
                p50 = statistics.median(took for _, took in answers) * 1000
                cells.append(f"{recall:.3f}, {p50:.1f}")
        print(
            f"| {n_items:,} | {m} | {construction} | {seconds:.0f} | {megabytes:.0f} |"
            f" {' | '.join(cells)} |",
            flush=True,
        )
    connection.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]), int(sys.argv[2]))
