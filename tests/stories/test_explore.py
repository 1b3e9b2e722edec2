"""Something new gets a measured share of what is shown, with every worker stopped."""

import time
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.uuid7 import uuid7
from recommender import jobs, learn, store, tasks
from recommender.models import Exposure, Job, Served
from recommender.ranking.explore import HALF_LIFE_DAYS
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _explores(settings):
    settings.EXPLORATION_SHARE = 0.05
    settings.POOL_SIZE = 50  # so that a pool is of ten for each place


def make_known(items) -> None:
    """As after long: each was shown to a thousand people, of whom a tenth took it up."""
    numbers = np.full(len(items), 1000.0)
    store.put_exposure(np.array([item.pk for item in items]), numbers, numbers / 10)


@pytest.fixture
def shop():
    """Kettles that everybody knows, more of them than a pool of a list of ten takes."""
    kettles = [make_item(f"kettle number {n}") for n in range(150)]
    embed_and_learn()
    make_known(kettles)
    return kettles


def lists_of_people(shop, n: int = 40) -> list[dict]:
    lists = []
    for number in range(n):
        person = make_person(f"person {number}")
        give(person, shop[number])
        lists.append(ask(client_of(person)))
    return lists


def ask(client, **query) -> dict:
    query = {"limit": 10, "diversity": 0} | query
    return client.get("/api/v1/recommendations/", query).json()


def titles(answer: dict) -> list[str]:
    return [row["item"]["title"] for row in answer["results"]]


def test_a_new_item_is_shown_to_some_of_many_people(shop):
    # From its text alone; it came just now, but is old, and nothing is like it.
    make_item("accordion", description="with buttons", published_at=LONG_AGO)
    shown = sum("accordion" in titles(answer) for answer in lists_of_people(shop))
    # One place in twenty: of forty lists of ten it is in half, give or take 3.2.
    assert 5 <= shown <= 35


def test_without_a_share_nobody_is_shown_it(shop, settings):
    settings.EXPLORATION_SHARE = 0.0
    make_item("accordion", published_at=LONG_AGO)
    lists = lists_of_people(shop)
    assert not any("accordion" in titles(answer) for answer in lists)
    assert all(row.propensity == [1.0] * 10 for row in Served.objects.all())


def test_the_list_says_which_place_was_given_away_and_with_what_chance(as_alice, shop):
    accordion = make_item("accordion", published_at=LONG_AGO)
    answer = ask(as_alice, limit=20)
    [place] = answer["diversity"]["explored"]
    [row] = [row for row in answer["results"] if row["item"]["title"] == "accordion"]
    assert row["rank"] == place
    assert row["reason"]["kind"] == "explored"
    assert row["reason"]["text"] == "Hardly anybody knows it yet: shown to find out who likes it"
    served = Served.objects.get(pk=answer["id"])
    assert served.item_ids[place - 1] == accordion.pk
    # One of 17 places goes to the one item there is, and each of the others is kept otherwise.
    chances = [1.0] * 3 + [16 / 17] * 17
    chances[place - 1] = 1 / 17
    assert served.propensity == pytest.approx(chances)
    assert served.settings["exploration"] == 0.05
    assert answer["diversity"]["relevance_kept"] < 1  # of this list, not of the one it came from


def test_the_reason_is_told_in_chinese(as_alice, shop):
    make_item("手风琴", published_at=LONG_AGO)
    response = as_alice.get("/api/v1/recommendations/?limit=20", headers={"accept-language": "zh"})
    reasons = [row["reason"] for row in response.json()["results"]]
    [text] = [reason["text"] for reason in reasons if reason and reason["kind"] == "explored"]
    assert text == "几乎还没有人知道它：展示出来，看看谁会喜欢"


def test_one_seed_gives_one_list(as_alice, shop):
    for number in range(10):
        make_item(f"accordion number {number}", published_at=LONG_AGO)
    for seed in (1, 2):
        Served.objects.all().delete()  # the report tells what was in the last list
        first = ask(as_alice, limit=20, seed=seed)
        assert len(first["diversity"]["explored"]) == 1
        Served.objects.all().delete()
        again = ask(as_alice, limit=20, seed=seed)
        for answer in (first, again):
            del answer["id"], answer["next"]
        assert again == first


def test_an_item_like_one_that_was_disliked_is_not_tried(as_alice, alice, shop):
    disliked = make_item("red accordion with buttons")
    make_item("blue accordion with buttons", published_at=LONG_AGO)
    embed_and_learn()
    make_known([*shop, disliked])
    assert len(ask(as_alice, limit=20)["diversity"]["explored"]) == 1
    give(alice, disliked, "dislike")
    assert ask(as_alice, limit=20)["diversity"]["explored"] == []


def test_what_was_said_to_be_unwanted_is_not_tried(as_alice, shop):
    make_item("accordion", published_at=LONG_AGO)
    embed_and_learn()
    make_known(shop)
    assert len(ask(as_alice, limit=20)["diversity"]["explored"]) == 1
    wish = {"text": "accordion", "sign": "unwanted"}
    assert as_alice.post("/api/v1/me/wishes/", wish, format="json").status_code == 201
    assert ask(as_alice, limit=20)["diversity"]["explored"] == []


