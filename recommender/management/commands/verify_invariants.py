"""Check what must hold whatever happened: after a crash, a restore, or any night."""

from django.core.management.base import BaseCommand, CommandError

from recommender import store


class Command(BaseCommand):
    help = "Count rows that break an invariant; ends with status 1 if there are any."

    def handle(self, **options) -> None:
        broken = 0
        for name, count in store.broken_invariants().items():
            self.stdout.write(f"{'ok' if count == 0 else f'{count} broken':>12}  {name}")
            broken += count > 0
        if broken:
            raise CommandError(f"{broken} invariants do not hold")
