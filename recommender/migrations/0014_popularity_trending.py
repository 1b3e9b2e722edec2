from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # an index on a live table

    dependencies = [
        ('recommender', '0013_scenarios'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='popularity',
            index=models.Index(models.OrderBy(models.F('trend'), descending=True), condition=models.Q(('trend__gt', 0)), name='popularity_trending'),
        ),
    ]
