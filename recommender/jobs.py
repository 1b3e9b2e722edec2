"""Work is a row: what has to be done is committed with its cause, and outlives broker and worker.

    request    inside the transaction of the cause; requests of one kind and key become one row
    take       the relay: what is due and how to send it, never more in flight than WINDOW a kind
    claim      the worker: one attempt more, committed before the work; parked after ATTEMPTS
    kept       the worker: the lease is renewed while the work goes on, and ends with the process
    close, fail, defer    done; or try again later; or not the job's fault, so not counted

Time is the database's. A message may be lost or come twice: the row decides.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, connections
from psycopg.errors import DiskFull

from catalog import request_id
from recommender.models import Job

ATTEMPTS = 3
WINDOW = 512  # jobs of a kind sent and not yet done: a backlog waits here, not in the broker
CHUNK = 64  # jobs a message, for kinds that are cheaper together
GRACE_SECONDS = 60  # a message unanswered for so long is sent again
LEASE_SECONDS = 60
DELAY_SECONDS = {"learn": 0.5}  # so that a burst of feedback is learned from once
TOGETHER = {"embed", "refill", "understand", "learn"}
# Of what takes long and nobody waits for, so that what is new gets its turn in between.
NARROW = {"understand": CHUNK, "refill": 4 * CHUNK}
NOT_ERASED = (
    " WHERE NOT EXISTS (SELECT 1 FROM catalog_user WHERE id = key AND erased_at IS NOT NULL)"
)
_OPEN = "done_at IS NULL AND parked_at IS NULL"
# A lease changes no column of an index, so a claim rewrites none: a HOT update.
_AT_WORK = "coalesce(leased_until > now(), false)"
_WAITS = (
    "recommender_job.done_at IS NULL AND recommender_job.parked_at IS NULL"
    " AND recommender_job.sent_at IS NULL"
)


@dataclass(frozen=True)
class Claim:
    id: int
    key: int
    version: int
    attempts: int
    cause: str  # the id of the last request that asked for it; empty if none did


class NotYet(Exception):
    """Not the job's fault, and no attempt at it: what it needs is missing. Says what."""


def request(kind: str, keys: Iterable[int]) -> None:
    """Note that something is to be done for each key. Cheap: one statement for any number.

    Of a person who was erased nothing is to be done.
    """
    keys = sorted(set(keys))  # one order for all writers, or two could wait for each other
    if not keys:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_job (kind, key, version, attempts, due_at, error, cause)"
            " SELECT %s, key, 1, 0, now() + make_interval(secs => %s), '', %s"
            " FROM unnest(%s) AS key"
            f"{NOT_ERASED if kind in Job.OF_PEOPLE else ''}"
            " ON CONFLICT (kind, key) DO UPDATE SET version = recommender_job.version + 1,"
            " cause = excluded.cause, requested_at = now(), attempts = 0, error = '',"
            " parked_at = NULL, done_at = NULL,"
            # what is at work keeps its lease; it is sent again when it closes
            " due_at = CASE WHEN recommender_job.leased_until > now()"
            " THEN recommender_job.leased_until"
            # who never pauses is not put off for ever
            f" WHEN {_WAITS} THEN least(recommender_job.due_at, excluded.due_at)"
            " ELSE excluded.due_at END,"
            " sent_at = CASE WHEN recommender_job.leased_until > now()"
            " THEN recommender_job.sent_at END",
            [kind, DELAY_SECONDS.get(kind, 0), request_id.current(), keys],
        )