@pytest.mark.parametrize("seen", ["retired", "reacted"])
def test_what_may_not_be_shown_is_not_tried(as_alice, alice, shop, seen):
    accordion = make_item("accordion", published_at=LONG_AGO)
    if seen == "retired":
        accordion.is_available = False
        accordion.save(update_fields=["is_available"])
    else:
        give(alice, accordion, "view")
    assert ask(as_alice, limit=20)["diversity"]["explored"] == []


@pytest.mark.django_db(transaction=True)
def test_exploring_takes_no_statement_more(as_alice, alice, shop):
    give(alice, shop[0])
    make_item("accordion", published_at=LONG_AGO)
    with CaptureQueriesContext(connection) as queries:
        answer = ask(as_alice, limit=20)
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 6, sent
    assert len(answer["diversity"]["explored"]) == 1


# Counting.


def serve(person, items, *, days_ago: float = 0, explored=()) -> UUID:
    """A list as it was shown some days ago; ids begin with their moment."""
    moment = time.time() - days_ago * 86_400
    served = UUID(int=(int(moment * 1000) << 80) | (uuid7().int & ((1 << 80) - 1)))
    Served.objects.create(
        id=served,
        user=person,
        scenario="home",
        settings={},
        item_ids=[item.pk for item in items],
        relevance=[0.5] * len(items),
        report={"explored": list(explored)},
    )
    Served.objects.filter(pk=served).update(served_at=datetime.fromtimestamp(moment, UTC))
    return served


def counted(item) -> tuple[float, float] | None:
    row = Exposure.objects.filter(pk=item.pk).first()
    return row and (round(row.shown, 3), round(row.taken, 3))


@pytest.fixture
def two():
    return [make_item("accordion"), make_item("bassoon")]


def test_people_who_were_shown_an_item_are_counted_once_each(alice, bob, two):
    for person in (alice, alice, bob, None, None):  # whoever is not known counts each time
        serve(person, two)
    give(alice, two[0])
    give(bob, two[0], "dislike")
    learn.refresh_exposure()
    assert [counted(item) for item in two] == [(4, 1), (4, 0)]


def test_a_showing_counts_half_after_its_half_life(alice, bob, two):
    serve(alice, two[:1], days_ago=HALF_LIFE_DAYS)
    serve(bob, two[:1])
    give(alice, two[0])
    learn.refresh_exposure()
    assert counted(two[0]) == (1.5, 0.5)


def test_feedback_without_a_list_makes_an_item_known_too(alice, two):
    import_feedback(alice, two[0], days_ago=3000)
    learn.refresh_exposure()
    assert [counted(item) for item in two] == [(1, 1), None]


def test_what_was_taken_back_is_counted_no_more(as_alice, alice, two):
    serve(alice, two)
    row = give(alice, two[0])
    learn.refresh_exposure()
    as_alice.delete(f"/api/v1/feedback/{row.uuid}/")
    learn.refresh_exposure()
    assert counted(two[0]) == (1, 0)


def test_items_that_nobody_sees_any_more_are_forgotten(alice, two):
    served = serve(alice, two)
    learn.refresh_exposure()
    Served.objects.filter(pk=served).delete()
    learn.refresh_exposure()
    assert not Exposure.objects.exists()


def test_the_counting_is_work_that_waits_in_a_row(alice, two):
    serve(alice, two)
    tasks.plan("exposure")
    job = Job.objects.get(kind="exposure")
    tasks.exposure([job.pk])
    assert jobs.open_jobs("exposure") == 0
    assert counted(two[0]) == (1, 0)


def test_an_item_that_many_were_shown_in_vain_makes_room_for_others(as_alice, shop):
    dull, fresh = (make_item(name, published_at=LONG_AGO) for name in ("accordion", "bassoon"))
    store.put_exposure(
        np.array([item.pk for item in (*shop, dull)]), np.full(151, 1000.0), np.zeros(151)
    )
    answer = ask(as_alice, limit=20)
    [place] = answer["diversity"]["explored"]
    assert titles(answer)[place - 1] == fresh.title


# What an operator reads.


def report(**options) -> list[str]:
    out = StringIO()
    call_command("exposure", stdout=out, **options)
    return out.getvalue().splitlines()


def test_the_share_of_little_known_items_and_what_came_of_it(alice, bob, two):
    first = serve(alice, two, explored=[2])
    serve(bob, two)
    serve(bob, two, days_ago=40, explored=[1])
    give(alice, two[1], served_id=first)
    assert report() == [
        "2 lists of 30 days, 4 places",
        "to little known items: 1 places (25.0 %), 1 items",
        "answered by feedback: 100.0 % of these, 0.0 % of the others",
        "items that fewer than 50 people were shown or know: 2 of 2",
        "spread over the catalogue: 100.0 % of its items were shown, Gini 0.000",
        "lists of 2 people: two have 100.0 % in common",
    ]


def test_before_anything_was_served_the_report_says_none(two):
    assert report(days=7)[:2] == [
        "0 lists of 7 days, 0 places",
        "to little known items: 0 places (none), 0 items",
    ]
