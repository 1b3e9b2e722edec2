"""What streams takes as much memory for four times as much; what holds arrays, so much a row.

Measured at two sizes, as what Python and numpy hold at most; Postgres' own memory is its own.
"""

import json
import tracemalloc
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import connection

from catalog import exporting, kept
from catalog.importers import bulk
from catalog.models import Archive, Item
from recommender import embed, store
from recommender.models import EmbeddingSpace
from recommender.store import Space
from recommender.training.learned import learn
from tests.factories import make_person

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.timeout(400)]
FLAT = 1.3  # what streams may take at the larger size, beside the smaller
DIMENSION = 64


def peak_of(work: Callable[[], object]) -> int:
    """Bytes held at most beyond what was held before; the result counts."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def run(statement: str, *params) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(statement, params)


def add_items(n: int) -> None:
    run(
        "INSERT INTO catalog_item (uuid, source, external_id, kind, title, description, language,"
        " url, image_url, currency, is_available, attributes) SELECT gen_random_uuid(), 'made',"
        " n::text, 'film', 'Kettle ' || n, repeat('made of steel ', 20), 'en', '', '', '', true,"
        " '{}' FROM generate_series((SELECT count(*) FROM catalog_item) + 1, %s) n",
        n,
    )


def add_people_with_feedback(people: int, each: int) -> None:
    """So many in all; each liked other items, the later ones later."""
    run(
        "INSERT INTO catalog_user (uuid, source, external_id, kind, password, name, is_staff,"
        " is_superuser, is_active, consent_epoch) SELECT gen_random_uuid(), 'made', n::text,"
        " 'imported', '', '', false, false, true, 0"
        " FROM generate_series((SELECT count(*) FROM catalog_user) + 1, %s) n",
        people,
    )
    run("DELETE FROM catalog_feedback")
    run(
        "INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, text, occurred_at, digest)"
        " SELECT gen_random_uuid(), u.id, items.ids[1 + (u.n * 7 + k) %% cardinality(items.ids)],"
        " 'like', '', now() - interval '1 day' * (%s - k), ''"
        " FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM catalog_user) u,"
        " generate_series(1, %s) k,"
        " (SELECT array_agg(id ORDER BY id) AS ids FROM catalog_item) items",
        each,
        each,
    )


def csv_of(folder, n: int):
    lines = "".join(f"{k},Kettle {k},{'made of steel ' * 10}\n" for k in range(n))
    (folder / f"{n}.csv").write_text(f"id,title,description\n{lines}")
    return folder / f"{n}.csv"


def jsonl_of(folder, n: int):
    rows = ({"id": f"j{k}", "title": f"Kettle {k}", "description": "steel " * 20} for k in range(n))
    (folder / f"items-{n}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / f"items-{n}.jsonl"


@pytest.mark.parametrize("made", [csv_of, jsonl_of])
def test_an_import_takes_no_more_for_four_times_as_many_rows(tmp_path, made, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 1_000)

    def load(n: int) -> int:
        file = made(tmp_path, n)
        words = ["load_catalog", str(file), "--format", file.suffix[1:], "--verbosity", "0"]
        return peak_of(lambda: call_command(*words, skip_checks=True))

    load(100)  # what is loaded once
    little = load(4_000)
    assert load(16_000) < FLAT * little
    assert Item.objects.count() == 16_000


def test_filling_a_space_takes_no_more_for_four_times_as_many_items():
    def fill(n: int) -> int:
        add_items(n)
        return peak_of(embed.embed_everything)

    fill(600)
    little = fill(1_200)
    assert fill(3_600) < FLAT * little


def test_an_archive_takes_no_more_for_four_times_as_much(monkeypatch):
    monkeypatch.setattr(exporting, "PART_BYTES", 16 * 1024)
    monkeypatch.setattr(kept, "TOGETHER", 100)
    add_items(5)

    def archive(name: str, n: int) -> int:
        person = make_person(name)
        run(
            "INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, text, occurred_at, digest)"
            " SELECT gen_random_uuid(), %s, (SELECT min(id) FROM catalog_item), 'comment',"
            " (SELECT string_agg(md5((n * k)::text), '') FROM generate_series(1, 60) k), now(), ''"
            " FROM generate_series(1, %s) n",
            person.pk,
            n,
        )
        exporting.ask(person)
        return peak_of(lambda: exporting.make(Archive.objects.get(user=person).pk))

    archive("first", 10)
    little = archive("little", 1_000)
    assert archive("much", 4_000) < FLAT * little


def a_row(measure: Callable[[int], int], small: int, large: int) -> float:
    """Bytes that each row beyond the smaller size takes."""
    first = measure(small)
    return (measure(large) - first) / (large - small)


def test_events_take_66_bytes_each_while_they_are_read():
    add_items(200)

    def read(people: int) -> int:
        add_people_with_feedback(people, each=40)
        return peak_of(store.events)

    assert a_row(read, 1_000, 4_000) / 40 < 70


def test_the_library_takes_the_vectors_of_items_and_500_bytes_each():
    run(
        "INSERT INTO recommender_embeddingspace (name, modality, backend, model, settings, digest,"
        " dimension, mean_item, mean_query, status) VALUES ('made', 'text', 'hashing', '', '{}',"
        " 'made', %s, '{}', '{}', 'active')",
        DIMENSION,
    )
    space = EmbeddingSpace.objects.get()

    def read(n: int) -> int:
        add_items(n)
        run(
            "INSERT INTO recommender_itemembedding (item_id, space_id, embedding, fingerprint)"
            " SELECT i.id, %s, (SELECT array_agg(0.125 * (1 + 0 * k + 0 * i.id))"
            f"   FROM generate_series(1, {DIMENSION}) k)::halfvec, '' FROM catalog_item i"
            " WHERE NOT EXISTS (SELECT 1 FROM recommender_itemembedding e WHERE e.item_id = i.id)",
            space.pk,
        )
        return peak_of(lambda: store.library(Space(space.pk, DIMENSION)))

    # as floats, and the halves they are read as
    assert a_row(read, 15_000, 60_000) < (4 + 2) * DIMENSION + 500


def test_learning_from_everything_takes_less_than_2000_bytes_an_event():
    add_items(200)

    def learned(people: int) -> int:
        add_people_with_feedback(people, each=40)
        library, events = store.library(None), store.events()
        return peak_of(lambda: learn(events, library))

    assert a_row(learned, 100, 400) / 40 < 2_000
