"""Put a language model into the models folder; see `recsite.local.models`."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from recsite.local.models import DEFAULT_MODEL, PACKAGES, InstallError, install, is_whole


class Command(BaseCommand):
    help = "Install a language model from the Python index, or by hub id from the model hub."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("name", nargs="?", default=DEFAULT_MODEL)
        parser.add_argument("--list", action="store_true", help="show what needs no hub, and stop")
        parser.add_argument("--force", action="store_true", help="make it again")

    def handle(self, *, name, force, **options):
        if options["list"]:
            for known, package in PACKAGES.items():
                there = "installed" if is_whole(settings.MODELS_FOLDER / known) else "-"
                self.stdout.write(f"{known:24} {package.licence:12} {there:10} {package.note}")
            return

        def say(line):
            self.stdout.write(line)
            self.stdout.flush()

        try:
            install(name, settings.MODELS_FOLDER, force=force, say=say)
        except InstallError as error:
            raise CommandError(str(error)) from error
