"""What many are shown is read once for all of them, and says nothing that is no longer so."""

import socket
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from catalog import erasing, services
from catalog.models import Item
from recommender import embed, encoders, shared, steer, store
from recommender import search as search_story
from recommender.embeddings.encoder import EncoderUnavailable
from recommender.models import Scenario
from recommender.recommend import recommend
from recommender.search import search
from recommender.store import Source, candidates, orders
from tests.factories import give, make_item, make_person

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def valkey(settings, monkeypatch):
    """The real one, where nobody else keeps anything."""
    settings.SHARED_LISTS_SECONDS = 30
    settings.SHARED_URL = f"{settings.SHARED_URL.rpartition('/')[0]}/9"
    monkeypatch.setattr(shared, "valkey", shared.Valkey())
    with Redis.from_url(settings.SHARED_URL) as link:
        forget_all(link)
        yield link
        forget_all(link)


def forget_all(link: Redis) -> None:
    for key in link.scan_iter("shared:*"):
        link.delete(key)


@pytest.fixture
def shop():
    """Kettles and boots, the first of each the most popular and the newest."""
    items = [
        make_item(
            f"{kind} {n}", categories=[kind], creator=f"{kind} {n}",
            published_at=NOW - timedelta(days=n),
        )
        for n in range(15)
        for kind in ("kettle", "boots")
    ]  # fmt: skip
    put_popularity({item.pk: 1 - n / 100 for n, item in enumerate(items)})
    return items


def put_popularity(scores: dict[int, float]) -> None:
    numbers = np.array(list(scores.values()))
    store.replace_popularity(np.array(list(scores)), numbers, numbers)


def shown(user=None, **asked) -> list[str]:
    asked = {"limit": 10, "diversity": 0.0, "seed": 1} | asked
    found = recommend(user and user.pk, **asked)
    return [row.facts.title for row in found.results]


def first(order: str) -> int:
    return int(store.find(None, [Source(1.0, order=order, limit=5)], seen=[], limit=5).ids[0])


def in_valkey(link: Redis) -> dict[bytes, bytes]:
    return {key: link.dump(key) for key in link.scan_iter("shared:*") if key != b"shared:counts"}


def kettles(user=None, **asked) -> list[str]:
    return shown(user, filter='category = "kettle"', **asked)


# --- the same as without -----------------------------------------------------------------------


@pytest.mark.parametrize("filter", [None, 'category = "kettle"', 'category = "nothing"'])
@pytest.mark.parametrize("seen", [0, 7, 25])
def test_candidates_are_those_of_the_tables(shop, settings, filter, seen):
    only = filter and store.condition_in(filter)
    sources = [
        Source(weight=1.0, order="popular", limit=12),
        Source(weight=0.5, order="new", limit=12),
        Source(weight=0.2, order="trending", limit=5),
    ]
    known = [item.pk for item in shop[:seen]]
    asked = {"seen": known[::2], "beside": known[1::2], "limit": 20, "only": only}
    from_tables = candidates.find(None, sources, **asked)
    for _ in ("cold", "warm"):
        found = store.find(None, sources, **asked)
        assert found.ids.tolist() == from_tables.ids.tolist()
        assert found.sources.tolist() == from_tables.sources.tolist()


def test_whoever_has_seen_nearly_all_of_it_is_answered_by_the_tables(shop, monkeypatch):
    monkeypatch.setattr(orders, "SPARE", 2)
    sources = [Source(weight=1.0, order="popular", limit=10)]
    known = [item.pk for item in shop[:5]]
    found = store.find(None, sources, seen=known, limit=10)
    assert found.ids.tolist() == [item.pk for item in shop[5:15]]


def test_warm_a_list_by_a_filter_takes_no_statement_more_and_cold_one(shop):
    taken = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            kettles()
        texts = [query["sql"] for query in seen]
        taken.append(sum(" listed ORDER BY number" in text for text in texts))
        # 1 the person side, 2 the orders where they are not there, 3 candidates, 4 facts,
        # 5 what is kept
        assert len([t for t in texts if not t.startswith(("SAVEPOINT", "RELEASE"))]) <= 5
    assert taken == [1, 0]


