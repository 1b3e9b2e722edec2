"""Write all that is kept of a person into a zip, as they would get it; or count it.

    manage.py export_person ann@example.org                  # counts the rows, and writes nothing
    manage.py export_person ann@example.org --out ann.zip

That it was done is kept, with the person's archives, and said in the log.
"""

import logging
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from catalog import exporting
from catalog.queries import person_called

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Export all that is kept of a person."

    def add_arguments(self, parser) -> None:
        parser.add_argument("person", help="e-mail address, public id, or source:id")
        parser.add_argument("--out", type=Path, metavar="ZIP", help="a file that is not there yet")

    def handle(self, *, person, out, **options) -> None:
        found = person_called(person)
        if found is None:
            raise CommandError(f"there is nobody called {person}")
        if out is None:
            for name, count in exporting.counts(found.pk).items():
                self.stdout.write(f"{count:>9,} {name}")
            self.stdout.write("Nothing was written. Give --out FILE.")
            return
        try:
            with out.open("xb") as file:
                out.chmod(0o600)
                exporting.export_by_operator(found, file)
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}") from None
        log.warning("an operator exported the data of person %d", found.pk)
        self.stdout.write(f"{out}: {out.stat().st_size:,} bytes")
