"""Embedding spaces: fill one of another model beside the one in use, compare, switch, go back."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from recommender import embed, evaluate, store, train
from recommender.embed import GIB
from recommender.embeddings.encoder import EncoderError
from recommender.management.progress import Bars
from recommender.models import EmbeddingSpace

ACTIONS = {
    "list": "every space: how full, its index and size",
    "create": "a space of a model; workers fill it beside the active one",
    "fill": "fill a space in this process, from where it stands",
    "compare": "replay the feedback with a space and with the active one",
    "train": "learn a version in a space that is full, to be served with it from the switch on",
    "activate": "serve from a space that is full, from the next request on",
    "back": "serve from the space that was active before",
    "retire": "remove the vectors of a space that is not active",
}

UNSEEN = (
    "The database is on another machine, whose disk cannot be seen from here: look there for room."
    " Once it is full, work waits until there is some"
)


class Command(BaseCommand):
    help = "\n".join(f"{name}: {text}" for name, text in ACTIONS.items())

    def add_arguments(self, parser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument("name", nargs="?", default="", help="of the space")
        parser.add_argument("--model", default="", help="create: its model, else EMBEDDING_MODEL")
        parser.add_argument(
            "--backend", default="", choices=["", "transformers", "http", "hashing"]
        )
        parser.add_argument("--dry-run", action="store_true", help="create: say what it would take")
        parser.add_argument("--recall", action="store_true", help="list: measure it, which takes")
        parser.add_argument("--k", type=int, default=10, help="compare: length of the lists")
        parser.add_argument("--people", type=int, help="compare: at most so many")
        parser.add_argument("--force", action="store_true", help="activate: also if it is not full")

    def handle(self, *, action: str, name: str, **options) -> None:
        try:
            getattr(self, f"_{action}")(name, options)
        except (EncoderError, embed.Unready, evaluate.TooFew, train.Untrainable) as error:
            raise CommandError(str(error)) from None

    def _named(self, name: str) -> EmbeddingSpace:
        found = {space.name: space for space in store.spaces()}
        if name not in found:
            raise CommandError(f"no space {name!r}: there are {', '.join(found) or 'none yet'}")
        return found[name]

    def _list(self, name: str, options: dict) -> None:
        for space in [self._named(name)] if name else store.spaces():
            have, total = store.fill(space)
            line = (
                f"{space.name:40} {space.status:9} {space.dimension:5} dimensions"
                f" {have:>9} of {total} items  index {store.index_state(space)}"
                f"  {store.size_of(space) / GIB:.2f} GiB"
            )
            if options["recall"] and space.status != EmbeddingSpace.Status.RETIRED:
                line += f"  recall@200 {store.recall_of(space):.3f}"
            self.stdout.write(line)
        free = embed.free_bytes()
        self.stdout.write(
            UNSEEN
            if free is None
            else f"{free / GIB:.2f} GiB are free; below {settings.DISK_FLOOR_GIB:g} spaces that are"
            " not in use wait"
        )

    def _create(self, name: str, options: dict) -> None:
        if name and name in {space.name for space in store.spaces()}:
            raise CommandError(f"there is a space {name!r} already: choose another name")
        model = embed.load_encoder(options["model"], options["backend"])
        items = store.count_items()
        needed = store.needed_for(model.dimension, items)
        self.stdout.write(
            f"{model.name}: {model.dimension} dimensions, {items} items: about"
            f" {needed / GIB:.2f} GiB on the disk of the database, until it is retired"
        )
        free = embed.free_bytes()
        if free is None:
            self.stdout.write(UNSEEN)
        elif free < 2 * needed:
            raise CommandError(
                f"only {free / GIB:.2f} GiB are free, and building the index wants as much again:"
                " free some, or retire a space"
            )
        if options["dry_run"]:
            return
        space = embed.create_space(
            name=name,
            activate=store.active_space() is None,
            model=model,
            called=options["model"],
            backend=options["backend"],
        )
        asked = embed.request_stale()
        self.stdout.write(
            f"{space.name} is {space.status}; {asked} items are asked for, which workers fill in"
            f" (manage.py spaces list says how far), or manage.py spaces fill {space.name} here"
        )

    def _fill(self, name: str, options: dict) -> None:
        space = self._named(name)
        if space.status == EmbeddingSpace.Status.RETIRED:
            raise CommandError(f"{name} was retired: create a space anew")
        with tqdm(total=store.fill(space)[1], unit=" items", desc=name, mininterval=1) as bar:
            written = embed.fill(space, bar.update)
        self.stdout.write(f"{written} vectors were written; building the index")
        store.build_index(space)
        self._list(name, options)

    def _compare(self, name: str, options: dict) -> None:
        space, active = self._named(name), store.active_space()
        if active is None or active.pk == space.pk:
            raise CommandError(f"{name} is compared with the active space, and must be another")
        have, total = store.fill(space)
        if have < total:
            raise CommandError(f"{name} has vectors of {have} of {total} items: fill it first")
        with tqdm(unit=" lists", desc="replaying", mininterval=1) as bar:
            results = evaluate.compare_spaces(
                [active, space],
                k=options["k"],
                diversity=settings.DEFAULT_DIVERSITY,
                max_per_creator=settings.MAX_PER_CREATOR,
                pool_size=settings.POOL_SIZE,
                most_people=options["people"],
                progress=bar.update,
            )
        self.stdout.write(f"{len(results[0].people['ndcg'])} people\n\n")
        self.stdout.write(evaluate.table(results, options["k"], evaluate.OF_SPACES))

    def _train(self, name: str, options: dict) -> None:
        space = self._named(name)
        have, total = store.fill(space)
        if have < total:
            raise CommandError(f"{name} has vectors of {have} of {total} items: fill it first")
        with Bars() as progress:
            version = train.train(space=space, progress=progress)
        self.stdout.write(f"{version.name}: {train.verdict(version.metrics)}")
        self.stdout.write(
            f"manage.py spaces activate {name} serves it with the space"
            if version.has_passed
            else "it did not pass, and is not served with the space: manage.py models compare"
        )

    def _activate(self, name: str, options: dict) -> None:
        space = self._named(name)
        version = embed.switch(space, force=options["force"])
        have, total = store.fill(space)
        if have < total:
            self.stdout.write(
                f"{total - have} of {total} items have no vector in it yet: they are found by words"
                " alone until workers have filled it"
            )
        self.stdout.write(
            f"{name} is active{f' with {version.name}' if version else ''};"
            " manage.py spaces back takes it back at once"
        )

    def _back(self, name: str, options: dict) -> None:
        self.stdout.write(f"{embed.go_back().name} is active")

    def _retire(self, name: str, options: dict) -> None:
        embed.retire(self._named(name))
        self.stdout.write(f"{name} is retired; its vectors and its index are gone")
