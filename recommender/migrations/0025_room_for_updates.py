"""Room in the pages of tables whose rows are updated often, and vacuum before they have grown.

An update that finds room in its page and changes no column of an index rewrites no index (HOT), and
what it left is cleared away by whoever reads the page next. Measured in docs/scaling.md.
Pages that are there already fill up as before until their rows are written anew.
"""

from django.db import migrations

# Of a page, what inserts fill. A refresh of candidates writes 1.7 kB, four to a page.
FILL = {"candidates": 70, "personfactors": 85, "exposure": 85, "preference": 85, "job": 70}
# The share of rows that are dead when they are cleared away; 0.2 where nothing is said.
VACUUM = {"candidates": 0.05, "personfactors": 0.05, "job": 0.02, "interest": 0.05,
          "itemembedding": 0.05, "popularity": 0.1, "exposure": 0.1}  # fmt: skip
ONE = 'ALTER TABLE "recommender_{table}" {change}'


def altered(table: str, change: str, back: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        ONE.format(table=table, change=change), ONE.format(table=table, change=back)
    )


class Migration(migrations.Migration):
    dependencies = [("recommender", "0024_job_due_of_kind")]

    operations = [
        *(
            altered(table, f"SET (fillfactor = {share})", "RESET (fillfactor)")
            for table, share in FILL.items()
        ),
        *(
            altered(
                table,
                f"SET (autovacuum_vacuum_scale_factor = {share})",
                "RESET (autovacuum_vacuum_scale_factor)",
            )
            for table, share in VACUUM.items()
        ),
    ]
