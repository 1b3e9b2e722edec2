"""Learn a version from all feedback, judge it, and offer it for activation."""

import datetime
import math
from argparse import ArgumentTypeError

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from recommender import train
from recommender.management.progress import Bars


class Command(BaseCommand):
    help = "Learn from feedback: an inactive version with its metrics. Nothing shown changes."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--until", type=moment, help="ISO date or time; default: now")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--activate", action="store_true", help="and activate it if it passes its comparison"
        )

    def handle(self, *, until: datetime.datetime | None, seed: int, **options) -> None:
        with Bars() as progress:
            try:
                version = train.train(until=until, seed=seed, progress=progress)
            except train.Untrainable as error:
                raise CommandError(f"{error}. The active version stays as it is") from error
        self.stdout.write(
            f"{version.name}: {version.events:,} events of {version.people:,} people on"
            f" {version.items:,} items in {math.ceil(version.seconds)} s"
        )
        self.stdout.write(train.verdict(version.metrics))
        if not options["activate"]:
            self.stdout.write(f"activate it with: manage.py models activate {version.name}")
            return
        try:
            train.activate(version)
        except train.Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{version.name} is active")


def moment(text: str) -> datetime.datetime:
    """An ISO date or time, of the site's time zone unless it names one."""
    day = parse_date(text) if len(text) <= 10 else None
    found = datetime.datetime.combine(day, datetime.time.min) if day else parse_datetime(text)
    if found is None:
        raise ArgumentTypeError(f"not an ISO date or time: {text}")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