def take() -> list[tuple[str, list[int]]]:
    """What to send now: (kind, job ids) a message. Marked as sent; call in autocommit."""
    messages: list[tuple[str, list[int]]] = []
    with connection.cursor() as cursor:
        # From kind to kind by the index: of a long backlog one row is read.
        cursor.execute(
            f"WITH RECURSIVE kinds AS ((SELECT kind FROM recommender_job WHERE {_OPEN}"
            "   ORDER BY kind LIMIT 1) UNION ALL"
            " SELECT (SELECT j.kind FROM recommender_job j WHERE j.kind > k.kind"
            f"   AND {_OPEN} ORDER BY j.kind LIMIT 1) FROM kinds k WHERE k.kind IS NOT NULL)"
            " SELECT kind FROM kinds k WHERE EXISTS (SELECT 1 FROM recommender_job j"
            f" WHERE j.kind = k.kind AND {_OPEN} AND due_at <= now())"
        )
        for (kind,) in cursor.fetchall():
            cursor.execute(
                f"WITH flying AS (SELECT count(*) AS n FROM recommender_job WHERE kind = %s"
                f" AND {_OPEN} AND sent_at IS NOT NULL AND (due_at > now() OR {_AT_WORK})),"
                f" due AS (SELECT id FROM recommender_job WHERE kind = %s AND {_OPEN}"
                f" AND due_at <= now() AND NOT {_AT_WORK} ORDER BY due_at, id"
                " LIMIT greatest(0, %s - (SELECT n FROM flying)) FOR UPDATE SKIP LOCKED)"
                " UPDATE recommender_job j SET sent_at = now(),"
                " due_at = now() + make_interval(secs => %s)"
                " FROM due WHERE j.id = due.id RETURNING j.id, j.attempts",
                [kind, kind, NARROW.get(kind, WINDOW), GRACE_SECONDS],
            )
            rows = sorted(cursor.fetchall())
            # One job that kills its worker must not take its neighbours along again.
            fresh = [job for job, attempts in rows if attempts == 0 and kind in TOGETHER]
            alone = [job for job, attempts in rows if attempts or kind not in TOGETHER]
            messages += [(kind, fresh[i : i + CHUNK]) for i in range(0, len(fresh), CHUNK)]
            messages += [(kind, [job]) for job in alone]
    return messages


def give_back(job_ids: Sequence[int], *, seconds: float) -> None:
    """The broker did not take the message: due again after a while."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET sent_at = NULL,"
            " due_at = now() + make_interval(secs => %s)"
            f" WHERE id = ANY(%s) AND {_OPEN} AND NOT {_AT_WORK}",
            [seconds, list(job_ids)],
        )


def claim(job_ids: Sequence[int]) -> list[Claim]:
    """Begin an attempt at those that are open and not at work elsewhere. Call in autocommit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET parked_at = now(), leased_until = NULL,"
            " error = coalesce(nullif(error, ''), 'the worker died at each attempt')"
            f" WHERE id = ANY(%s) AND {_OPEN} AND attempts >= %s"
            f" AND NOT {_AT_WORK}",
            [list(job_ids), ATTEMPTS],
        )
        cursor.execute(
            "UPDATE recommender_job SET attempts = attempts + 1,"
            " leased_until = now() + make_interval(secs => %s)"
            f" WHERE id = ANY(%s) AND {_OPEN} AND NOT {_AT_WORK}"
            " RETURNING id, key, version, attempts, cause",
            [LEASE_SECONDS, list(job_ids)],
        )
        return [Claim(*row) for row in sorted(cursor.fetchall())]


@contextmanager
def kept(claims: Sequence[Claim]) -> Iterator[None]:
    """Renew the lease from a thread of its own, so that it ends when the process does."""
    ids, finished = [claim.id for claim in claims], threading.Event()

    def renew() -> None:
        while not finished.wait(LEASE_SECONDS / 3):
            with connections["default"].cursor() as cursor:
                cursor.execute(
                    "UPDATE recommender_job SET leased_until = now() + make_interval(secs => %s)"
                    f" WHERE id = ANY(%s) AND {_OPEN} AND leased_until IS NOT NULL",
                    [LEASE_SECONDS, ids],
                )
            connections["default"].close()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join(timeout=5)


def close(claims: Sequence[Claim]) -> None:
    """Done, unless something newer was asked for meanwhile: then due again at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job j SET leased_until = NULL, sent_at = NULL, attempts = 0,"
            " error = '', due_at = CASE WHEN j.version = c.version THEN j.due_at ELSE now() END,"
            " done_at = CASE WHEN j.version = c.version THEN now() END"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS c (id, version)"
            " WHERE j.id = c.id AND j.parked_at IS NULL",
            [[claim.id for claim in claims], [claim.version for claim in claims]],
        )


def fail(claims: Sequence[Claim], error: str) -> None:
    """Try again later, twice as late each time; after the last attempt an operator decides."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET leased_until = NULL, sent_at = NULL, error = %s,"
            " due_at = now() + make_interval(secs => 2 ^ attempts),"
            " parked_at = CASE WHEN attempts >= %s THEN now() END"
            f" WHERE id = ANY(%s) AND {_OPEN}",
            [error[:2000], ATTEMPTS, [claim.id for claim in claims]],
        )


