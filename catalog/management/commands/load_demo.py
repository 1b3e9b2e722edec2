"""`load_demo`: films with real ratings, and two accounts to look at them with."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from catalog.importers import demo, movielens
from catalog.importers.reading import Unusable


class Command(BaseCommand):
    help = (
        "Load films with real ratings, and make the accounts of a person and of an operator."
        " Does nothing where they are there."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--films", type=int, help="only so many, the most-rated; default all")

    def handle(self, *args, **options) -> None:
        films = options["films"]
        if films is not None and films < 1:
            raise CommandError("--films takes a number from 1")
        try:
            if not demo.load(settings.DATA_FOLDER, films, self.stdout.write):
                self.stdout.write("the films are there")
            accounts = demo.make_accounts(settings.DATA_FOLDER)
        except Unusable as unusable:
            raise CommandError(str(unusable)) from None
        self.stdout.write(movielens.TERMS)
        self.stdout.write(demo.CREDITS_TERMS)
        self.stdout.write(f"accounts, also in {settings.DATA_FOLDER / demo.ACCOUNTS}:")
        for account in accounts:
            self.stdout.write(f"  {'  '.join(account)}")
