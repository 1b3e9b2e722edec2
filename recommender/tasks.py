"""Ids in, one story called, nothing decided here but what becomes of the job.

Tasks are sent by the relay alone, may come twice or late, and leave their state in the Job row.
"""

import logging
from collections.abc import Callable, Sequence

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings

from catalog import accounts, exporting, mails, request_id
from catalog.pictures import keep as pictures
from recommender import begin, calibrate, forget, jobs, learn, store, train, understand
from recommender import embed as embedding
from recommender.embeddings.encoder import EncoderError

log = logging.getLogger(__name__)


def work(job_ids: Sequence[int], story: Callable[[list[int]], object]) -> None:
    """Claim, do, close. What fails is tried again alone; without its model, a job waits."""
    claims = jobs.claim(job_ids)
    if not claims:
        return
    causes = {claim.cause for claim in claims}
    with request_id.known_as(causes.pop() if len(causes) == 1 else ""):
        _do(claims, story)


def _do(claims: list[jobs.Claim], story: Callable[[list[int]], object]) -> None:
    try:
        with jobs.kept(claims):
            story([claim.key for claim in claims])
    except EncoderError as error:
        log.error("jobs wait for the encoder: %s", error)
        jobs.defer(claims, str(error))
    except jobs.NotYet as error:
        jobs.defer(claims, str(error))
    except (Exception, SoftTimeLimitExceeded) as error:
        if jobs.is_full_disk(error):
            log.error("jobs wait for room on the disk of the database: %s", error)
            jobs.defer(claims, f"the disk of the database is full: {error}", seconds=60)
            return
        log.exception("%d jobs failed", len(claims))
        jobs.fail(claims, f"{type(error).__name__}: {error}")
    else:
        jobs.close(claims)


@shared_task(name="recommender.tasks.embed")
def embed(job_ids: list[int]) -> None:
    work(job_ids, lambda item_ids: embedding.embed_items(None, item_ids))


@shared_task(name="recommender.tasks.refill")
def refill(job_ids: list[int]) -> None:
    work(job_ids, embedding.refill_items)


@shared_task(name="recommender.tasks.understand")
def understand_items(job_ids: list[int]) -> None:
    work(job_ids, understand.understand_items)


@shared_task(name="recommender.tasks.learn")
def learn_people(job_ids: list[int]) -> None:
    work(job_ids, lambda user_ids: [learn.refresh_person(user) for user in user_ids])


@shared_task(name="recommender.tasks.relearn")
def relearn(job_ids: list[int]) -> None:
    work(job_ids, lambda user_ids: [learn.relearn(user) for user in user_ids])


@shared_task(name="recommender.tasks.wish")
def wish(job_ids: list[int]) -> None:
    work(job_ids, begin.encode_wishes)


@shared_task(name="recommender.tasks.comment")
def comment(job_ids: list[int]) -> None:
    work(job_ids, learn.read_comments)


@shared_task(name="recommender.tasks.email")
def email(job_ids: list[int]) -> None:
    work(job_ids, send_mails)


def send_mails(mail_ids: list[int]) -> None:
    """What waits for the server of outgoing mail goes when it is back."""
    try:
        mails.send(mail_ids)
    except OSError as error:
        raise jobs.NotYet(f"no mail goes out: {type(error).__name__}") from None


@shared_task(name="recommender.tasks.image")
def image(job_ids: list[int]) -> None:
    work(job_ids, pictures.refresh)


@shared_task(name="recommender.tasks.popularity")
def popularity(job_ids: list[int]) -> None:
    work(job_ids, lambda _: learn.refresh_popularity())


@shared_task(name="recommender.tasks.exposure")
def exposure(job_ids: list[int]) -> None:
    work(job_ids, lambda _: learn.refresh_exposure())


@shared_task(name="recommender.tasks.train")
def train_version(job_ids: list[int]) -> None:
    work(job_ids, lambda _: train.train_and_offer())


@shared_task(name="recommender.tasks.calibrate")
def calibrate_diversity(job_ids: list[int]) -> None:
    work(job_ids, lambda _: calibrate.calibrate_if_possible())


@shared_task(name="recommender.tasks.sweep")
def sweep(job_ids: list[int]) -> None:
    work(
        job_ids,
        lambda _: (
            embedding.sweep(),
            begin.sweep(),
            understand.sweep(),
            store.keep_partitions(settings.SERVED_RETENTION_DAYS),
            accounts.sweep(),
            exporting.forget_expired(),
        ),
    )


@shared_task(name="recommender.tasks.guests")
def guests(job_ids: list[int]) -> None:
    work(job_ids, lambda _: forget.forget_guests())


@shared_task(name="recommender.tasks.erase")
def erase(job_ids: list[int]) -> None:
    work(job_ids, lambda erasures: [forget.erase_rows(erasure) for erasure in erasures])


@shared_task(name="recommender.tasks.archive")
def archive(job_ids: list[int]) -> None:
    work(job_ids, lambda archives: [exporting.make(archive) for archive in archives])


@shared_task(name="recommender.tasks.plan")
def plan(kind: str) -> None:
    """From beat: ask for a periodic job. Two beats ask twice, and it is one row still."""
    jobs.request(kind, [0])
