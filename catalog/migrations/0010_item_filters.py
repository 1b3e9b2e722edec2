from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

SHOWN = models.Q(("is_available", True), ("removed_at", None))


class Migration(migrations.Migration):
    """Indexes for the columns that filters ask for most."""

    atomic = False
    dependencies = [("catalog", "0009_item_picture")]
    operations = [
        AddIndexConcurrently(
            "item",
            models.Index(fields=[name, "id"], name=f"item_{name}_shown", condition=SHOWN),
        )
        for name in ("price", "language")
    ]
