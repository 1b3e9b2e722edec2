"""Measure what diversity costs here, and keep it, so that requests can keep to a budget."""

from django.core.management.base import BaseCommand, CommandError

from recommender import calibrate, store
from recommender.management.arguments import at_least_one, share
from recommender.management.progress import Bars


class Command(BaseCommand):
    help = (
        "Each strategy's curve of relevance against diversity, on replayed feedback, and the"
        " strategy and strength of the most diversity within the budget."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--scenario", default=calibrate.SCENARIO)
        parser.add_argument("--people", type=at_least_one, default=calibrate.PEOPLE)
        parser.add_argument("--budget", type=share, help="of NDCG; default: DIVERSITY_BUDGET")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--dry-run", action="store_true", help="measure, and keep nothing")
        what.add_argument("--list", action="store_true", help="what was measured before")

    def handle(self, *, scenario: str, people: int, budget: float | None, **options) -> None:
        if options["list"]:
            for found in store.calibrations():
                self.stdout.write(line(found))
            return
        with Bars() as progress:
            try:
                found = calibrate.calibrate(
                    scenario,
                    budget=budget,
                    most_people=people,
                    keep=not options["dry_run"],
                    progress=progress,
                )
            except KeyError:
                raise CommandError(f"there is no active scenario {scenario!r}") from None
            except calibrate.TooFew as reason:
                raise CommandError(f"{reason}. Diversity stays as it is") from None
        self.stdout.write("strength and rise of the distances, by the share of NDCG given up\n\n")
        self.stdout.write(f"{calibrate.summary(found)}\n\n{line(found)}")
        self.stdout.write("nothing was kept" if options["dry_run"] else "in use from now on")


def line(found) -> str:
    return (
        f"{found.scenario}, {found.made_at:%Y-%m-%d %H:%M}: {found.strategy} at"
        f" {found.strength:.2f} within {found.budget:.1%}; {found.people:,} people,"
        f" {found.events:,} events, {found.seconds:.0f} s"
    )
