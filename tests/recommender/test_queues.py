"""Every kind of work has a queue, and every queue a worker that the documents start."""

import re
from pathlib import Path

from django.conf import settings

from recommender import tasks  # noqa: F401  registers them
from recsite.celery import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTED = re.findall(
    r"worker --concurrency 1 -Q (\w+)", (ROOT / "docs/operations.md").read_text()
)


def queue_of(task: str) -> str:
    return app.amqp.router.route({}, task)["queue"].name


def test_each_task_goes_to_the_queue_that_settings_name():
    kinds = {name.removeprefix("recommender.tasks.") for name in app.tasks if "recommender" in name}
    named = [kind for kinds in settings.QUEUES.values() for kind in kinds]
    assert sorted(named) == sorted(kinds)  # once each, and none left to a default
    for queue, kinds in settings.QUEUES.items():
        assert {queue_of(f"recommender.tasks.{kind}") for kind in kinds} == {queue}


def test_each_queue_has_a_worker_in_the_documents():
    assert list(settings.QUEUES) == DOCUMENTED


def test_the_worker_of_the_procfile_takes_all_queues():
    [line] = [x for x in (ROOT / "Procfile").read_text().splitlines() if x.startswith("worker:")]
    assert " -Q" not in line
    assert "--queues" not in line
    assert set(app.amqp.queues) == set(settings.QUEUES)


def test_messages_of_one_queue_do_not_reach_the_workers_of_another():
    keys = [(queue.exchange.name, queue.routing_key) for queue in settings.CELERY_TASK_QUEUES]
    assert len(set(keys)) == len(settings.QUEUES)
