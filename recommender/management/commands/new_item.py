"""Show an item that nobody has touched to the site, and see what comes of it. Nothing is kept.

python manage.py new_item "Europa" --text "Divers find something alive under the ice of a moon."
"""

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog.models import Item
from catalog.services import save_item
from recommender import embed, store
from recommender.management.arguments import at_least_one
from recommender.recommend import similar


class Command(BaseCommand):
    help = "Print what a new item is found to be like."

    def add_arguments(self, parser):
        parser.add_argument("title")
        parser.add_argument("--text", default="")
        parser.add_argument("--limit", type=at_least_one, default=10)

    def handle(self, *, title, text, limit, **options):
        space = store.active_space()
        if space is None:
            raise CommandError("no embedding space is active: run `manage.py embed` first")
        with transaction.atomic():
            item = save_item(Item(title=title, description=text))
            # The model is loaded here, as a worker would.
            embed.embed_items(space, [item.pk])
            near = similar(item.pk, limit=limit)
            transaction.set_rollback(True)
        for row in near:
            kinds = ", ".join(category["slug"] for category in row.facts.categories)
            self.stdout.write(f"{row.rank:>2} {row.relevance:.2f}  {row.facts.title} ({kinds})")