# --- the right to be shown is asked for each time ------------------------------------------------


def test_an_item_that_is_hidden_is_gone_at_the_next_request_though_all_is_warm(shop):
    assert shown()[0] == kettles()[0] == "kettle 0"
    shop[0].is_available = False
    services.save_item(shop[0])
    assert "kettle 0" not in shown()
    assert "kettle 0" not in kettles()


def test_an_item_that_leaves_the_category_is_gone_from_its_list_at_once(shop):
    assert kettles()[0] == "kettle 0"
    shop[0].categories.clear()
    assert "kettle 0" not in kettles()
    assert "kettle 0" in shown()


def test_what_one_mutes_is_gone_at_once_and_stays_for_others(shop):
    alice, bob = make_person("alice"), make_person("bob")
    assert shown(alice)[:2] == shown(bob)[:2] == ["kettle 0", "boots 0"]
    steer.steer(alice.pk, action="mute", kind="category", target="kettle")
    assert not any(title.startswith("kettle") for title in shown(alice))
    assert shown(bob)[:2] == ["kettle 0", "boots 0"]


def test_what_one_hides_is_gone_at_once_and_stays_for_others(shop):
    alice, bob = make_person("alice"), make_person("bob")
    assert shown(alice)[0] == shown(bob)[0] == "kettle 0"
    give(alice, shop[0], "hide")
    assert "kettle 0" not in shown(alice)
    assert shown(bob)[0] == "kettle 0"


def test_whoever_withdraws_consent_gets_the_list_of_anybody_at_once(shop):
    alice = make_person("alice")
    embed.embed_everything()
    give(alice, shop[-1])  # boots 14
    assert shown(alice)[0].startswith("boots")
    anybody = shown()
    services.set_consent(alice, False)
    assert shown(alice) == anybody


def test_a_new_item_is_among_the_new_at_once(shop):
    assert first("new") == shop[0].pk
    lamp = make_item("lamp", published_at=NOW + timedelta(days=1))
    assert first("new") == lamp.pk


# --- for how long ---------------------------------------------------------------------------------


def test_what_became_popular_is_found_when_the_former_list_is_no_longer_fresh(shop, settings):
    assert first("popular") == shop[0].pk
    put_popularity({item.pk: 0.1 + n / 100 for n, item in enumerate(shop)})
    assert first("popular") == shop[0].pk
    settings.SHARED_LISTS_SECONDS = 0.001
    assert first("popular") == shop[-1].pk


def test_a_scenario_that_is_edited_is_another_list_at_once(shop):
    row = Scenario.objects.create(slug="kitchen", kind="popular", filter='category = "kettle"')
    assert shown(scenario="kitchen")[0] == "kettle 0"
    row.filter = 'category = "boots"'
    row.save()
    assert shown(scenario="kitchen")[0] == "boots 0"


# --- what lies there ------------------------------------------------------------------------------


def test_what_is_kept_does_not_depend_on_who_asked(shop, valkey):
    alice, bob = make_person("alice"), make_person("bob")
    steer.steer(alice.pk, action="more", kind="category", target="boots")
    give(bob, shop[0], "hide")
    kept = []
    for person in (alice, bob, None):
        forget_all(valkey)
        shown(person)
        kettles(person)
        kept.append(in_valkey(valkey))
    assert kept[0] == kept[1] == kept[2]
    assert len(kept[0]) == 2


def test_who_mutes_something_fills_nothing(shop, valkey):
    alice = make_person("alice")
    steer.steer(alice.pk, action="mute", kind="category", target="kettle")
    shown(alice)
    assert in_valkey(valkey) == {}


