"""Scenarios in a file: load, dump, check."""

import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from recommender import scenarios
from recommender.filtering.expression import FilterError
from recommender.scenarios import PRESETS, Wrong
from recommender.serializers import filter_fault

MOST_SHOWN = 50


class Command(BaseCommand):
    help = "Scenarios, the places where lists are shown with rules of their own, in a file."

    def add_arguments(self, parser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        load = commands.add_parser("load", help="create and change what a file names")
        what = load.add_mutually_exclusive_group(required=True)
        what.add_argument("file", nargs="?", help="a YAML file, or - to read what is piped in")
        what.add_argument("--preset", choices=tuple(PRESETS), help="a set that comes with Medley")
        load.add_argument("--dry-run", action="store_true", help="say what would be done")
        load.add_argument(
            "--missing", action="store_true", help="create only, and leave as they are those here"
        )
        dump = commands.add_parser("dump", help="write all of them")
        dump.add_argument("file", nargs="?", type=Path, help="if not to the terminal")
        check = commands.add_parser("check", help="say what is wrong, and change nothing")
        check.add_argument("file", nargs="?", help="if not those that are saved")

    def handle(self, *, command: str, **options) -> None:
        getattr(self, f"{command}_file")(**options)

    def load_file(
        self, *, file: str | None, preset: str | None, dry_run: bool, missing: bool, **_: object
    ) -> None:
        text = PRESETS[preset].read_text(encoding="utf-8") if preset else read(file)
        loaded = scenarios.load(text, dry_run=dry_run, only_missing=missing)
        self.refuse(loaded.wrong)
        for what in ("created", "changed", "same"):
            if slugs := getattr(loaded, what):
                self.stdout.write(f"{what}: {', '.join(slugs)}")
        if dry_run:
            self.stdout.write("nothing was written")

    def dump_file(self, *, file: Path | None, **_: object) -> None:
        text = scenarios.dump()
        if file is None:
            self.stdout.write(text, ending="")
            return
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from None

    def check_file(self, *, file: str | None, **_: object) -> None:
        if file is None:
            self.refuse(scenarios.check())
        else:
            self.refuse(scenarios.load(read(file), dry_run=True).wrong)
        self.stdout.write("all can be used")

    def refuse(self, wrong: list[Wrong]) -> None:
        if not wrong:
            return
        for row in wrong[:MOST_SHOWN]:
            what = row.fault.what
            words = filter_fault(what) if isinstance(what, FilterError) else what
            field = f"{row.fault.field}: " if row.fault.field else ""
            self.stderr.write(f"{row.where}: {field}{words}")
        raise CommandError(f"{len(wrong)} to put right; nothing was written")


def read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not in UTF-8") from None
