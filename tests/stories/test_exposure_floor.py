"""A floor of exposure that an operator sets: what few people are shown gains, day by day."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from recommender import learn
from recommender.models import Exposure, Served
from recommender.ranking.floor import BACK, MOST, STEP
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop(alice):
    """Twenty kettles, of which Alice likes one."""
    kettles = [make_item(f"kettle number {n}", creator=f"maker {n}") for n in range(20)]
    embed_and_learn()
    give(alice, kettles[0])
    return kettles


@pytest.fixture
def _floor(settings):
    settings.EXPOSURE_FLOOR = 1


def ask(client, **query) -> dict:
    return client.get(LISTS, {"limit": 5, "diversity": 0} | query).json()


def titles(answer: dict) -> list[str]:
    return [row["item"]["title"] for row in answer["results"]]


def a_day_goes_by() -> None:
    """After which the prices are set by the lists that were served since they were."""
    Exposure.objects.update(priced_at=F("priced_at") - timedelta(days=1, minutes=1))
    learn.refresh_exposure()
    Served.objects.all().delete()


def price(item) -> float | None:
    found = Exposure.objects.filter(pk=item.pk).values_list("price", flat=True).first()
    return found if found is None else round(found, 4)


def exposure_points(client, answer: dict) -> list[float]:
    """Of each item of a list."""
    found = []
    for row in answer["results"]:
        told = client.get(f"{LISTS}{answer['id']}/why/{row['item']['id']}/").json()
        assert sum(part["points"] for part in told["points"]) == told["relevance"]
        found.append(sum(p["points"] for p in told["points"] if p["part"] == "exposure"))
    return found


# The list.


@pytest.mark.usefixtures("_floor")
def test_in_a_few_days_lists_hold_items_that_nobody_was_shown(as_alice, shop):
    first = titles(ask(as_alice))
    seen = set(first)
    for _ in range(4):
        a_day_goes_by()
        answer = ask(as_alice)
        assert len(answer["results"]) == 5
        seen |= set(titles(answer))
    assert len(seen) > len(first)


def test_without_a_floor_lists_stay_as_they_are(as_alice, shop):
    first = ask(as_alice)
    for _ in range(4):
        a_day_goes_by()
        answer = ask(as_alice)
        assert titles(answer) == titles(first)
    assert exposure_points(as_alice, answer) == [0] * 5
    assert not Exposure.objects.filter(price__isnull=False).exists()


@pytest.mark.usefixtures("_floor")
def test_why_says_how_much_the_floor_added(as_alice, shop):
    a_day_goes_by()
    answer = ask(as_alice)
    assert all(points >= 1 for points in exposure_points(as_alice, answer))
    item = answer["results"][0]["item"]["id"]
    for language, text in [
        ("en", "Few people are shown it, and each item here is to have its chance"),
        ("zh", "看到它的人很少，而这里的每个条目都应有机会"),
    ]:
        told = as_alice.get(
            f"{LISTS}{answer['id']}/why/{item}/", headers={"accept-language": language}
        ).json()
        assert text in [part["text"] for part in told["points"]]


@pytest.mark.usefixtures("_floor")
def test_a_list_by_date_goes_by_date_alone(as_alice, shop):
    a_day_goes_by()
    answer = as_alice.get(LISTS, {"limit": 5, "preset": "chronological"}).json()
    assert len(answer["results"]) == 5
    assert exposure_points(as_alice, answer) == [0] * 5


@pytest.mark.usefixtures("_floor")
def test_lists_of_others_in_between_change_nothing_within_a_day(as_alice, shop):
    a_day_goes_by()
    first = ask(as_alice)
    for number in range(3):
        ask(client_of(make_person(f"person {number}")))
        learn.refresh_exposure()
    assert titles(ask(as_alice)) == titles(first)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_floor")
def test_it_takes_no_statement_more(as_alice, shop):
    a_day_goes_by()
    with CaptureQueriesContext(connection) as queries:
        ask(as_alice)
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 6, sent


# The prices.


@pytest.mark.usefixtures("_floor")
def test_what_nobody_is_shown_gains_and_what_somebody_is_shown_rests(as_alice, shop):
    shown = titles(ask(as_alice))
    a_day_goes_by()
    for item in shop:
        assert price(item) == pytest.approx(STEP if item.title in shown else 2 * STEP)


@pytest.mark.usefixtures("_floor")
def test_what_far_more_people_are_shown_than_the_floor_loses(shop):
    for number in range(5):
        ask(client_of(make_person(f"person {number}")), limit=1)
    [item_id] = {served.item_ids[0] for served in Served.objects.all()}
    a_day_goes_by()
    assert Exposure.objects.get(pk=item_id).price == pytest.approx(STEP - BACK)


@pytest.mark.usefixtures("_floor")
def test_one_person_who_asks_often_is_one_person(as_alice, shop, settings):
    settings.EXPOSURE_FLOOR = 2
    for _ in range(20):
        shown = titles(ask(as_alice))
    a_day_goes_by()
    assert {price(item) for item in shop if item.title in shown} == {2 * STEP}


@pytest.mark.usefixtures("_floor")
def test_prices_are_set_once_a_day_however_often_exposure_is_counted(shop):
    for _ in range(5):
        learn.refresh_exposure()
    assert {price(item) for item in shop} == {2 * STEP}


@pytest.mark.usefixtures("_floor")
def test_a_price_stays_while_nobody_is_shown_the_item_and_has_a_bound(shop):
    for _ in range(8):
        a_day_goes_by()
    assert {price(item) for item in shop} == {MOST}


@pytest.mark.usefixtures("_floor")
def test_an_item_that_came_after_the_prices_were_set_has_the_first_step(as_alice, shop):
    a_day_goes_by()
    fresh = make_item("kettle number 0")  # as the one that Alice likes
    embed_and_learn()
    answer = ask(as_alice, limit=20)
    [points] = [
        points
        for points, title in zip(exposure_points(as_alice, answer), titles(answer), strict=True)
        if title == fresh.title
    ]
    assert price(fresh) is None
    assert points == pytest.approx(100 * STEP, abs=1)


def test_a_floor_that_is_taken_away_takes_its_prices_along(shop, settings):
    settings.EXPOSURE_FLOOR = 1
    a_day_goes_by()
    assert {price(item) for item in shop} == {2 * STEP}
    settings.EXPOSURE_FLOOR = 0
    a_day_goes_by()
    assert {price(item) for item in shop} == {None}


# What an operator reads.


@pytest.mark.usefixtures("_floor")
def test_the_report_says_what_the_floor_does(as_alice, shop):
    def last_line() -> str:
        out = StringIO()
        call_command("exposure", stdout=out)
        return out.getvalue().splitlines()[-1]

    for _ in range(3):
        ask(as_alice)
        a_day_goes_by()
    assert last_line().startswith("floor of 1 people a day: 20 of 20 items are worth more for it")
