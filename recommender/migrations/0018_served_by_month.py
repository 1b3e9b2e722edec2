"""Served becomes a table partitioned by ranges of its id.

Rows that are there are not copied: their table becomes the partition of all that came before the
next month, and a scan that blocks nobody shows beforehand that they belong there. Months are made
after each migrate and by the sweep; see store/partitions.py.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models, transaction

TABLE, BEFORE, DEFAULT = (f"recommender_served{end}" for end in ("", "_before", "_default"))
OLD_INDEXES = ("served_newest_of_a_person", "recommender_served_user_id_ea4c4bb2")
FOREIGN_KEY = "recommender_served_user_id_ea4c4bb2_fk_catalog_user_id"


def partition(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT relkind FROM pg_class WHERE oid = %s::regclass", [TABLE])
        if cursor.fetchone() == ("p",):
            return  # it was, and somebody went back since
        cursor.execute("SET statement_timeout = 0")
        # A day is left for what is served while this runs.
        later = datetime.now(UTC) + timedelta(days=1)
        end = datetime(later.year + later.month // 12, later.month % 12 + 1, 1, tzinfo=UTC)
        bound = str(UUID(int=int(end.timestamp() * 1000) << 80))
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {TABLE} WHERE id >= %s)", [bound])
        (has_others,) = cursor.fetchone()  # ids that do not begin with a moment of the past
        cursor.execute(f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS served_before")
        if not has_others:
            # In two steps, of which the long one holds no lock that a reader or writer waits for.
            check = f"CHECK (id < '{bound}') NOT VALID"
            cursor.execute(f"ALTER TABLE {TABLE} ADD CONSTRAINT served_before {check}")
            cursor.execute(f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT served_before")
        with transaction.atomic(using=schema_editor.connection.alias):
            cursor.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {TABLE})")
            is_filled = cursor.fetchone()[0]
            cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {BEFORE}")
            cursor.execute(f"ALTER INDEX {TABLE}_pkey RENAME TO {BEFORE}_pkey")
            cursor.execute("ALTER INDEX served_newest_of_user RENAME TO served_newest_of_user_before")
            for name in OLD_INDEXES:
                cursor.execute(f"DROP INDEX IF EXISTS {name}")
            cursor.execute(
                f"CREATE TABLE {TABLE} (LIKE {BEFORE} INCLUDING DEFAULTS, PRIMARY KEY (id),"
                f" CONSTRAINT {FOREIGN_KEY} FOREIGN KEY (user_id) REFERENCES catalog_user (id)"
                " DEFERRABLE INITIALLY DEFERRED) PARTITION BY RANGE (id)"
            )
            cursor.execute(f"CREATE INDEX served_newest_of_user ON {TABLE} (user_id, id DESC)")
            cursor.execute(f"CREATE TABLE {DEFAULT} PARTITION OF {TABLE} DEFAULT")
            if is_filled:
                cursor.execute(
                    f"WITH others AS (DELETE FROM {BEFORE} WHERE id >= %s RETURNING *)"
                    f" INSERT INTO {DEFAULT} SELECT * FROM others",
                    [bound],
                )
                cursor.execute(
                    f"ALTER TABLE {TABLE} ATTACH PARTITION {BEFORE}"
                    f" FOR VALUES FROM (MINVALUE) TO ('{bound}')"
                )
                cursor.execute(f"ALTER TABLE {BEFORE} DROP CONSTRAINT IF EXISTS served_before")
            else:
                cursor.execute(f"DROP TABLE {BEFORE}")
        cursor.execute("RESET statement_timeout")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("recommender", "0017_served_newest_by_id"),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(
            # Back: a table reads the same however it is kept.
            database_operations=[migrations.RunPython(partition, migrations.RunPython.noop)],
            state_operations=[
                migrations.RemoveIndex(model_name="served", name="served_newest_of_a_person"),
                migrations.AlterField(
                    model_name="served",
                    name="user",
                    field=models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="served",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
