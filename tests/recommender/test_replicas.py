"""Where the item side of a request is read; real replicas are in tests/faults/test_replicas.py."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.test import Client

from recommender import store
from recommender.store import replicas
from recsite.settings import database
from tests.factories import embed_and_learn, make_item, make_person
from tests.faults.installation import free_port

ANN = {"NAME": "medley", "USER": "ann", "PASSWORD": "p@ss"}


def test_one_host_is_read_from_a_url():
    entry = database("postgresql://ann:p%40ss@db.example:6543/medley")
    assert entry.items() >= (ANN | {"HOST": "db.example", "PORT": "6543"}).items()
    assert "target_session_attrs" not in entry["OPTIONS"]


def test_of_several_hosts_the_one_that_takes_writes_is_meant():
    entry = database("postgresql://ann:p%40ss@a.example:5432,[::1]:5433/medley")
    assert entry.items() >= (ANN | {"HOST": "a.example,::1", "PORT": "5432,5433"}).items()
    assert entry["OPTIONS"]["target_session_attrs"] == "read-write"


def test_options_of_a_url_go_to_the_server_beside_ours():
    options = database("postgresql://a,b/medley?target_session_attrs=primary&sslmode=require")[
        "OPTIONS"
    ]
    assert options["target_session_attrs"] == "primary"
    assert options["sslmode"] == "require"
    assert "statement_timeout" in options["options"]


@pytest.mark.parametrize(
    "url",
    ["mysql://h/n", "postgresql://h", "postgresql://h:port/n", "postgresql://u:s3cret@h/n?soon=1"],
)
def test_a_url_that_is_none_is_refused_without_its_password(url):
    with pytest.raises(ImproperlyConfigured, match="REPLICA_URLS: use postgresql://") as refusal:
        database(url, "REPLICA_URLS")
    assert "s3cret" not in str(refusal.value)


def test_of_a_replica_that_said_nothing_yet_nothing_is_expected():
    known = replicas.Freshness(["replica1"], lag_seconds=5)
    known.wrote(10.0, position=100)
    assert known.fresh(now=10.0) == []


def test_a_replica_is_as_fresh_as_what_it_replayed_and_ages_in_silence():
    known = replicas.Freshness(["one", "two"], lag_seconds=5)
    for moment in (10.0, 11.0, 12.0):
        known.wrote(moment, position=int(moment))
    known.replayed("one", position=12)
    known.replayed("two", position=11)
    assert (known.behind("one", now=13.0), known.behind("two", now=13.0)) == (1.0, 2.0)
    assert known.fresh(now=16.5) == ["one"]
    assert known.fresh(now=17.5) == []


def test_a_replica_that_failed_is_left_out_for_a_while():
    known = replicas.Freshness(["one"], lag_seconds=60)
    known.wrote(10.0, position=7)
    known.replayed("one", position=7)
    known.leave_out("one", until=20.0)
    assert (known.fresh(now=19.9), known.fresh(now=20.0)) == ([], ["one"])


@pytest.fixture
def shop(db):
    items = [make_item(f"Kettle number {n}") for n in range(30)]
    embed_and_learn()
    return items


@pytest.fixture
def gone(shop, settings, monkeypatch):
    """A replica that is believed to be fresh, and that nobody answers for."""
    settings.REPLICAS = ["replica1"]
    nobody = connections.settings["default"] | {"HOST": "127.0.0.1", "PORT": free_port()}
    connections["replica1"] = type(connections["default"])(nobody, "replica1")
    watch = replicas.Watch(["replica1"], lag_seconds=60)
    watch.begin = lambda: None
    watch.known.wrote(replicas.time.monotonic(), position=1)
    watch.known.replayed("replica1", position=1)
    monkeypatch.setattr(replicas, "watch", lambda: watch)
    yield watch
    del connections["replica1"]


def test_only_what_is_marked_is_read_on_a_replica_and_only_in_a_request_that_reads(gone):
    assert replicas.reader().alias == "default"
    with replicas.may_be_used():
        assert replicas.reader().alias == "replica1"
    assert replicas.reader().alias == "default"


def test_for_a_replica_that_is_gone_the_primary_answers_and_it_is_left_out(gone):
    with replicas.may_be_used():
        found = store.items_with_words("'kettle'", limit=5)
        assert replicas.reader().alias == "default"  # for the rest of the request
    assert found == store.items_with_words("'kettle'", limit=5)
    assert len(found) == 5
    assert gone.choose() is None
    assert [state.is_used for state in replicas.states()] == [False]


def test_what_was_hidden_since_it_was_found_is_not_shown(as_alice, shop, monkeypatch):
    found = store.find

    def find_then_hide(*args, **kwargs):
        known = found(*args, **kwargs)
        type(shop[0]).objects.filter(pk=int(known.ids[0])).update(is_available=False)
        monkeypatch.setattr(store, "find", found)
        return known

    monkeypatch.setattr(store, "find", find_then_hide)
    shown = [row["item"]["id"] for row in as_alice.get("/api/v1/recommendations/").data["results"]]
    [hidden] = type(shop[0]).objects.filter(is_available=False)
    assert str(hidden.uuid) not in map(str, shown)
    assert len(shown) == 19


def test_a_replica_searches_vectors_by_the_settings_that_the_primary_has_in_a_request(db):
    options = dict(part.split("=") for part in replicas.SCAN.split() if part != "-c")
    with connection.cursor() as cursor:
        store.person_side(None)
        for name, value in options.items():
            cursor.execute("SELECT current_setting(%s)", [name])
            assert cursor.fetchone() == (value,)
    assert set(options) == {"hnsw.iterative_scan", "hnsw.ef_search", "hnsw.max_scan_tuples"}


@pytest.mark.django_db(transaction=True)
def test_a_server_that_became_a_standby_is_left_and_writing_is_asked_for_again():
    from tests.conftest import client_of

    item, client = make_item("A kettle"), client_of(make_person("zoe"))
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    demoted = connection.connection
    said = {"item": str(item.uuid), "kind": "like"}
    refused = client.post("/api/v1/feedback/", said, format="json")
    assert (refused.status_code, refused["Retry-After"]) == (503, "2")
    assert demoted.closed  # or a pool would lend it again
    connection.close_if_unusable_or_obsolete()  # as between two requests
    assert client.post("/api/v1/feedback/", said, format="json").status_code == 201


def test_without_replicas_readiness_says_nothing_of_them(db):
    assert Client().get("/health/ready").json() == {"status": "ok"}
