import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recommender', '0018_served_by_month'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SeenPlaces',
            fields=[
                ('list_id', models.UUIDField(primary_key=True, serialize=False)),
                ('places', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), size=None)),
            ],
        ),
        migrations.CreateModel(
            name='SeenItem',
            fields=[
                ('pk', models.CompositePrimaryKey('user_id', 'item_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('item_id', models.BigIntegerField()),
                ('times', models.PositiveIntegerField()),
                ('last_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='seen', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(models.F('user'), models.OrderBy(models.F('last_at'), descending=True), name='seenitem_newest_of_user')],
                'constraints': [models.CheckConstraint(condition=models.Q(('times__gte', 1)), name='seenitem_at_least_once')],
            },
        ),
    ]
