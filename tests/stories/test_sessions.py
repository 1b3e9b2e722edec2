"""Pages of a session: none repeated, none lost, while items appear, vanish, are muted and liked;
the next session has an order of its own, and a seed gives one back. No worker runs here."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from catalog import services
from catalog.models import Item
from recommender import sessions, steer, store
from recommender.models import Served
from recommender.recommend import recommend
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_category, make_item, make_person

LISTS = "/api/v1/recommendations/"
KINDS = ("kitchen", "outdoors", "music")


def make_shop(number: int) -> list[Item]:
    items = [
        make_item(f"{KINDS[n % 3]} thing {n}", categories=[KINDS[n % 3]], creator=f"Maker {n % 9}")
        for n in range(number)
    ]
    embed_and_learn()
    return items


@pytest.fixture
def shop(alice) -> list[Item]:
    items = make_shop(40)
    give(alice, items[0])
    give(alice, items[1])
    return items


def answer(client, **query) -> dict:
    response = client.get(LISTS, query)
    assert response.status_code == 200, response.json()
    return response.json()


def refused(response, status: int) -> dict:
    assert is_problem(response, status)
    return response.json()


def ids(page: dict) -> list[str]:
    return [row["item"]["id"] for row in page["results"]]


def pages(client, **query) -> list[dict]:
    """All of a session."""
    found = [answer(client, **query)]
    while found[-1]["next"]:
        found.append(answer(client, cursor=found[-1]["next"]))
    return found


# --- a session ----------------------------------------------------------------------------------


def test_paging_to_the_end_shows_everything_once(as_alice, shop):
    found = pages(as_alice, limit=7)
    shown = [item for page in found for item in ids(page)]
    assert sorted(shown) == sorted(str(item.uuid) for item in shop[2:])
    assert [len(ids(page)) for page in found] == [7, 7, 7, 7, 7, 3]


def test_the_pages_of_a_session_are_one_range_of_ids(as_alice, alice, shop):
    found = pages(as_alice, limit=15)
    rows = Served.objects.filter(user=alice).order_by("id")
    assert [str(row.pk) for row in rows] == [page["id"] for page in found]
    numbers = [row.pk.int for row in rows]
    assert [number - numbers[0] for number in numbers] == [0, 1, 2]
    assert numbers[0] % 2**16 == 0


def test_a_visitor_has_sessions_too(shop):
    first = recommend(None, limit=30)
    second = recommend(None, cursor=first.next)
    both = [row.facts.id for page in (first, second) for row in page.results]
    assert sorted(both) == sorted(item.pk for item in shop)
    assert second.next is None


def test_a_page_goes_by_what_the_session_was_begun_with(as_alice, alice, shop):
    asked = {"limit": 4, "strategy": "dpp", "budget": 0.1, "max_per_creator": 1}
    first = answer(as_alice, **asked, filter='category in ("kitchen", "music")')
    second = answer(as_alice, cursor=first["next"])
    slugs = {c["slug"] for row in second["results"] for c in row["item"]["categories"]}
    assert slugs <= {"kitchen", "music"}
    of_first, of_second = (Served.objects.get(pk=page["id"]).settings for page in (first, second))
    assert of_second == of_first
    assert of_first["budget"] == 0.1
    assert second["seed"] == first["seed"]


def test_a_page_may_be_longer_than_the_one_before(as_alice, shop):
    first = answer(as_alice, limit=3)
    second = answer(as_alice, cursor=first["next"], limit=9)
    assert len(ids(second)) == 9
    assert not set(ids(first)) & set(ids(second))


def test_a_mute_between_pages_is_obeyed_by_the_next(as_alice, alice, shop):
    first = answer(as_alice, limit=5)
    steer.steer(alice.pk, action="mute", kind="category", target="kitchen")
    rest = pages(as_alice, cursor=first["next"])
    kitchen = {str(item.uuid) for item in shop if "kitchen" in item.title}
    shown = {item for page in rest for item in ids(page)}
    assert not shown & kitchen
    outside = {str(item.uuid) for item in shop[2:]} - kitchen
    assert shown == outside - set(ids(first))


def test_what_was_liked_between_pages_moves_the_next(as_alice, alice, shop):
    first = answer(as_alice, limit=5, diversity=0)
    before = answer(as_alice, cursor=first["next"])
    again = answer(as_alice, limit=5, diversity=0)
    assert ids(again) == ids(first)
    for item in shop[2::3][:6]:  # music
        if str(item.uuid) not in ids(first):
            give(alice, item)
    after = answer(as_alice, cursor=again["next"])
    assert ids(after) != ids(before)


# --- the same page twice ------------------------------------------------------------------------


def test_a_page_asked_for_twice_is_the_same_and_one_row(as_alice, shop):
    first = answer(as_alice, limit=10)
    page = answer(as_alice, cursor=first["next"])
    again = answer(as_alice, cursor=first["next"])
    assert again == page
    assert Served.objects.count() == 2


def test_a_page_asked_for_again_is_without_what_is_gone_muted_or_hidden(as_alice, alice, shop):
    first = answer(as_alice, limit=10)
    page = answer(as_alice, cursor=first["next"])
    gone, hidden, liked = (Item.objects.get(uuid=item) for item in ids(page)[:3])
    services.remove_items([gone.pk])
    give(alice, hidden, "hide")
    give(alice, liked)
    left = [
        row
        for row in page["results"]
        if row["item"]["id"] not in (str(gone.uuid), str(hidden.uuid))
    ]
    assert answer(as_alice, cursor=first["next"])["results"] == left
    muted = left[-1]["item"]["categories"][0]["slug"]
    steer.steer(alice.pk, action="mute", kind="category", target=muted)
    stays = [row for row in left if row["item"]["categories"][0]["slug"] != muted]
    assert answer(as_alice, cursor=first["next"])["results"] == stays


@pytest.mark.django_db(transaction=True)
def test_a_page_asked_for_twice_at_once_is_one_page(as_alice, alice, shop):
    first = recommend(alice.pk, limit=5, exploration=0.5)
    # Both find the page unmade, since neither looks for candidates before both have begun.
    barrier, find = Barrier(2, timeout=20), store.find

    def together(*given, **named):
        barrier.wait()
        return find(*given, **named)

    def ask(_) -> tuple:
        try:
            found = recommend(alice.pk, cursor=first.next)
            return found.id, found.next, [row.facts.id for row in found.results]
        finally:
            connection.close()

    with patch.object(store, "find", together), ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, range(2))
    assert one == other
    assert Served.objects.filter(user=alice).count() == 2


# --- bad cursors --------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["x", "\x00", "a:b", "0" * 999, "0" * 1001, "页"])
def test_a_cursor_that_nobody_gave_is_refused(as_alice, shop, cursor):
    assert is_problem(as_alice.get(LISTS, {"cursor": cursor}), 400)
    assert not Served.objects.exists()


def test_a_cursor_of_somebody_else_is_refused(as_alice, as_bob, shop):
    first = answer(as_alice, limit=5)
    body = refused(as_bob.get(LISTS, {"cursor": first["next"]}), 400)
    assert body["errors"][0]["field"] == "cursor"
    forged = first["next"][:-1] + ("A" if first["next"][-1] != "A" else "B")
    assert is_problem(as_alice.get(LISTS, {"cursor": forged}), 400)
    assert Served.objects.count() == 1


def test_a_session_ends_after_a_day(as_alice, shop):
    first = answer(as_alice, limit=5)
    later = datetime.now(UTC) + timedelta(hours=25)
    with patch.object(sessions, "datetime", **{"now.return_value": later}):
        body = refused(as_alice.get(LISTS, {"cursor": first["next"]}), 400)
    assert "day" in body["detail"]
    Served.objects.all().delete()  # as retention does
    assert is_problem(as_alice.get(LISTS, {"cursor": first["next"]}), 400)
    assert not Served.objects.exists()


@pytest.mark.parametrize(
    "query", [{"diversity": 0.2}, {"seed": 1}, {"scenario": "home"}, {"filter": "price < 1"}]
)
def test_a_cursor_goes_with_nothing_but_a_limit(as_alice, shop, query):
    first = answer(as_alice, limit=5)
    body = refused(as_alice.get(LISTS, {"cursor": first["next"]} | query), 400)
    assert [error["field"] for error in body["errors"]] == list(query)
    assert Served.objects.count() == 1


# --- seed and rotation --------------------------------------------------------------------------


def test_a_seed_gives_the_same_list_again(as_alice, shop, settings):
    settings.ROTATION, settings.EXPLORATION_SHARE = 0.2, 0.2
    for seed in (0, 2**63 - 1):
        one, again = (answer(as_alice, seed=seed) for _ in range(2))
        assert ids(one) == ids(again)
        assert one["seed"] == seed
    drawn = answer(as_alice)
    assert ids(answer(as_alice, seed=drawn["seed"])) == ids(drawn)
    assert drawn["seed"] < 2**53


def test_the_next_session_has_another_order(as_alice, shop, settings):
    settings.ROTATION = 0.2
    orders = {tuple(ids(answer(as_alice, diversity=0))) for _ in range(4)}
    assert len(orders) > 1
    settings.ROTATION = 0.0
    orders = {tuple(ids(answer(as_alice, diversity=0))) for _ in range(4)}
    assert len(orders) == 1


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**30, "x", 0.5])
def test_a_seed_out_of_range_is_refused(as_alice, shop, seed):
    body = refused(as_alice.get(LISTS, {"seed": seed}), 400)
    assert body["errors"][0]["field"] == "seed"
    assert not Served.objects.exists()


# --- statements ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 60])
def test_each_page_takes_six_statements_at_most(db, size):
    person = make_person("carol")
    items = make_shop(size)
    give(person, items[0])
    client, cursor, counts = client_of(person), None, []
    client.get(LISTS)  # the token's use is noted once a day
    for asked in ({"limit": 4}, {}, {}):
        query = asked if cursor is None else {"cursor": cursor}
        with CaptureQueriesContext(
            connection,
        ) as captured:
            page = answer(client, **query)
        counts.append(statements(captured))
        if cursor is not None:
            with CaptureQueriesContext(connection) as captured:
                answer(client, cursor=cursor)  # the same again
            counts.append(statements(captured))
        cursor = page["next"]
    # token, person side, items touched, candidates, facts, served; again: without the candidates
    # and served, with what may still be shown
    assert counts == [6, 6, 5, 6, 5]


def statements(captured: CaptureQueriesContext) -> int:
    texts = [query["sql"] for query in captured.captured_queries]
    return sum(not text.startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for text in texts)


# --- while everything moves ---------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["page", "page", "page", "appear", "vanish", "like", "hide", "mute", "undo"]
        ),
        st.integers(0, 99),
    ),
    max_size=14,
)


class Moving(TestCase):
    """Whatever happens between pages, none is repeated and none that may be shown is lost."""

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(events=EVENTS, limit=st.integers(1, 6), seed=st.integers(0, 2**63 - 1))
    def test_none_is_repeated_and_none_is_lost(self, events, limit, seed):
        person = make_person("dave")
        items = [make_item(f"{KINDS[n % 3]} {n}", categories=[KINDS[n % 3]]) for n in range(12)]
        give(person, items[0])
        page = recommend(person.pk, limit=limit, seed=seed, rotation=0.2, exploration=0.2)
        shown, touched, muted = shown_of(page), {items[0].pk}, set()
        for what, number in [*events, *[("page", 0)] * 40]:
            item = items[number % len(items)]
            if what == "page" and page.next:
                page = recommend(person.pk, cursor=page.next)
                shown += shown_of(page)
            elif what == "appear" and page.next:
                items.append(make_item(f"new {number}", categories=[KINDS[number % 3]]))
            elif what == "vanish":
                services.remove_items([item.pk])
            elif what in ("like", "hide"):
                if Item.objects.filter(pk=item.pk, removed_at=None).exists():
                    give(person, item, what)
                    touched.add(item.pk)
            elif what == "mute":
                if page.next and shows(slug := KINDS[number % 3]):
                    steer.steer(person.pk, action="mute", kind="category", target=slug)
                    muted.add(slug)
            elif what == "undo" and page.next:
                for steered in steer.steered_by(person.pk):
                    steer.undo(person.pk, steered.id)
                muted.clear()
        assert len(shown) == len(set(shown))
        assert page.next is None
        there = Item.objects.filter(removed_at=None).exclude(categories__slug__in=muted)
        assert set(there.values_list("pk", flat=True)) - touched <= set(shown)


def shown_of(page) -> list[int]:
    return [row.facts.id for row in page.results]


def shows(slug: str) -> bool:
    return Item.objects.filter(categories=make_category(slug), removed_at=None).exists()
