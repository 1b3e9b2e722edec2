"""See embedding spaces, make one for the model that the settings name, or switch between them."""

from django.core.management.base import BaseCommand, CommandError

from recommender import embed, store
from recommender.embeddings.encoder import EncoderError


class Command(BaseCommand):
    help = "list | create | activate NAME"

    def add_arguments(self, parser) -> None:
        parser.add_argument("action", choices=["list", "create", "activate"])
        parser.add_argument("name", nargs="?", default="")

    def handle(self, *, action: str, name: str, **options) -> None:
        if action == "create":
            try:
                space = embed.create_space(name=name, activate=store.active_space() is None)
            except EncoderError as error:
                raise CommandError(str(error)) from None
            self.stdout.write(f"{space.name} is {space.status}; fill it with manage.py embed")
        elif action == "activate":
            found = [space for space in store.spaces() if space.name == name]
            if not found:
                raise CommandError(f"no space {name!r}: see manage.py spaces list")
            embed.activate_space(found[0])
            self.stdout.write(f"{name} is active")
        for space in store.spaces():
            have, total = store.fill(space)
            self.stdout.write(
                f"{space.name:40} {space.status:9} {space.dimension:5} dimensions"
                f" {have:>9} of {total} items  index {store.index_state(space)}"
            )
