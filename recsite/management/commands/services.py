"""Start, stop or look at the embedded services."""

import sys

from django.core.management.base import BaseCommand, CommandError

from recsite.local import services


class Command(BaseCommand):
    help = "Start, stop or look at the embedded PostgreSQL and Valkey."
    requires_system_checks = ()  # checks may ask the very database that is to be started

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["start", "stop", "status"])

    def handle(self, *, action, **options):
        try:
            if status := services.main([action]):
                sys.exit(status)
        except RuntimeError as failure:
            raise CommandError(str(failure)) from failure
