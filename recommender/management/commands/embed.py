"""Embed all items that are new or have changed, in this process, with a progress bar."""

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from recommender import embed, store
from recommender.embeddings.encoder import EncoderError


class Command(BaseCommand):
    help = "Bring the vectors and words of all items up to date, then build the index."

    def handle(self, **options) -> None:
        total = store.count_items()
        with tqdm(total=total, unit=" items", desc="embedding", mininterval=1) as bar:
            try:
                written = embed.embed_everything(bar.update)
            except EncoderError as error:
                raise CommandError(str(error)) from None
        # After the vectors: that is several times faster than keeping an index up to date.
        store.build_index(store.active_space())
        self.stdout.write(f"{total} items, {written} vectors written")
