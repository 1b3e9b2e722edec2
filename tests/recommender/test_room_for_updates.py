"""What is refreshed often finds room in its page, and rewrites no index."""

import pytest
from django.db import connection

from recommender import jobs, store
from tests.factories import make_person

pytestmark = pytest.mark.django_db(transaction=True)
TIMES = 20


def updates_of(table: str) -> tuple[int, int]:
    """Rows updated since the tables were made, and those of them in their page (HOT)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", [table]
        )
        return cursor.fetchone()


def updated_by(table: str, work) -> tuple[int, int]:
    before = updates_of(table)
    work()
    after = updates_of(table)
    return after[0] - before[0], after[1] - before[1]


def test_candidates_are_refreshed_in_their_page():
    people = [make_person(f"p{n}").pk for n in range(8)]
    for person in people:
        store.put_candidates(person, range(200), agreed=True)

    def refresh():
        for turn in range(TIMES):
            for person in people:
                store.put_candidates(person, range(turn, 200 + turn), agreed=True)

    updated, in_page = updated_by("recommender_candidates", refresh)
    assert updated == TIMES * len(people)
    # All but for a moment in which autovacuum looked on; two thirds where a page has no spare room.
    assert in_page >= 0.75 * updated


def test_a_claim_of_work_rewrites_no_index():
    jobs.request("embed", range(64))
    [(_, ids)] = jobs.take()
    updated, in_page = updated_by("recommender_job", lambda: jobs.claim(ids))
    assert updated == 64
    assert in_page > 0  # as many as their pages have room for; none if an index spoke of leases


def test_tables_that_churn_are_cleared_before_a_fifth_of_them_is_dead():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reloptions FROM pg_class"
            " WHERE relname IN ('recommender_job', 'recommender_candidates')"
        )
        found = dict(cursor.fetchall())
    assert "autovacuum_vacuum_scale_factor=0.02" in found["recommender_job"]
    assert "fillfactor=70" in found["recommender_candidates"]
