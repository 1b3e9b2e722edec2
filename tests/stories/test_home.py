"""What an app asks of lists: a whole home screen, what to leave out, lists from picked items."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Consent, Feedback
from recommender.models import Scenario, Served
from tests.api.test_errors import is_problem
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db
LISTS, HOME = "/api/v1/recommendations/", "/api/v1/home/"


@pytest.fixture
def shop():
    items = {
        f"{what} {n}": make_item(f"{what} {n}", categories=[what], creator=f"{what} maker {n}")
        for what in ("kettle", "boots", "lamp")
        for n in range(12)
    }
    Scenario.objects.create(slug="home", position=1)
    for position, kind in enumerate(("fresh", "trending", "because", "similar", "category"), 2):
        Scenario.objects.create(slug=kind, kind=kind, position=position)
    embed_and_learn()
    return items


def ask(client, path: str = LISTS, **query) -> dict:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(row: dict) -> list[str]:
    return [shown["item"]["id"] for shown in row["results"]]


def titles(row: dict) -> list[str]:
    return [shown["item"]["title"] for shown in row["results"]]


# --- a home screen ------------------------------------------------------------------------------


def test_a_home_screen_has_no_item_twice_and_each_row_is_a_list_of_its_own(as_alice, alice, shop):
    give(alice, shop["kettle 0"])
    rows = ask(as_alice, HOME, scenarios="home,fresh,trending,because", limit=8)["rows"]
    assert [row["scenario"]["slug"] for row in rows] == ["home", "fresh", "trending", "because"]
    shown = [item for row in rows for item in ids(row)]
    assert len(shown) >= 24
    assert len(shown) == len(set(shown))
    assert len({row["id"] for row in rows}) == 4
    for row in rows:
        kept = Served.objects.get(pk=row["id"])
        assert (kept.user_id, kept.scenario) == (alice.pk, row["scenario"]["slug"])


def test_further_pages_of_a_row_show_nothing_of_the_other_rows(as_alice, shop):
    first, second = ask(as_alice, HOME, scenarios="home,fresh", limit=8)["rows"]
    for row, other in ((first, second), (second, first)):
        further = ask(as_alice, cursor=row["next"], limit=40)
        assert len(ids(further)) == 36 - 16
        assert further["scenario"]["slug"] == row["scenario"]["slug"]
        assert not set(ids(further)) & {*ids(row), *ids(other)}


def test_each_row_is_what_its_scenario_gives_but_for_what_stands_above(as_alice, alice, shop):
    give(alice, shop["kettle 0"])
    alone = ask(as_alice, scenario="home", limit=8, seed=1)
    home, fresh = ask(as_alice, HOME, scenarios="home,fresh", limit=8, seed=1)["rows"]
    assert titles(home) == titles(alone)
    left = ask(as_alice, scenario="fresh", limit=8, seed=1, exclude=",".join(ids(home)))
    assert titles(fresh) == titles(left)


def test_without_names_a_screen_has_all_places_that_need_nothing(as_alice, shop):
    rows = ask(as_alice, HOME)["rows"]
    assert [row["scenario"]["slug"] for row in rows] == ["home", "fresh", "trending", "because"]


@pytest.mark.parametrize(
    "scenarios",
    ["home,nowhere", "home,home", "home,similar", "home,category", "a,b,c,d,e,f,g", ","],
)
def test_a_row_that_cannot_be_made_is_refused_and_nothing_is_kept(as_alice, shop, scenarios):
    answer = as_alice.get(HOME, {"scenarios": scenarios})
    assert is_problem(answer, 400)
    assert answer.json()["errors"][0]["field"] == "scenarios"
    assert not Served.objects.exists()


def test_a_screen_reads_the_person_once_whatever_the_number_of_rows_and_items(
    as_alice, alice, shop
):
    give(alice, shop["kettle 0"])
    counts = []
    for limit in (2, 12):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ask(as_alice, HOME, scenarios="home,fresh,trending,because", limit=limit)
        counts.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
    # token, person, the other places, what was touched; what is near what was liked, once for all
    # rows, and near what the last of them is about; candidates of each row; facts, lists
    assert counts == [3 + 1 + 2 + 4 + 2] * 2


def test_the_last_list_is_the_first_row(as_alice, alice, shop):
    rows = ask(as_alice, HOME, scenarios="home,fresh", limit=5)["rows"]
    newest = Served.objects.filter(user=alice).order_by("-id").first()
    assert str(newest.pk) == rows[0]["id"]


# --- what to leave out, and what to answer ------------------------------------------------------


def test_what_is_excluded_comes_on_no_page_and_why_not_says_so(as_alice, shop):
    out = [str(shop[f"kettle {n}"].uuid) for n in range(5)]
    first = ask(as_alice, exclude=",".join(out), limit=30)
    second = ask(as_alice, cursor=first["next"])
    assert len(ids(first) + ids(second)) == 31
    assert not set(out) & {*ids(first), *ids(second)}
    found = ask(as_alice, f"{LISTS}{first['id']}/why-not/{out[0]}/")
    assert found["stage"] == "excluded"


def test_why_not_names_the_other_row_that_shows_an_item(as_alice, shop):
    first, second = ask(as_alice, HOME, scenarios="home,fresh", limit=8)["rows"]
    found = ask(as_alice, f"{LISTS}{second['id']}/why-not/{ids(first)[0]}/")
    assert found["stage"] == "beside"


@pytest.mark.parametrize("name", ["exclude", "items"])
@pytest.mark.parametrize("ids", ["7", "x,y", ",", "1 OR 1=1"])
def test_what_is_no_list_of_ids_is_refused(as_alice, name, ids):
    assert is_problem(as_alice.get(LISTS, {name: ids}), 400)


def test_so_many_ids_and_no_more(as_alice, shop):
    many = ",".join(str(uuid.uuid4()) for _ in range(101))
    assert is_problem(as_alice.get(LISTS, {"exclude": many}), 400)
    assert ids(ask(as_alice, exclude=",".join(many.split(",")[:100])))


def test_only_the_fields_and_reasons_asked_for_come(as_alice, alice, shop):
    give(alice, shop["kettle 0"])
    whole = ask(as_alice, limit=5, seed=1)
    bare = ask(as_alice, limit=5, seed=1, fields="title", reasons="false")
    assert any(row["reason"] for row in whole["results"])
    assert [row["reason"] for row in bare["results"]] == [None] * 5
    assert {tuple(row["item"]) for row in bare["results"]} == {("id", "title")}
    further = ask(as_alice, cursor=bare["next"], fields="title")
    assert {tuple(row["item"]) for row in further["results"]} == {("id", "title")}
    assert is_problem(as_alice.get(LISTS, {"fields": "title,price_paid"}), 400)
    [row] = ask(as_alice, HOME, scenarios="home", fields="kind", reasons="false")["rows"]
    assert {tuple(shown["item"]) for shown in row["results"]} == {("id", "kind")}


# --- from picked items --------------------------------------------------------------------------


def test_picked_items_make_a_list_whatever_the_person_likes(as_alice, alice, shop):
    for n in range(5):
        give(alice, shop[f"boots {n}"])
    picked = [str(shop[f"kettle {n}"].uuid) for n in range(3)]
    found = ask(as_alice, items=",".join(picked), limit=8, diversity=0)
    assert {title.split()[0] for title in titles(found)} == {"kettle"}
    assert not set(picked) & set(ids(found))
    texts = [row["reason"]["text"] for row in found["results"] if row["reason"]]
    assert any("kettle" in text for text in texts)
    assert not any("you liked" in text for text in texts)


def test_further_pages_go_by_the_same_picks(as_alice, shop):
    picked = ",".join(str(shop[f"lamp {n}"].uuid) for n in range(2))
    first = ask(as_alice, items=picked, limit=5, diversity=0)
    further = ask(as_alice, cursor=first["next"])
    assert {title.split()[0] for title in titles(first) + titles(further)} == {"lamp"}
    assert not set(ids(first)) & set(ids(further))
    again = ask(as_alice, cursor=first["next"])
    assert ids(again) == ids(further)
    texts = [row["reason"]["text"] for row in again["results"] if row["reason"]]
    assert not any("you liked" in text for text in texts)


def test_picks_need_no_consent_and_are_no_feedback(as_alice, alice, shop):
    Consent.objects.all().delete()
    picked = str(shop["kettle 0"].uuid)
    found = ask(as_alice, items=picked, limit=8, diversity=0)
    assert {title.split()[0] for title in titles(found)} == {"kettle"}
    assert not Feedback.objects.exists()
    assert not set(titles(ask(as_alice, limit=8, diversity=0))) >= set(titles(found))


def test_what_was_muted_or_hidden_stays_out_of_a_list_from_picks(as_alice, alice, shop):
    as_alice.post(
        "/api/v1/me/steering/",
        {"action": "mute", "kind": "creator", "target": "kettle maker 1"},
        format="json",
    )
    give(alice, shop["kettle 2"], "hide")
    found = titles(ask(as_alice, items=str(shop["kettle 0"].uuid), limit=40))
    assert "kettle 3" in found
    assert not {"kettle 1", "kettle 2"} & set(found)


def test_an_item_that_is_not_there_cannot_be_picked(as_alice, shop):
    missing = str(uuid.uuid4())
    answer = as_alice.get(LISTS, {"items": f"{shop['kettle 0'].uuid},{missing}"})
    assert is_problem(answer, 400)
    assert missing in answer.json()["detail"]


def test_a_list_from_picks_takes_no_more_statements_than_another(as_alice, shop):
    for n in (1, 12):
        picked = ",".join(str(shop[f"kettle {i}"].uuid) for i in range(n))
        with CaptureQueriesContext(connection) as queries:
            ask(as_alice, items=picked)
        assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) == 6
