"""The vectors of a catalogue, loaded and indexed by us, beside COPY and CREATE INDEX by hand.

    python -m bench.load ITEMS ROUNDS

By hand means a table of ids and vectors alone, filled by one COPY of a file that Postgres wrote
itself, and the same index over it with the same memory, built while nobody else may write. Ours
starts from arrays, keeps to the rules of the table, and builds beside writers. One turn of each.
"""

import os
import sys
import time

import psycopg

from bench.site import scratch_database

MEMORY_MB = 512


def main(n_items: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from bench import catalogue
    from recommender import store

    call_command("migrate", verbosity=0)
    row = catalogue.fill(n_items, n_people=1)
    rows = catalogue.vectors(n_items)
    space = store.Space(row.id, row.dimension)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as link:
        link.execute("SET statement_timeout = 0")
        ids = [id for (id,) in link.execute("SELECT id FROM catalog_item ORDER BY id").fetchall()]
        [index] = link.execute("SELECT pg_get_indexdef(%s::regclass)", [space.index]).fetchone()
        options = "WITH " + index.partition(" WITH ")[2].partition(" WHERE ")[0]
        with link.cursor().copy(
            "COPY (SELECT item_id, embedding FROM recommender_itemembedding) TO STDOUT"
            " (FORMAT BINARY)"
        ) as copy:
            file = [bytes(block) for block in copy]
        link.execute(f"DROP INDEX {space.index}")
        link.execute("TRUNCATE recommender_itemembedding")
        link.execute("CHECKPOINT")

        begun = time.perf_counter()
        for start in range(0, n_items, catalogue.BLOCK):
            some = slice(start, start + catalogue.BLOCK)
            store.copy_embeddings(row, ids[some], rows[some])
        loaded = time.perf_counter()
        store.build_index(row, memory_mb=MEMORY_MB)
        done = time.perf_counter()

        link.execute("CREATE TABLE by_hand (item_id bigint PRIMARY KEY, embedding halfvec)")
        link.execute(f"SET maintenance_work_mem = '{MEMORY_MB}MB'")
        link.execute("CHECKPOINT")
        hand = time.perf_counter()
        with link.cursor().copy("COPY by_hand FROM STDIN (FORMAT BINARY)") as copy:
            for block in file:
                copy.write(block)
        hand_loaded = time.perf_counter()
        link.execute(
            f"CREATE INDEX ON by_hand USING hnsw ((embedding::halfvec({space.dimension}))"
            f" halfvec_cosine_ops) {options}"
        )
        hand_done = time.perf_counter()
    connection.close()
    print(
        f"| {n_items:,} | {loaded - begun:.1f} | {done - loaded:.1f} | {hand_loaded - hand:.1f} |"
        f" {hand_done - hand_loaded:.1f} | {(done - begun) / (hand_done - hand):.2f} |"
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]))
