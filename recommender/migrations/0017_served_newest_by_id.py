from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F


class Migration(migrations.Migration):
    """The newest list of a person by its id, which a table partitioned by id has on each part."""

    atomic = False
    dependencies = [("recommender", "0016_calibration")]
    operations = [
        AddIndexConcurrently(
            model_name="served",
            index=models.Index("user", F("id").desc(), name="served_newest_of_user"),
        ),
    ]
