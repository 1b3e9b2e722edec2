"""Feedback in batches: as if it came one by one, in a handful of statements."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Feedback
from recommender.models import Job
from tests.factories import give, make_item

pytestmark = pytest.mark.django_db

BATCHES = "/api/v1/feedback/"
NOW = datetime.now(UTC)


def uuid_of(number: int) -> str:
    return str(UUID(int=number, version=4))


def at(minutes_ago: int) -> str:
    return (NOW - timedelta(minutes=minutes_ago)).isoformat()


def send(client, *entries: object) -> list[dict]:
    answer = client.post(BATCHES, list(entries), format="json")
    assert answer.status_code == 207
    return answer.json()


@pytest.fixture
def items(db):
    return [make_item(f"kettle {n}") for n in range(4)]


def test_statements_do_not_grow_with_the_batch(as_alice, items):
    taken = []
    for n in (1, 100):
        entries = [
            {"item": str(items[i % 4].uuid), "kind": ("like", "view")[i % 2]} for i in range(n)
        ]
        send(as_alice, *entries)
        with CaptureQueriesContext(connection) as seen:
            send(as_alice, *entries)
        sent = [q["sql"] for q in seen if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
        taken.append(len(sent))
    # The token, the lock, what is there, the replaced opinions, the rows, the work.
    assert taken == [6, 6]


def test_a_batch_leaves_what_single_posts_leave(as_alice, as_bob, alice, bob, items):
    give(alice, items[1], "like")
    give(bob, items[1], "like")
    entries = [
        {"item": str(items[0].uuid), "kind": "like", "occurred_at": at(30)},
        {"item": str(items[0].uuid), "kind": "view", "occurred_at": at(50)},
        {"item": str(items[0].uuid), "kind": "dislike", "occurred_at": at(20)},
        {"item": str(items[0].uuid), "kind": "rating", "value": 4, "occurred_at": at(40)},
        {"item": str(items[1].uuid), "kind": "dislike", "occurred_at": at(10_000)},
        {"item": str(items[2].uuid), "kind": "hide"},
        {"item": str(items[1].uuid), "kind": "comment", "text": " fine <b>thing</b> "},
        {"item": str(items[3].uuid), "kind": "rating", "value": 3.5, "occurred_at": at(90_000)},
        {"item": str(items[1].uuid), "kind": "hide"},
    ]
    assert [row["status"] for row in send(as_alice, *entries)] == [201] * len(entries)
    for entry in entries:
        assert as_bob.post(BATCHES, entry, format="json").status_code == 201

    def left(user) -> set:
        rows = Feedback.objects.filter(user=user)
        return {
            (row.item_id, row.kind, row.value, row.text, row.superseded_at is None) for row in rows
        }

    assert left(alice) == left(bob)
    assert len(left(alice)) == len(entries) + 1


def test_an_id_known_or_used_twice_is_one_piece_of_feedback(as_alice, alice, items):
    first = {"id": uuid_of(1), "item": str(items[0].uuid), "kind": "like"}
    other = {"id": uuid_of(2), "item": str(items[1].uuid), "kind": "view", "occurred_at": at(5)}
    assert [row["status"] for row in send(as_alice, first, other, other)] == [201, 201, 200]
    Job.objects.all().delete()
    answer = send(as_alice, first, other | {"kind": "save"}, other)
    assert [(row["status"], row["id"]) for row in answer] == [
        (200, uuid_of(1)),
        (409, uuid_of(2)),
        (200, uuid_of(2)),
    ]
    assert Feedback.objects.filter(user=alice).count() == 2
    assert not Job.objects.exists()


def test_single_and_batch_know_each_others_ids(as_alice, items):
    entry = {
        "id": uuid_of(3),
        "item": str(items[0].uuid),
        "kind": "rating",
        "value": 4,
        "text": " x ",
        "occurred_at": (NOW - timedelta(hours=1)).astimezone(UTC).isoformat(),
    }
    assert as_alice.post(BATCHES, entry, format="json").status_code == 201
    # The same moment in another zone, and a number that is written otherwise.
    zone = datetime.fromisoformat(entry["occurred_at"]) + timedelta(hours=2)
    again = entry | {"value": 4.0, "occurred_at": zone.isoformat().replace("+00:00", "+02:00")}
    assert send(as_alice, again) == [{"status": 200, "id": uuid_of(3)}]


def test_what_is_wrong_in_a_batch_is_named_and_hinders_nothing(as_alice, alice, items):
    item = str(items[0].uuid)
    answer = send(
        as_alice,
        {"item": item, "kind": "rating", "value": 6},
        {"item": item, "kind": "love"},
        {"item": item, "kind": "comment"},
        {"item": item, "kind": "dwell"},
        {"item": item, "kind": "view", "value": True},
        {"item": item, "kind": "view", "user": 1},
        {"item": "no", "kind": "view"},
        {"item": uuid_of(9), "kind": "view"},
        [],
        {"item": item, "kind": "view", "occurred_at": "yesterday"},
        {"item": item, "kind": "like"},
    )
    assert [row["status"] for row in answer] == [*[400] * 7, 404, 400, 400, 201]
    assert [row.get("code") for row in answer[6:9]] == ["validation", "unknown_item", "validation"]
    assert Feedback.objects.filter(user=alice).count() == 1


def test_what_is_usual_is_read_as_the_serializer_reads_it(items):
    from catalog.api import feedback
    from catalog.serializers import FeedbackIn, checked

    entries = [
        {"item": str(items[0].uuid), "kind": "like"},
        {"item": items[0].uuid.hex, "kind": "dwell", "value": 3},
        {"id": uuid_of(4), "item": str(items[0].uuid), "kind": "view", "text": " a ", "value": 1e9},
        {"item": str(items[0].uuid), "kind": "rating", "value": 0.5, "served": uuid_of(5)},
        {"item": str(items[0].uuid), "kind": "save", "occurred_at": "2026-11-01T10:00:00+02:00"},
        {"item": str(items[0].uuid), "kind": "save", "occurred_at": "2026-11-01T10:00:00.5Z"},
    ]
    for entry in entries:
        found, clean = feedback.given(entry), checked(FeedbackIn, entry)
        assert found.digest() == feedback.given_of(clean).digest(), entry
        assert (found.uuid, found.served_id) == (clean.get("id"), clean.get("served"))
