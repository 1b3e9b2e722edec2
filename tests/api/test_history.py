"""One's own feedback, and what an app sends that was without a network."""

from datetime import UTC, datetime, timedelta

import pytest

from catalog.models import Feedback
from tests.api.test_errors import is_problem
from tests.factories import give, import_feedback, make_item

pytestmark = pytest.mark.django_db
FEEDBACK = "/api/v1/feedback/"
NOW = datetime.now(UTC)


def told(client, **query) -> list[str]:
    answer = client.get(FEEDBACK, query)
    assert answer.status_code == 200, answer.content
    return [f"{row['kind']} {row['title']}" for row in answer.json()["results"]]


def send(client, item, kind, moment):
    body = {"item": str(item.uuid), "kind": kind, "occurred_at": moment.isoformat()}
    answer = client.post(FEEDBACK, body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_history_is_narrowed_by_kind_item_and_time(as_alice, alice, bob):
    kettle, boots = make_item("kettle"), make_item("boots")
    import_feedback(alice, kettle, "view", days_ago=9)
    import_feedback(alice, kettle, "like", days_ago=5)
    import_feedback(alice, boots, "view", days_ago=1)
    import_feedback(bob, kettle, "share", days_ago=5)
    assert told(as_alice) == ["view boots", "like kettle", "view kettle"]
    assert told(as_alice, kind="view") == ["view boots", "view kettle"]
    assert told(as_alice, item=kettle.uuid) == ["like kettle", "view kettle"]
    week, day = ((NOW - timedelta(days=days)).isoformat() for days in (7, 2))
    assert told(as_alice, since=week, until=day) == ["like kettle"]
    assert told(as_alice, until=week) == ["view kettle"]


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"until": "NaN"}, {"item": "7"}, {"kind": "adore"}, {"user": "1"}],
)
def test_a_filter_of_another_kind_is_refused(as_alice, query):
    assert is_problem(as_alice.get(FEEDBACK, query), 400)


def test_a_page_of_history_costs_the_same_statements_for_any_size(
    as_alice, alice, django_assert_num_queries
):
    for n in range(12):
        give(alice, make_item(f"kettle {n}"))
    for limit in (2, 12):
        with django_assert_num_queries(2):  # token, feedback with its items
            assert len(told(as_alice, limit=limit)) == limit


def test_opinions_that_come_out_of_order_end_as_they_were_given(as_alice):
    kettle = make_item("kettle")
    early, late = NOW - timedelta(hours=5), NOW - timedelta(hours=1)
    send(as_alice, kettle, "dislike", late)
    send(as_alice, kettle, "like", early)  # given before, sent after
    assert told(as_alice) == ["dislike kettle"]
    assert Feedback.objects.count() == 2


def test_taking_back_the_later_opinion_brings_back_the_one_that_came_late(as_alice):
    kettle = make_item("kettle")
    newer = send(as_alice, kettle, "dislike", NOW - timedelta(hours=1))
    send(as_alice, kettle, "like", NOW - timedelta(hours=5))
    assert as_alice.delete(f"{FEEDBACK}{newer['id']}/").status_code == 200
    assert told(as_alice) == ["like kettle"]


def test_what_is_older_than_a_week_counts_as_a_week_old_and_the_future_as_now(as_alice):
    kettle = make_item("kettle")
    old = send(as_alice, kettle, "view", NOW - timedelta(days=300))
    ahead = send(as_alice, kettle, "view", NOW + timedelta(days=300))
    now = datetime.now(UTC)  # not NOW: the file may have been read long before
    for row, moment in ((old, now - timedelta(days=7)), (ahead, now)):
        occurred = datetime.fromisoformat(row["occurred_at"])
        assert abs(occurred - moment) < timedelta(minutes=5)
