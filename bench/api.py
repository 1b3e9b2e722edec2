"""Three answers of the API beside plain views that do as little as can be done for them.

    python -m bench.api ITEMS ROUNDS

Makes a scratch database, fills it, and asks both in turns, in one process and through all of the
site's middleware. The plain view looks the token up in the same way, sends the statements that the
answer of the API took, as they were, and answers the same body by a JsonResponse. Nothing that a
list is computed by is done there: that is what is measured.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from bench.site import scratch_database

PEOPLE = 20
HOME = "/api/v1/home/?scenarios=home,fresh,trending,because&limit=10"


@dataclass
class Asked:
    """One answer of the API, with what it took."""

    statements: list[tuple[str, object]]
    body: dict
    is_one: bool  # its statements are one transaction


def main(n_items: int, rounds: int) -> None:
    import django

    os.environ["LOG_LEVEL"] = "WARNING"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection, transaction
    from django.http import JsonResponse
    from django.test import Client
    from django.urls import path
    from knox.models import get_token_model

    from bench import catalogue
    from catalog.models import Item, User
    from recommender import learn
    from recommender.models import Scenario
    from recommender.sessions import begin_session
    from recsite import urls
    from recsite.authentication import TokenAuthentication

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    catalogue.fill(n_items, n_people=PEOPLE, likes=30)
    learn.refresh_popularity()
    for position, kind in enumerate(("fresh", "trending", "because"), 1):
        Scenario.objects.create(slug=kind, kind=kind, position=position)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    people = list(User.objects.order_by("pk")[:PEOPLE])
    tokens = [get_token_model().objects.create(user=person)[1] for person in people]
    items = list(Item.objects.order_by("-pk").values_list("uuid", flat=True)[:PEOPLE])
    asks: dict[str, Callable[[int], str]] = {
        "item detail": lambda turn: f"/api/v1/items/{items[turn]}/",
        "list of 20": lambda turn: "/api/v1/items/?limit=20",
        "home screen of 4 scenarios, 10 each": lambda turn: HOME,
        "one of these lists": lambda turn: "/api/v1/recommendations/?limit=10",
    }
    client = Client()

    def get(address: str, turn: int):
        return client.get(address, headers={"Authorization": f"Token {tokens[turn]}"})

    def recorded(address: str, turn: int) -> Asked:
        statements, begun = [], []

        def note(execute, sql, params, many, context):
            begun.append(connection.in_atomic_block)
            statements.append((sql, params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            answer = get(address, turn)
        assert answer.status_code == 200, answer.content[:300]
        own = [n for n, (sql, _) in enumerate(statements) if "catalog_token" not in sql]
        return Asked([statements[n] for n in own], answer.json(), any(begun[n] for n in own))

    known: dict[tuple[str, int], Asked] = {}

    def plain(request, number: int, turn: int):
        TokenAuthentication().authenticate(request)
        asked = known[list(asks)[number], turn]
        with transaction.atomic() if asked.is_one else nullcontext(), connection.cursor() as cursor:
            for sql, params in asked.statements:
                if sql.startswith("INSERT INTO recommender_served"):
                    params = [  # each kept anew
                        begin_session().id if n % 9 == 0 else value
                        for n, value in enumerate(params)
                    ]
                cursor.execute(sql, params)
                if cursor.description:
                    cursor.fetchall()
        return JsonResponse(asked.body)

    urls.urlpatterns.insert(0, path("api/plain/<int:number>/<int:turn>/", plain))
    for number, (name, address_of) in enumerate(asks.items()):
        ours, theirs, statements = [], [], 0
        for turn in range(PEOPLE):
            known[name, turn] = recorded(address_of(turn), turn)
            statements = len(known[name, turn].statements) + 1
        for n in range(-10, rounds):
            turn = n % PEOPLE
            address = address_of(turn)
            begun = time.perf_counter()
            answer = get(address, turn)
            got = time.perf_counter()
            same = get(f"/api/plain/{number}/{turn}/", turn)
            done = time.perf_counter()
            assert answer.status_code == same.status_code == 200, same.content[:300]
            if n >= 0:
                ours.append((got - begun) * 1000)
                theirs.append((done - got) * 1000)
        p50, least = statistics.median(ours), statistics.median(theirs)
        print(
            f"| {name} | {n_items:,} | {statements} | {p50:.1f} | {least:.1f} |"
            f" {p50 / least:.2f} |",
            flush=True,
        )
    connection.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as recsite.wsgi has it
    with scratch_database():
        main(int(sys.argv[1]), int(sys.argv[2]))
