"""Parts of the served lists: see them, and drop those that are too old."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from recommender import store


class Command(BaseCommand):
    help = "Parts of the served lists, a month each, with their sizes; and drop those too old."

    def add_arguments(self, parser) -> None:
        parser.add_argument(
            "--older-than",
            type=float,
            metavar="DAYS",
            default=settings.SERVED_RETENTION_DAYS,
            help="show the parts whose every list is older; SERVED_RETENTION_DAYS if not given",
        )
        parser.add_argument("--drop", action="store_true", help="drop these parts, for good")

    def handle(self, *, older_than: float | None, drop: bool, **options) -> None:
        if older_than is not None and not 1 <= older_than <= 36_500:
            raise CommandError("--older-than: use a number of days from 1 to 36500")
        if drop and older_than is None:
            raise CommandError("--drop: say which, with --older-than DAYS")
        old = [] if older_than is None else store.older_than(older_than)
        for part in store.partitions():
            begins = f"{part.begins:%Y-%m-%d}" if part.begins else "the beginning"
            span = f"{begins} to {part.ends:%Y-%m-%d}" if part.ends else "what no other part has"
            self.stdout.write(
                f"{part.name:32} {span:30} {part.lists:12,} lists {part.bytes / 1e6:10,.1f} MB"
                + ("  too old" if part in old else "")
            )
        if drop:
            store.drop_partitions(old)
            self.stdout.write(f"{len(old)} parts dropped")
        elif old:
            self.stdout.write(f"{len(old)} parts would be dropped: add --drop to do it")
