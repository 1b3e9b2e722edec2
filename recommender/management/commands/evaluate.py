"""Replay history and measure: how good, and how varied, would the lists have been?"""

from datetime import UTC, datetime

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from recommender import evaluate


class Command(BaseCommand):
    help = (
        "Recall, NDCG, MRR and diversity of relevance order, MMR and DPP beside popularity;"
        " apart from that by the length of people's history, and of new items."
    )

    def add_arguments(self, parser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--holdout", type=float, default=0.2, help="each person's last part")
        what.add_argument("--at", help="a moment (ISO): foretell what came after it")
        parser.add_argument("--k", type=int, default=10, help="length of the lists")
        parser.add_argument("--people", type=int, help="at most so many")
        parser.add_argument(
            "--presets", action="store_true", help="compare what people may choose among instead"
        )

    def handle(self, *, holdout: float, at: str | None, k: int, people: int | None, **options):
        moment = None
        if at:
            try:
                moment = datetime.fromisoformat(at)
            except ValueError:
                raise CommandError(f"--at {at}: use a moment such as 2016-01-31") from None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        elif not 0 < holdout < 1:
            raise CommandError("--holdout: use a share between 0 and 1")
        if not 1 <= k <= 100:
            raise CommandError("--k: use 1 to 100")
        with tqdm(unit=" lists", desc="replaying", mininterval=1) as bar:
            try:
                found = evaluate.evaluate(
                    holdout=None if moment else holdout,
                    at=moment,
                    k=k,
                    diversity=settings.DEFAULT_DIVERSITY,
                    max_per_creator=settings.MAX_PER_CREATOR,
                    pool_size=settings.POOL_SIZE,
                    most_people=people,
                    compared=evaluate.presets if options["presets"] else evaluate.systems,
                    progress=bar.update,
                )
            except evaluate.TooFew as reason:
                raise CommandError(str(reason)) from None
        n = len(found.systems[0].people["ndcg"])
        self.stdout.write(f"{n} people, lists of {k} from pools of {settings.POOL_SIZE}\n\n")
        if options["presets"]:
            self.stdout.write(evaluate.table(found.systems, k, evaluate.OF_PRESETS))
            return
        self.stdout.write(evaluate.table(found.systems, k))
        self.stdout.write("\nThe order of relevance by the length of the history\n\n")
        self.stdout.write(evaluate.table_of_lengths(found.lengths, k))
        self.stdout.write(f"\n{self._new_items(found)}\n")
        if found.new_items:
            self.stdout.write("\n" + evaluate.table_of_new_items(found.new_items, k))

    def _new_items(self, found: evaluate.Evaluation) -> str:
        if not found.new_items:
            return "New items: nobody with a history took one up, so nothing can be said of them"
        people = len(found.new_items[0].ndcg)
        return f"New items: {found.n_new} of which nothing was known, {people} people"
