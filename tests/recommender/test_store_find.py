"""The pool of candidates, from one statement: the fusion in SQL is the one of the maths."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import services
from catalog.models import Item
from recommender import embed, store
from recommender.candidates.fusion import reciprocal_rank
from recommender.store import Source, candidates
from tests.factories import make_item

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def ids() -> list[int]:
    """Twelve items, each published a day before the one before it."""
    return [
        make_item(f"item {n}", published_at=NOW - timedelta(days=n), creator=f"maker {n % 5}").pk
        for n in range(12)
    ]


def found(*sources: Source, seen=(), limit: int = 100, space=None) -> list[int]:
    return store.find(space, sources, seen=seen, limit=limit).ids.tolist()


def popular(scores: dict[int, float]) -> None:
    numbers = np.array(list(scores.values()))
    store.replace_popularity(np.array(list(scores)), numbers, numbers / 2)


LIST = st.lists(st.integers(0, 11), max_size=12, unique=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(LIST, st.sampled_from([0.1, 0.3, 1.0])), min_size=1, max_size=5))
def test_sql_fuses_as_reciprocal_rank_does(ids, lists):
    rows = [np.array([ids[n] for n in row], dtype=np.int64) for row, _ in lists]
    weights = [weight for _, weight in lists]
    sources = [Source(weight=w, item_ids=row) for row, w in zip(rows, weights, strict=True)]
    assert found(*sources) == reciprocal_rank(rows, weights=weights).tolist()


def test_a_limit_keeps_the_best_fused(ids):
    a, b, c = ids[:3]
    sources = Source(weight=1, item_ids=[a, b]), Source(weight=1, item_ids=[c, b])
    assert found(*sources, limit=2) == [b, a]


def test_what_was_seen_is_left_out_and_keeps_its_rank(ids):
    a, b, c = ids[:3]
    # b stands second: 1/62 is less than the 1/61 of c.
    assert found(Source(weight=1, item_ids=[a, b]), Source(weight=1, item_ids=[c]), seen=[a]) == [
        c,
        b,
    ]


def test_what_is_hidden_or_removed_comes_from_no_source(ids):
    Item.objects.filter(pk=ids[0]).update(is_available=False)
    services.remove_items([ids[1]])
    embed.embed_everything()
    popular(dict.fromkeys(ids, 0.5))
    active = store.active_space()
    space = store.Space(active.id, active.dimension)
    vector = store.embedding_of(space, ids[2])
    for source in (
        Source(weight=1, item_ids=ids),
        Source(weight=1, order="popular"),
        Source(weight=1, order="new"),
        Source(weight=1, order="little_known"),
        Source(weight=1, vector=vector),
    ):
        assert sorted(found(source, space=space)) == sorted(ids[2:])


def test_newest_first(ids):
    assert found(Source(weight=1, order="new", limit=3)) == ids[:3]


def test_the_most_popular_first_equals_by_id_and_what_nobody_likes_not_at_all(ids):
    popular({ids[5]: 0.9, ids[4]: 0.5, ids[3]: 0.5, ids[2]: 0.5, ids[1]: 0.0})
    assert found(Source(weight=1, order="popular")) == [ids[5], ids[2], ids[3], ids[4]]
    assert found(Source(weight=1, order="popular", limit=2)) == [ids[5], ids[2]]


def test_little_known_are_the_last_that_came_whenever_they_were_published(ids):
    known = np.array(ids[10:])
    store.put_exposure(known, np.array([49.9, 50.0]), np.zeros(2))
    assert found(Source(weight=1, order="little_known")) == [*ids[10::-1]]
    assert found(Source(weight=1, order="little_known", limit=2)) == [ids[10], ids[9]]


def test_little_known_are_looked_for_among_so_many_that_came_last(ids, monkeypatch):
    monkeypatch.setitem(candidates.ORDERS, "little_known", candidates.little_known(latest=3))
    assert found(Source(weight=1, order="little_known")) == [*ids[:8:-1]]


def test_the_nearest_to_a_vector_first():
    kettles = [make_item(name).pk for name in ("blue kettle", "red kettle", "green boots")]
    embed.embed_everything()
    active = store.active_space()
    space = store.Space(active.id, active.dimension)
    vector = store.embedding_of(space, kettles[0])
    pool = store.find(space, [Source(weight=1, vector=vector)], seen=[kettles[0]], limit=5)
    assert pool.ids.tolist() == kettles[1:]
    assert (pool.vectors @ vector).tolist() == sorted(pool.vectors @ vector, reverse=True)


def test_a_pool_carries_what_ranking_needs():
    plain = make_item("plain", published_at=NOW)
    made = make_item("made", categories=["tea", "tin"], creator="Ann", published_at=NOW)
    popular({made.pk: 0.5})
    store.put_exposure(np.array([made.pk]), np.array([8.5]), np.array([1.25]))
    pool = store.find(None, [Source(weight=1, item_ids=[made.pk, plain.pk])], seen=[], limit=5)
    assert pool.ids.tolist() == [made.pk, plain.pk]
    assert pool.uuids == [made.uuid, plain.uuid]
    assert [sorted(row) for row in pool.category_ids] == [
        sorted(made.categories.values_list("pk", flat=True)),
        [],
    ]
    assert pool.creators.tolist() == [made.creators.get().pk, -1]
    assert pool.popularity.tolist() == [0.5, 0]
    assert pool.trend.tolist() == [0.25, 0]
    assert (pool.shown.tolist(), pool.taken.tolist()) == ([8.5, 0], [1.25, 0])
    assert pool.moments.tolist() == [NOW.timestamp()] * 2
    assert not pool.vectors.any()


def test_without_sources_or_without_a_space_for_a_vector_nothing_is_found(ids):
    assert found() == []
    assert found(Source(weight=1, vector=np.ones(3, dtype=np.float32))) == []
    assert found(Source(weight=1, item_ids=[])) == []


def test_the_index_looks_as_far_as_is_asked_for():
    items = [make_item(f"item {n}") for n in range(60)]
    embed.embed_everything()
    active = store.active_space()
    at = store.Space(active.id, active.dimension)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else no index can be made
        cursor.execute(f"DROP INDEX IF EXISTS {at.index}")
        cursor.execute(
            f"CREATE INDEX {at.index} ON recommender_itemembedding"
            f" USING hnsw ((embedding::halfvec({at.dimension})) halfvec_cosine_ops)"
            f" WHERE space_id = {at.id}"
        )
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        # So the index gives no more rows than it looks at, and would give one.
        cursor.execute("SET LOCAL hnsw.iterative_scan = off")
        cursor.execute("SET LOCAL hnsw.ef_search = 1")
    near = Source(weight=1, vector=store.embedding_of(at, items[0].pk), limit=50)
    assert len(found(near, space=at)) == 50


def test_what_every_list_asks_is_planned_once_and_nothing_else_is(ids):
    for n in range(7):
        found(Source(weight=1, item_ids=ids[n:]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%fused%'")
        assert cursor.fetchone() == (1,)
    assert connection.connection.prepare_threshold is None
