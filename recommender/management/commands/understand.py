"""Read from all items that are new or have changed what they are about, with a progress bar."""

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from recommender import store, understand
from recommender.embeddings.encoder import EncoderError


class Command(BaseCommand):
    help = "Bring the topics of all items up to date. Items need vectors first: see embed."

    def handle(self, **options) -> None:
        if store.active_space() is None:
            raise CommandError("there are no vectors: run python manage.py embed")
        total = store.count_items()
        with tqdm(total=total, unit=" items", desc="understanding", mininterval=1) as bar:
            try:
                read, encoded = understand.understand_everything(bar.update)
            except EncoderError as error:
                raise CommandError(str(error)) from None
        self.stdout.write(f"{total} items, {read} read, {encoded} phrases encoded")
