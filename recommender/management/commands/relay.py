"""Publish jobs that are due to Celery. Any number of relays may run."""

import logging
import signal
import threading

from celery import current_app
from django.core.management.base import BaseCommand
from django.db import OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

from recommender import jobs

log = logging.getLogger(__name__)
BUSY_SECONDS, IDLE_SECONDS, TROUBLE_SECONDS = 0.1, 0.3, 2.0


class Command(BaseCommand):
    help = "Send jobs that are due to the workers."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, then end")

    def handle(self, *, once: bool, **options) -> None:
        stop = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                sent = send_due()
                pause = BUSY_SECONDS if sent else IDLE_SECONDS
            except BrokerError as error:
                log.warning("the broker does not answer, jobs wait: %s", error)
                pause = TROUBLE_SECONDS
            except OperationalError as error:
                log.warning("the database does not answer: %s", error)
                connection.close()
                pause = TROUBLE_SECONDS
            if once:
                return
            stop.wait(pause)


def send_due() -> int:
    """Publish all that is due; how many messages. What the broker refuses is due again soon."""
    messages = jobs.take()
    with current_app.connection_for_write(
        transport_options={"socket_timeout": 2, "socket_connect_timeout": 1, "max_retries": 0}
    ) as broker:
        for number, (kind, job_ids) in enumerate(messages):
            try:
                current_app.send_task(
                    f"recommender.tasks.{kind}", args=[job_ids], connection=broker, retry=False
                )
            except Exception as error:
                unsent = [job for _, ids in messages[number:] for job in ids]
                jobs.give_back(unsent, seconds=TROUBLE_SECONDS)
                raise BrokerError(str(error)) from error
    return len(messages)
