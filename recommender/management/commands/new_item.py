"""Show an item that nobody has touched to the site, and see what comes of it. Nothing is kept.

python manage.py new_item "Europa" --text "Divers find something alive under the ice of a moon."
"""

from argparse import ArgumentTypeError

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog.models import Item
from catalog.services import save_item
from recommender import embed, store
from recommender.recommend import recommend, similar

LENGTH = 20  # of a list
LISTS = 20  # of a person: some places are given to new items by chance


class Command(BaseCommand):
    help = "Print what a new item is found to be like, and how often people are shown it."

    def add_arguments(self, parser):
        parser.add_argument("title")
        parser.add_argument("--text", default="")
        parser.add_argument("--limit", type=_from_one, default=10)
        parser.add_argument("--people", type=_from_one, default=10)

    def handle(self, *, title, text, limit, people, **options):
        space = store.active_space()
        if space is None:
            raise CommandError("no embedding space is active: run `manage.py embed` first")
        with transaction.atomic():
            item = save_item(Item(title=title, description=text))
            # The model is loaded here, as a worker would.
            embed.embed_items(space, [item.pk])
            near = similar(item.pk, limit=limit)
            for row in near:
                kinds = ", ".join(category["slug"] for category in row.facts.categories)
                self.stdout.write(f"{row.rank:>2} {row.relevance:.2f}  {row.facts.title} ({kinds})")
            fond = store.fond_of([row.facts.id for row in near], limit=people)
            all_people = store.people_with_feedback()
            others = [person for person in all_people if person not in fond]
            counts = [
                (who, len(some) * LISTS, sum(self.lists_with(item, person) for person in some))
                for who, some in (
                    ("who like most of these", fond),
                    ("among all others", others[:: max(1, len(others) // people)][:people]),
                )
                if some
            ]
            transaction.set_rollback(True)
        for who, lists, shown in counts:
            self.stdout.write(f"In {shown} of {lists} lists of {LENGTH} for people {who}")

    def lists_with(self, item: Item, person_id: int) -> int:
        """In how many of LISTS lists the item stands."""
        return sum(
            any(row.facts.id == item.pk for row in recommend(person_id, limit=LENGTH).results)
            for _ in range(LISTS)
        )


def _from_one(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise ArgumentTypeError(f"{text!r}: use a whole number of at least 1")
