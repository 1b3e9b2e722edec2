"""A catalogue, and what is asked of it: written down, so that nothing is made while measuring.

    python -m bench.scale.prepare fill ITEMS
    python -m bench.scale.prepare note FILE [trained]

DATABASE_URL names the database. The first fills it (bench/catalogue.py) and trains on it. The
second takes back what an earlier run left, learns the people that are measured, gives them tokens,
and notes the statements that a request sends: FILE gets the JSON of a Prepared.
"""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

N_PEOPLE = 100_000
PEOPLE, QUERIES, NEAREST = 50, 20, 200  # that are measured
SCENARIOS = ("fresh", "trending", "because")  # besides home
FILTERS = {"10 %": "price < 100", "1 %": "price < 10", "0.1 %": "price < 1"}


@dataclass(frozen=True)
class Prepared:
    """Of one catalogue; statements are complete, with their values in them."""

    n_items: int
    n_people: int
    tokens: list[str]  # of the people measured
    items: list[str]  # public ids of some items
    settings: dict[str, str]  # of the search, as a request has them
    candidates: list[list]  # with its values, the statement of each person's request for candidates
    plain: list[str]  # one search of NEAREST with their vectors, by vectors that are like items
    plain_exact: list[str]
    found: dict[str, list[str]]  # by filter, ids of the NEAREST that pass, as a request searches
    found_exact: dict[str, list[str]]
    index_megabytes: float
    table_megabytes: float


# What stands in for each item that nobody touched is looked for among all that somebody did: at a
# million items that takes a quarter of an hour and 12 GB. So nothing is learned there.
MOST_TRAINED = 100_000


def fill(n_items: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from bench import catalogue
    from recommender import learn, train

    def say(text: str) -> None:
        print(f"        {text}", file=sys.stderr, flush=True)

    call_command("migrate", verbosity=0)
    say("items, people, vectors and their index")
    catalogue.fill(n_items, n_people=N_PEOPLE)
    say("training")
    learn.refresh_popularity()
    if n_items <= MOST_TRAINED:
        train.activate(train.train(until=catalogue.EARLY_UNTIL), force=True)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("UPDATE catalog_item SET price = mod(id * 7919, 1000)")
        cursor.execute("VACUUM ANALYZE")


def prepare(is_trained: bool) -> Prepared:
    """is_trained  whether lists go by what was learned; without, sizes compare with one that has
    nothing"""
    from django.core.management import call_command
    from django.db import connection
    from knox.models import get_token_model

    from bench import catalogue
    from catalog.models import Item, User
    from recommender import learn, store
    from recommender.filtering.expression import parse
    from recommender.filtering.fields import FIELDS
    from recommender.models import ModelVersion, Scenario
    from recommender.store.candidates import nearest_passing

    call_command("migrate", verbosity=0)  # what was kept may be of an earlier release
    with connection.cursor() as cursor:  # what was left by whoever was measured before
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("TRUNCATE recommender_served CASCADE")
        cursor.execute("DELETE FROM catalog_feedback WHERE kind <> 'like'")
        cursor.execute("RESET statement_timeout")
    ModelVersion.objects.update(
        status=ModelVersion.Status.ACTIVE if is_trained else ModelVersion.Status.INACTIVE
    )
    get_token_model().objects.all().delete()
    n_items, n_people = Item.objects.count(), User.objects.count()
    for position, kind in enumerate(SCENARIOS, 1):
        Scenario.objects.get_or_create(slug=kind, defaults={"kind": kind, "position": position})
    people = list(User.objects.order_by("pk")[:PEOPLE])
    for person in people:
        learn.refresh_person(person.pk)
    tokens = [get_token_model().objects.create(user=person)[1] for person in people]
    row = store.active_space()
    space = store.Space(row.id, row.dimension)
    statements, settings = requested(person.pk for person in people)
    queries = [store.as_text(row) for row in catalogue.queries(QUERIES)]
    distance = f"{space.column} <=> '%s'::halfvec({space.dimension})"
    plain = (
        "SELECT e.item_id, halfvec_send(e.embedding) FROM recommender_itemembedding e"
        f" WHERE e.space_id = {space.id} ORDER BY {distance} LIMIT {NEAREST}"
    )
    exact = (
        "SELECT i.id FROM recommender_itemembedding e JOIN catalog_item i ON i.id = e.item_id"
        f" WHERE e.space_id = {space.id} AND %s ORDER BY ({distance}) + 0 LIMIT {NEAREST}"
    )
    conditions = {name: store.condition_of(parse(text, FIELDS)) for name, text in FILTERS.items()}
    found = {
        name: [
            complete(*nearest_passing(space, source, condition))
            for source in (store.Source(1.0, vector=vector_of(query)) for query in queries)
        ]
        for name, condition in conditions.items()
    }
    found_exact = {
        name: [exact % (complete(condition.sql, condition.params), query) for query in queries]
        for name, condition in conditions.items()
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT pg_relation_size('{space.index}') / 1048576.0,"
            " pg_total_relation_size('recommender_itemembedding') / 1048576.0"
        )
        index, table = map(float, cursor.fetchone())
    return Prepared(
        n_items,
        n_people,
        tokens,
        [str(uuid) for uuid in Item.objects.order_by("-pk").values_list("uuid", flat=True)[:500]],
        settings,
        statements,
        [plain % query for query in queries],
        [exact % ("true", query) for query in queries],
        found,
        found_exact,
        index,
        table - index,
    )


def requested(people) -> tuple[list[list], dict[str, str]]:
    """The statement that each person's request sends for candidates, and its settings."""
    from django.db import connection

    from recommender.recommend import recommend

    statements, settings = [], {}

    def note(execute, sql, params, many, context):
        if "found (item_id" in sql:
            statements.append([sql, list(params)])
            settings.update(
                connection.connection.execute(
                    "SELECT name, setting FROM pg_settings WHERE source IN ('client', 'session')"
                    " AND (name LIKE 'hnsw.%' OR name IN ('jit', 'plan_cache_mode'))"
                ).fetchall()
            )
        return execute(sql, params, many, context)

    asked = 0
    with connection.execute_wrapper(note):
        for person in people:
            recommend(person)
            asked += 1
    assert len(statements) == asked, "a request asks for candidates once"
    return statements, settings


def complete(sql: str, params) -> str:
    from django.db import connection
    from psycopg import ClientCursor

    connection.ensure_connection()
    return ClientCursor(connection.connection).mogrify(sql, params)


def vector_of(text: str):
    import numpy as np

    return np.array(json.loads(text), dtype=np.float32)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    import django

    django.setup()
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        Path(sys.argv[2]).write_text(json.dumps(asdict(prepare("trained" in sys.argv[3:]))))
