"""What is shared in Valkey: pages of a visitor with it at hand, just emptied, and without it.

    python -m bench.caches ITEMS ROUNDS

Makes a scratch database, fills it, starts the encoder process on its model, and asks each page in
turns, in one process and through all of the site's middleware.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from bench.site import free_port, scratch_database


@contextlib.contextmanager
def encoder_process(url: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "encoder", "--port", str(urlsplit(url).port)],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def main(n_items: int, rounds: int, processes: contextlib.ExitStack) -> None:
    import django

    os.environ["LOG_LEVEL"] = "ERROR"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from redis import Redis

    from bench import catalogue
    from recommender import learn, shared, store
    from recommender.embeddings.encoder import EncoderError
    from recommender.embeddings.http import HttpEncoder
    from recommender.models import EmbeddingSpace, Scenario

    def encoder() -> HttpEncoder:
        for _ in range(600):
            with contextlib.suppress(EncoderError):
                return HttpEncoder(settings.ENCODER_URL, settings.EMBEDDING_MODEL)
            time.sleep(0.2)
        raise SystemExit("the encoder process does not answer: is its model installed?")

    settings.ALLOWED_HOSTS = ["testserver"]
    settings.API_CALLS_A_MINUTE = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 0
    call_command("migrate", verbosity=0)
    catalogue.fill(n_items, n_people=100, likes=30)
    processes.enter_context(encoder_process(settings.ENCODER_URL))
    at_work = encoder()
    EmbeddingSpace.objects.update(
        backend="transformers",
        model=settings.EMBEDDING_MODEL,
        digest=at_work.digest,
        mean_query=[0.0] * catalogue.DIMENSION,
    )
    settings.ENCODER_TIMEOUT_SECONDS = 5.0  # each query is to be encoded, however long it takes
    learn.refresh_popularity()
    Scenario.objects.create(slug="kind", kind="category", position=1)
    some = store.sample_item_ids(2_000)
    store.index_words(some)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    client, link = Client(), Redis.from_url(settings.SHARED_URL)
    gone = shared.Valkey()
    gone._asks_again_at = float("inf")
    there = shared.Valkey()

    def forget() -> None:
        for key in link.scan_iter("shared:*:*:*"):
            link.delete(key)

    states = {"warm": there, "cold": there, "without": gone}
    pages = {
        "home list": "/",
        "list of a category": "/?scenario=kind&category=category-1",
        "the beginning": "/start/",
        "search": "/search/?q=made+for+item+{n}",
    }
    for name, page in pages.items():
        took = {state: [] for state in states}
        statements = {}
        for turn in range(-3, rounds):
            address = page.format(n=turn % 5)
            shared.valkey = there
            client.get(address)
            for state, valkey in states.items():
                shared.valkey = valkey
                if state == "cold":
                    forget()
                with CaptureQueriesContext(connection) as sent:
                    begun = time.perf_counter()
                    assert client.get(address).status_code == 200
                    seconds = time.perf_counter() - begun
                statements[state] = sum(
                    not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
                    for q in sent
                )
                if turn >= 0:
                    took[state].append(1000 * seconds)
        p50 = {state: statistics.median(times) for state, times in took.items()}
        print(
            f"| {name} | {n_items:,} |"
            + "".join(f" {statements[state]} | {p50[state]:.1f} |" for state in states)
            + f" {p50['warm'] / p50['without']:.2f} |",
            flush=True,
        )
    forget()
    connection.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as recsite.wsgi has it
    os.environ["ENCODER_URL"] = f"http://127.0.0.1:{free_port()}/v1"
    os.environ.setdefault("STATEMENT_TIMEOUT_MS", "60000")  # of filling, on a busy machine
    with scratch_database(), contextlib.ExitStack() as processes:
        main(int(sys.argv[1]), int(sys.argv[2]), processes)
