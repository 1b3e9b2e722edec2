"""Feedback waits for the disk; a list that is served does not."""

import pytest
from django.db import connection, transaction

from catalog.signals import feedback_recorded
from recommender import interests, jobs, learn, store, tasks
from recommender.models import Job
from recommender.recommend import recommend
from recommender.store import people
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db(transaction=True)


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone()[0]


@pytest.fixture
def noted(monkeypatch) -> dict[str, str]:
    """What held while a list was kept, and while feedback was."""
    found, put_served = {}, store.put_served

    def put(*args, **named):
        found["list"] = setting()
        return put_served(*args, **named)

    def recorded(**_named):
        found["feedback"] = setting()

    monkeypatch.setattr(store, "put_served", put)
    feedback_recorded.connect(recorded)
    yield found
    feedback_recorded.disconnect(recorded)


def test_a_list_does_not_wait_for_the_disk_and_feedback_does(alice, noted):
    items = [make_item(f"kettle {n}") for n in range(5)]
    embed_and_learn()
    recommend(alice.pk)
    give(alice, items[0])
    assert noted == {"list": "off", "feedback": "on"}
    assert setting() == "on"


def test_what_a_person_chooses_waits_though_their_side_is_read_for_it(alice, monkeypatch):
    items = [make_item(f"kettle {n}") for n in range(5)]
    embed_and_learn()
    give(alice, items[0])
    learn.refresh_person(alice.pk)
    silence_interest, found = store.silence_interest, []

    def silence(*args):
        found.append(setting())
        return silence_interest(*args)

    monkeypatch.setattr(store, "silence_interest", silence)
    assert interests.choose(alice.pk, alice.interests.get().uuid, interests.OFF)
    assert found == ["on"]


def test_within_a_transaction_of_somebody_else_it_is_theirs_to_say(alice, noted):
    make_item("kettle")
    embed_and_learn()
    with transaction.atomic():
        recommend(alice.pk)
        assert setting() == "on"
    assert noted == {"list": "on"}


def test_what_is_learned_waits_when_its_work_is_closed_and_not_before(alice, monkeypatch):
    items = [make_item(f"kettle {n}") for n in range(5)]
    embed_and_learn()
    give(alice, items[0])
    found = {}

    def noted(module, name):
        work = getattr(module, name)

        def noting(*args, **named):
            done = work(*args, **named)
            found[name] = setting()
            return done

        monkeypatch.setattr(module, name, noting)

    noted(people, "replace_interests")
    noted(jobs, "close")
    [job] = Job.objects.filter(kind="learn")
    tasks.learn_people([job.pk])
    assert found == {"replace_interests": "off", "close": "on"}
    assert setting() == "on"
