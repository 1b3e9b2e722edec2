"""Say a sentence as somebody new would, and see what comes of it. Nothing is kept.

python manage.py first_list "slow science fiction, nothing with superheroes"
"""

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog.models import User
from catalog.services import Refused, set_consent
from catalog.uuid7 import uuid7
from recommender import begin
from recommender.recommend import recommend


class Command(BaseCommand):
    help = "Print the first list of somebody who says SENTENCE."

    def add_arguments(self, parser):
        parser.add_argument("sentence")
        parser.add_argument("--limit", type=int, default=10)

    def handle(self, *, sentence, limit, **options):
        with transaction.atomic():
            person = User(email=f"{uuid7()}@medley.invalid")
            person.set_unusable_password()
            person.save()
            set_consent(person, True)
            try:
                wishes = begin.say(person.pk, sentence)
            except Refused as refusal:
                raise CommandError(refusal.message) from None
            # Without the encoder process the model is loaded here, as a worker would.
            begin.encode_wishes([person.pk])
            found = recommend(person.pk, limit=limit)
            transaction.set_rollback(True)
        for wish in wishes:
            self.stdout.write(f"{wish.sign:>8}  {wish.text}")
        for row in found.results:
            kinds = ", ".join(category["slug"] for category in row.facts.categories)
            self.stdout.write(f"{row.rank:>2} {row.relevance:.2f}  {row.facts.title} ({kinds})")
