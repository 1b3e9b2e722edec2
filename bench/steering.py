"""What steering, the report and the explanation take of a request.

    python -m bench.steering ITEMS ROUNDS

Makes a scratch database, fills it, asks for the lists of one person with 50 likes each way in
turns, and prints the rows of the table. Functions are left out here alone: they give what they gave
at first, so that as much is written.
"""

import contextlib
import os
import statistics
import sys
import time
from unittest import mock

from bench.site import scratch_database

REPORT = ("report_of", "explanation_of")
# What is steered, and whether there is a report; the last is what all are compared with.
WAYS = {
    "more, less and mute; report and explanation": (("more", "less", "mute"), True),
    "more and less; report and explanation": (("more", "less"), True),
    "report and explanation": ((), True),
    "more, less and mute": (("more", "less", "mute"), False),
    "none of it": ((), False),
}


def main(n_items: int, rounds: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from bench import catalogue
    from catalog.models import Category, Creator, User
    from recommender import learn
    from recommender import recommend as module
    from recommender.models import Steering

    call_command("migrate", verbosity=0)
    catalogue.fill(n_items, n_people=100, likes=50)
    learn.refresh_popularity()
    person = User.objects.earliest("pk")
    liked, other = Category.objects.order_by("pk")[:2]
    creator = Creator.objects.earliest("pk")
    targets = {
        "more": ("category", liked),
        "less": ("category", other),
        "mute": ("creator", creator),
    }

    def steer(*actions: str) -> None:
        Steering.objects.all().delete()
        for action in actions:
            kind, target = targets[action]
            Steering.objects.create(user=person, action=action, kind=kind, target_id=target.pk)

    def left_out(name: str):
        found = []
        real = getattr(module, name)

        def first(*args, **named):
            found.append(real(*args, **named))
            return found[-1]

        with mock.patch.object(module, name, first):
            module.recommend(person.pk)
        return mock.patch.object(module, name, return_value=found[0])

    steer(*targets)
    assert module.recommend(person.pk).effect.changed
    without = [left_out(name) for name in REPORT]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")

    took = {way: [] for way in WAYS}
    for turn in range(-5, rounds):
        for way, (steered, reported) in WAYS.items():
            steer(*steered)
            with contextlib.ExitStack() as stack:
                for patch in () if reported else without:
                    stack.enter_context(patch)
                begun = time.perf_counter()
                module.recommend(person.pk)
                spent = time.perf_counter() - begun
            if turn >= 0:
                took[way].append(spent * 1000)
    connection.close()
    least = statistics.median(took["none of it"])
    for way, spent in took.items():
        p50 = statistics.median(spent)
        print(f"| {way} | {n_items:,} | {p50:.1f} | {p50 / least:.2f} |")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]), int(sys.argv[2]))