def defer(claims: Sequence[Claim], error: str, *, seconds: float = 15) -> None:
    """Wait without counting the attempt: what the work needs is missing, the job is fine."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET leased_until = NULL, sent_at = NULL, error = %s,"
            " attempts = greatest(attempts - 1, 0), due_at = now() + make_interval(secs => %s)"
            f" WHERE id = ANY(%s) AND {_OPEN}",
            [error[:2000], seconds, [claim.id for claim in claims]],
        )


def is_full_disk(error: BaseException) -> bool:
    """Whether Postgres has no room to write: no fault of a job."""
    return isinstance(error.__cause__, DiskFull)


def settle(kind: str, keys: Sequence[int]) -> None:
    """Close what a bulk run has done, if nobody is at it.

    Call in the transaction that holds the locks of the rows whose content was compared: then no
    newer request can hide behind the one that is closed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET done_at = now(), sent_at = NULL, error = ''"
            f" WHERE kind = %s AND key = ANY(%s) AND {_OPEN} AND leased_until IS NULL",
            [kind, list(keys)],
        )


def counts() -> dict[str, int]:
    """How many wait, are at work, are parked; and how long the oldest due one has waited."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FILTER (WHERE {_OPEN} AND leased_until IS NULL),"
            f" count(*) FILTER (WHERE {_OPEN} AND leased_until > now()),"
            " count(*) FILTER (WHERE parked_at IS NOT NULL),"
            " coalesce(extract(epoch FROM now() - min(requested_at)"
            f" FILTER (WHERE {_OPEN})), 0)::int FROM recommender_job"
        )
        waiting, at_work, parked, oldest_seconds = cursor.fetchone()
    return {
        "waiting": waiting,
        "at_work": at_work,
        "parked": parked,
        "oldest_seconds": oldest_seconds,
    }


def counts_by_kind() -> list[dict]:
    """The same for each kind of work of which there is any."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT kind, count(*) FILTER (WHERE {_OPEN} AND leased_until IS NULL),"
            f" count(*) FILTER (WHERE {_OPEN} AND leased_until > now()),"
            " count(*) FILTER (WHERE parked_at IS NOT NULL),"
            " coalesce(extract(epoch FROM now() - min(requested_at)"
            f" FILTER (WHERE {_OPEN})), 0)::int FROM recommender_job GROUP BY kind ORDER BY kind"
        )
        names = ("kind", "waiting", "at_work", "parked", "oldest_seconds")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def retry(job_ids: Sequence[int]) -> int:
    """An operator's second chance for parked jobs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET parked_at = NULL, attempts = 0, due_at = now(),"
            " sent_at = NULL, leased_until = NULL"
            " WHERE id = ANY(%s) AND parked_at IS NOT NULL AND done_at IS NULL",
            [list(job_ids)],
        )
        return cursor.rowcount


def waiting(kind: str) -> dict[int, int]:
    """Keys that wait for work of a kind, with the version that was asked for."""
    jobs = Job.objects.filter(kind=kind, done_at=None, parked_at=None, leased_until=None)
    return dict(jobs.order_by("key").values_list("key", "version"))


def settle_versions(kind: str, versions: dict[int, int]) -> None:
    """Close what a bulk run has done, where nothing newer was asked for since `waiting`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job j SET done_at = now(), sent_at = NULL, error = ''"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS c (key, version)"
            f" WHERE j.kind = %s AND j.key = c.key AND j.version = c.version AND {_OPEN}"
            " AND leased_until IS NULL",
            [list(versions), list(versions.values()), kind],
        )


def open_jobs(kind: str | None = None) -> int:
    jobs = Job.objects.filter(done_at=None, parked_at=None)
    return (jobs.filter(kind=kind) if kind else jobs).count()