def test_of_somebody_erased_nothing_is_left(shop, valkey):
    alice = make_person("alice")
    embed.embed_everything()
    shown(alice)
    search("alicesecret kettles")
    erasing.erase(alice.pk)
    held = in_valkey(valkey)
    assert held  # what is there is of everybody
    for key, value in held.items():
        for word in (b"alice", str(alice.uuid).encode(), b"secret"):
            assert word not in key + value


@pytest.mark.parametrize("held", [b"", b"\x80\x04pickle", b"[1]", b"{", b'[["a"]]'])
def test_a_damaged_list_is_read_anew(shop, valkey, held):
    before = shown()
    [(key, _)] = in_valkey(valkey).items()
    valkey.set(key, valkey.get(key)[:32] + held, ex=60)
    assert shown() == before


# --- search ---------------------------------------------------------------------------------------


@pytest.fixture
def kitchen() -> list[Item]:
    items = [make_item(f"{colour} kettle") for colour in ("red", "blue", "green")]
    embed.embed_everything()
    return items


@pytest.fixture
def asked_of_encoder(monkeypatch) -> list[str]:
    """The texts that the encoder was asked for."""
    texts, encode = [], search_story.encode_queries

    def count(space, queries):
        texts.extend(queries)
        return encode(space, queries)

    monkeypatch.setattr(search_story, "encode_queries", count)
    return texts


def titles(query: str) -> list[str]:
    return [facts.title for facts in search(query, limit=10).items]


def test_the_same_words_are_encoded_once_whoever_searches(kitchen, asked_of_encoder):
    first = titles("red kettle")
    assert titles("red kettle") == titles(" red kettle ") == first
    assert asked_of_encoder == ["red kettle"]


def test_what_is_kept_of_a_query_is_bit_by_bit_what_was_encoded(kitchen):
    space = store.active_space()
    raw = encoders.encode_queries(space, ["red kettle"])
    for _ in ("cold", "warm"):
        kept = encoders.query_vector(
            space, "red kettle", lambda: encoders.encode_queries(space, ["red kettle"])
        )
        assert kept.shape == raw.shape
        assert (kept == raw).all()


def test_words_that_were_searched_for_are_found_by_meaning_while_the_encoder_is_away(
    kitchen, monkeypatch
):
    def down(space, texts):
        raise EncoderUnavailable("no answer")

    search("red kettle")
    monkeypatch.setattr(search_story, "encode_queries", down)
    assert search("red kettle").by_meaning
    assert not search("green kettle").by_meaning


def test_another_space_has_vectors_of_its_own_at_once(kitchen, asked_of_encoder):
    search("red kettle")
    embed.create_space(name="other")
    search("red kettle")
    assert asked_of_encoder == ["red kettle"] * 2


def test_a_hidden_item_is_not_found_though_its_query_is_warm(kitchen):
    assert "red kettle" in titles("red kettle")
    kitchen[0].is_available = False
    services.save_item(kitchen[0])
    assert "red kettle" not in titles("red kettle")


@pytest.mark.parametrize("held", [b"", b"\x00" * 7, b"\x00" * 4, b"\xff" * 4 * 384, b"\x80\x04."])
def test_a_damaged_vector_is_encoded_anew(kitchen, valkey, asked_of_encoder, held):
    search("red kettle")
    [(key, _)] = in_valkey(valkey).items()
    valkey.set(key, valkey.get(key)[:32] + held, ex=60)
    assert search("red kettle").by_meaning
    assert asked_of_encoder == ["red kettle"] * 2


# --- without Valkey -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_without_valkey_every_page_answers(shop, client, settings, monkeypatch, how):
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.SHARED_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/1"
        if how == "stopped":
            server.close()
        monkeypatch.setattr(shared, "valkey", shared.Valkey())
        addresses = ["/", "/search/?q=kettle", "/start/", f"/items/{shop[0].uuid}/"]
        for address in addresses * 2:
            assert client.get(address).status_code == 200
    assert shared.counts() == []
