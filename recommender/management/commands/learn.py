"""Learn popularity, a first version and the interests of people, in this process."""

from django.core.management.base import BaseCommand
from tqdm import tqdm

from recommender import jobs, learn, store, train
from recommender.management.progress import Bars


class Command(BaseCommand):
    help = "Learn from all feedback what is waiting to be learned."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--all", action="store_true", help="also what is up to date")

    def handle(self, **options) -> None:
        versions = jobs.waiting("learn")
        people = store.people_with_feedback() if options["all"] else list(versions)
        if not people:
            self.stdout.write("nothing new to learn from")
            return
        self.stdout.write("learning popularity, and who was shown what")
        learn.refresh_popularity()
        learn.refresh_exposure()
        if store.active_version() is None:
            with Bars() as progress:
                if (version := train.train_and_offer(progress=progress)) is not None:
                    self.stdout.write(f"{version.name}: {train.verdict(version.metrics)}")
        learn.place_everybody()
        for user_id in tqdm(people, unit=" people", desc="learning interests", mininterval=1):
            learn.refresh_person(user_id)
        jobs.settle_versions("learn", versions)
        self.stdout.write(f"{len(people)} people")
