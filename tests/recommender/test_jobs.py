"""Work is a row: coalesced, sent, claimed, counted, parked; the row decides, not the message."""

import pytest
from django.db import connection

from recommender import jobs
from recommender.models import Job

pytestmark = pytest.mark.django_db


def later(seconds: float = 3600) -> None:
    """Let time pass for all jobs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_job SET due_at = due_at - make_interval(secs => %s),"
            " leased_until = leased_until - make_interval(secs => %s)",
            [seconds, seconds],
        )


def only(kind="embed") -> Job:
    return Job.objects.get(kind=kind)


def take_and_claim() -> list[jobs.Claim]:
    return [claim for _, ids in jobs.take() for claim in jobs.claim(ids)]


def test_requests_of_one_key_become_one_job():
    jobs.request("embed", [7, 7])
    jobs.request("embed", [7])
    assert (only().key, only().version) == (7, 2)


def test_nothing_asked_for_is_nothing_written():
    jobs.request("embed", [])
    assert not Job.objects.exists()


def test_what_is_due_is_sent_once_and_again_after_its_grace():
    jobs.request("embed", [1, 2])
    [(kind, ids)] = jobs.take()
    assert (kind, len(ids)) == ("embed", 2)
    assert jobs.take() == []
    later(jobs.GRACE_SECONDS + 1)
    assert jobs.take() == [("embed", ids)]


def test_a_burst_of_feedback_is_learned_from_once():
    jobs.request("learn", [1])
    assert jobs.take() == []
    later(2)
    assert len(jobs.take()) == 1


def test_who_never_pauses_is_learned_from_all_the_same():
    jobs.request("learn", [1])
    due = only("learn").due_at
    jobs.request("learn", [1])
    assert only("learn").due_at == due


def test_people_are_learned_of_together_and_after_a_failure_alone():
    jobs.request("learn", [1, 2])
    later(2)
    [(_, ids)] = jobs.take()
    assert len(ids) == 2
    jobs.fail(jobs.claim(ids), "ValueError: of one of them")
    later()
    assert [len(ids) for _, ids in jobs.take()] == [1, 1]


def test_kinds_that_are_cheaper_together_are_sent_in_chunks(monkeypatch):
    monkeypatch.setattr(jobs, "CHUNK", 2)
    jobs.request("embed", [1, 2, 3])
    jobs.request("popularity", [0])
    assert sorted((kind, len(ids)) for kind, ids in jobs.take()) == [
        ("embed", 1),
        ("embed", 2),
        ("popularity", 1),
    ]


def test_a_backlog_waits_in_the_table_and_not_in_the_broker(monkeypatch):
    monkeypatch.setattr(jobs, "WINDOW", 3)
    jobs.request("embed", range(1, 11))
    assert sum(len(ids) for _, ids in jobs.take()) == 3
    assert jobs.take() == []
    jobs.close(jobs.claim([job.pk for job in Job.objects.exclude(sent_at=None)]))
    assert sum(len(ids) for _, ids in jobs.take()) == 3


def test_a_job_at_work_is_not_claimed_twice():
    jobs.request("embed", [1])
    [claim] = take_and_claim()
    assert claim.attempts == 1
    assert jobs.claim([claim.id]) == []


def test_a_job_whose_worker_died_is_claimed_again_when_its_lease_ends():
    jobs.request("embed", [1])
    [claim] = take_and_claim()
    later(jobs.LEASE_SECONDS + 1)
    [again] = take_and_claim()
    assert (again.id, again.attempts) == (claim.id, 2)


def test_a_job_that_kills_its_worker_is_parked_after_three_attempts():
    jobs.request("embed", [1])
    for attempt in (1, 2, 3):
        assert [claim.attempts for claim in take_and_claim()] == [attempt]
        later()
    assert take_and_claim() == []
    assert only().parked_at is not None
    assert only().error == "the worker died at each attempt"
    assert jobs.take() == []


def test_after_one_attempt_a_job_is_sent_alone():
    jobs.request("embed", [1, 2])
    assert [len(ids) for _, ids in jobs.take()] == [2]
    jobs.claim([job.pk for job in Job.objects.all()])
    later()
    assert [len(ids) for _, ids in jobs.take()] == [1, 1]


def test_a_job_that_fails_waits_longer_each_time_and_is_parked_with_its_error():
    jobs.request("embed", [1])
    for _ in range(3):
        jobs.fail(take_and_claim(), "ValueError: no")
        later()
    assert only().parked_at is not None
    assert only().error == "ValueError: no"


def test_waiting_for_the_model_is_no_attempt():
    jobs.request("embed", [1])
    for _ in range(5):
        jobs.defer(take_and_claim(), "no model folder")
        later()
    assert (only().parked_at, only().attempts) == (None, 0)
    assert only().error == "no model folder"


def test_a_job_asked_for_again_while_at_work_is_done_again():
    jobs.request("embed", [1])
    claims = take_and_claim()
    jobs.request("embed", [1])
    jobs.close(claims)
    assert only().done_at is None
    assert [claim.version for claim in take_and_claim()] == [2]


def test_a_closed_job_stays_closed_until_it_is_asked_for():
    jobs.request("embed", [1])
    jobs.close(take_and_claim())
    later()
    assert jobs.take() == []
    jobs.request("embed", [1])
    assert len(take_and_claim()) == 1


def test_an_operator_gives_a_parked_job_another_chance():
    jobs.request("embed", [1])
    for _ in range(3):
        jobs.fail(take_and_claim(), "no")
        later()
    assert jobs.retry([only().pk]) == 1
    assert [claim.attempts for claim in take_and_claim()] == [1]


def test_what_the_broker_refused_is_due_again_soon():
    jobs.request("embed", [1])
    [(_, ids)] = jobs.take()
    jobs.give_back(ids, seconds=2)
    later(3)
    assert jobs.take() == [("embed", ids)]


def test_a_bulk_run_closes_only_what_it_has_seen():
    jobs.request("learn", [1, 2])
    seen = jobs.waiting("learn")
    jobs.request("learn", [2])
    jobs.settle_versions("learn", seen)
    assert list(jobs.waiting("learn")) == [2]


def test_counts_tell_what_waits_what_is_at_work_and_what_is_parked():
    jobs.request("embed", [1, 2, 3])
    first, second, _ = (job.pk for job in Job.objects.order_by("key"))
    jobs.claim([first])
    Job.objects.filter(pk=second).update(parked_at="2026-01-01T00:00Z")
    counts = jobs.counts()
    assert (counts["waiting"], counts["at_work"], counts["parked"]) == (1, 1, 1)
