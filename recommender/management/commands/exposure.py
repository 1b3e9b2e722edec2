"""How much of what was shown went to little known items, and what came of it."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from recommender import store
from recommender.ranking.explore import FEW_SHOWN


class Command(BaseCommand):
    help = "The share of places that went to little known items, and what came of it."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--days", type=float, default=30.0, help="lists of so many days")

    def handle(self, *, days: float, **options) -> None:
        if not 0 < days <= 36_500:
            raise CommandError("--days: use a number above 0")
        found = store.measured(days)
        others = found.places - found.given
        self.stdout.write(f"{found.lists:,} lists of {days:g} days, {found.places:,} places")
        self.stdout.write(
            f"to little known items: {found.given:,} places ({share(found.given, found.places)}),"
            f" {found.items:,} items"
        )
        self.stdout.write(
            f"answered by feedback: {share(found.answered, found.given)} of these,"
            f" {share(found.others_answered, others)} of the others"
        )
        self.stdout.write(
            f"items that fewer than {FEW_SHOWN:g} people were shown or know:"
            f" {found.little_known:,} of {found.available:,}"
        )
        spread = store.spread(days)
        self.stdout.write(
            f"spread over the catalogue: {100 * spread.coverage:.1f} % of its items were shown,"
            f" Gini {spread.gini:.3f}"
        )
        self.stdout.write(
            f"lists of {spread.people:,} people: two have {100 * spread.in_common:.1f} % in common"
        )
        if settings.EXPOSURE_FLOOR:
            priced = store.priced()
            self.stdout.write(
                f"floor of {settings.EXPOSURE_FLOOR:,} people a day: {priced.above_0:,} of"
                f" {priced.items:,} items are worth more for it, up to {100 * priced.highest:.1f}"
                f" points, {priced.at_most:,} as much as can be"
            )


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
