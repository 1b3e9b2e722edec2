"""Erase a person, or say what that would erase. Nobody can undo it.

manage.py erase_person ann@example.org          # counts the rows, and changes nothing
manage.py erase_person ann@example.org --yes
manage.py erase_person --list > erased          # whom to erase again, after a backup is restored
manage.py erase_person --again erased --yes
"""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog import erasing
from catalog.models import Erasure
from catalog.queries import person_called
from catalog.services import Refused
from recommender import forget


class Command(BaseCommand):
    help = "Erase a person with all that is kept of them."

    def add_arguments(self, parser) -> None:
        parser.add_argument("person", nargs="?", help="e-mail address, public id, or source:id")
        parser.add_argument("--yes", action="store_true", help="do it, instead of counting")
        parser.add_argument("--list", action="store_true", help="audit ids of all who were erased")
        parser.add_argument("--again", type=Path, metavar="FILE", help="erase those of --list")

    def handle(self, *, person, yes, list, again, **options) -> None:
        if [bool(person), list, bool(again)].count(True) != 1:
            raise CommandError("name a person, or give --list or --again FILE")
        if list:
            self.stdout.writelines(f"{audit_id}\n" for audit_id in erasing.audit_ids())
            return
        for audit_id in self.ids(person, again):
            self.erase(audit_id, yes)
        if not yes:
            self.stdout.write("Nothing was erased. With --yes it is, and nobody can undo it.")

    def ids(self, person: str | None, again: Path | None) -> list[int]:
        if again is not None:
            try:
                return [int(line) for line in again.read_text().split()]
            except (OSError, ValueError) as error:
                raise CommandError(f"{again} cannot be read: {error}") from None
        found = person_called(person)
        if found is None:
            raise CommandError(f"there is nobody called {person}")
        return [found.pk]

    def erase(self, audit_id: int, yes: bool) -> None:
        with transaction.atomic():
            try:
                erasure = erasing.erase(audit_id, by=Erasure.By.OPERATOR)
            except Refused:
                self.stdout.write(f"{audit_id}: not here")
                return
            counts = forget.erase_rows(erasure.pk)
            if not yes:
                transaction.set_rollback(True)
        rows = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()) if count)
        self.stdout.write(f"{audit_id}: {rows or 'no rows'}")
        if yes:
            self.stdout.write(f"receipt {erasure.uuid}")
