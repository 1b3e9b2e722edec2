"""Served lists in months: rows are kept when the table is parted, months are made before they come,
and old ones are dropped as one."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from catalog.uuid7 import first_id
from recommender import store
from recommender.models import SeenItem, SeenPlaces, Served
from tests.factories import make_person


def serve(id: UUID, user=None) -> Served:
    return Served.objects.create(
        id=id, user=user, scenario="home", settings={}, item_ids=[1], relevance=[0.5], report={}
    )


def ids() -> list[UUID]:
    return list(Served.objects.order_by("id").values_list("pk", flat=True))


def names() -> list[str]:
    return [part.name for part in store.partitions()]


def long_ago(months: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=31 * months)


@pytest.mark.django_db
def test_a_month_is_made_with_what_the_default_part_caught():
    future = datetime.now(UTC) + timedelta(days=400)
    row = serve(first_id(future))
    assert part_of(row) == "recommender_served_default"
    made = store.make_partitions(future)
    assert made[0] == f"recommender_served_{future:%Y_%m}"
    assert len(made) == 4
    assert part_of(row) == made[0]
    assert store.make_partitions(future) == []


@pytest.mark.django_db
def test_what_is_old_is_dropped_and_what_was_seen_of_it(alice):
    old = first_id(long_ago(14))
    store.make_partitions(long_ago(14))
    serve(old, alice)
    new = serve(first_id(datetime.now(UTC)), alice).pk
    SeenPlaces.objects.bulk_create([SeenPlaces(list_id=i, places=[1]) for i in (old, new)])
    SeenItem.objects.create(user=alice, item_id=1, times=1, last_at=long_ago(14))
    SeenItem.objects.create(user=alice, item_id=2, times=1)
    there, out = names(), StringIO()
    call_command("served", older_than=300.0, stdout=out)
    assert "would be dropped" in out.getvalue()
    assert names() == there
    assert ids() == [old, new]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a request has committed by now
    call_command("served", older_than=300.0, drop=True, stdout=out)
    assert ids() == [new]
    assert f"recommender_served_{long_ago(14):%Y_%m}" not in names()
    assert [row.list_id for row in SeenPlaces.objects.all()] == [new]
    assert [row.item_id for row in SeenItem.objects.all()] == [2]


@pytest.mark.django_db
@pytest.mark.parametrize("given", [{"older_than": 0.0}, {"older_than": -1.0}, {"drop": True}])
def test_what_to_drop_has_to_be_said(given):
    with pytest.raises(CommandError):
        call_command("served", **given)


@pytest.mark.django_db
def test_the_newest_list_of_a_person_reads_an_index_and_no_other_part(alice):
    for months in range(12):
        store.make_partitions(long_ago(months))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        low, high = first_id(long_ago(1)), first_id(datetime.now(UTC) + timedelta(days=1))
        cursor.execute(
            "EXPLAIN SELECT item_ids FROM recommender_served WHERE user_id = %s"
            " AND id >= %s AND id < %s ORDER BY id DESC LIMIT 1",
            [alice.pk, low, high],
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    assert "default" not in plan
    assert plan.count("Index Scan") <= 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("filled", [False, True])
def test_parting_the_table_keeps_what_is_there(filled):
    person = make_person("erin")
    try:
        with connection.cursor() as cursor:
            unparted(cursor)
        kept = [
            first_id(long_ago(5)),
            first_id(datetime.now(UTC)),
            UUID(int=uuid4().int | 1 << 127),
        ]
        if filled:
            for row in kept:
                serve(row, person)
        migrate_all()
        assert ids() == (sorted(kept) if filled else [])
        assert ("recommender_served_before" in names()) == filled
        store.make_partitions()
        assert ids() == (sorted(kept) if filled else [])
        serve(first_id(datetime.now(UTC) + timedelta(seconds=1)), person)
        person.delete()  # the foreign key reaches each part
        assert ids() == []
    finally:
        migrate_all()
        store.make_partitions()


def migrate_all() -> None:
    """To the newest there are, which later tests expect."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("recommender"))


def unparted(cursor) -> None:
    """The table as it was: back in the list of migrations, and made anew by what they made then."""
    MigrationExecutor(connection).migrate([("recommender", "0018_served_by_month")])
    cursor.execute("DROP TABLE recommender_served CASCADE")
    cursor.execute(
        "CREATE TABLE recommender_served (id uuid PRIMARY KEY, user_id bigint NULL CONSTRAINT"
        " recommender_served_user_id_ea4c4bb2_fk_catalog_user_id REFERENCES catalog_user (id)"
        " DEFERRABLE INITIALLY DEFERRED, scenario varchar(50) NOT NULL, settings jsonb NOT NULL,"
        " item_ids bigint[] NOT NULL, relevance real[] NOT NULL, report jsonb NOT NULL,"
        " served_at timestamptz DEFAULT statement_timestamp() NOT NULL, propensity real[] NULL,"
        " explanation bytea NULL)"
    )
    cursor.execute(
        "CREATE INDEX served_newest_of_a_person ON recommender_served (user_id, served_at DESC)"
    )
    cursor.execute("CREATE INDEX served_newest_of_user ON recommender_served (user_id, id DESC)")
    cursor.execute("DELETE FROM django_migrations WHERE app = 'recommender' AND name >= '0018'")
    cursor.execute("DROP TABLE IF EXISTS recommender_seenitem, recommender_seenplaces")


def part_of(row: Served) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM recommender_served WHERE id = %s", [row.pk]
        )
        return cursor.fetchone()[0]
