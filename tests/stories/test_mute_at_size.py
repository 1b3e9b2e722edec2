"""What is muted is left out while the vector index is read, and nothing near is lost for it."""

from uuid import UUID

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import catalogue
from catalog.models import Category, Creator, Item
from recommender import store
from recommender.ranking.steered import Steer
from recommender.store import Source

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]
SIZE, NEAREST = 20_000, 200
OF = {"category": Category, "creator": Creator}


@pytest.mark.parametrize("muted", [("category",), ("creator",), ("category", "creator")])
def test_a_mute_keeps_the_vector_index_in_use_and_finds_what_is_near(muted):
    space = catalogue.fill(SIZE, n_people=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    ids = np.array(Item.objects.order_by("pk").values_list("pk", flat=True))
    vectors, allowed = catalogue.vectors(SIZE), np.ones(SIZE, dtype=bool)
    targets = {
        "category": Category.objects.earliest("pk"),
        "creator": Creator.objects.earliest("pk"),
    }
    steering = [Steer(UUID(int=n), "mute", kind, targets[kind].pk) for n, kind in enumerate(muted)]
    for kind in muted:
        left_out = targets[kind].items.values_list("pk", flat=True)
        allowed[np.searchsorted(ids, left_out)] = False
    assert allowed.sum() < SIZE
    recalls = []
    for row in range(0, SIZE, SIZE // 20):
        source = Source(weight=1, vector=vectors[row], limit=NEAREST)
        with CaptureQueriesContext(connection) as queries:
            found = store.find(space_of(space), [source], seen=[], limit=NEAREST, steering=steering)
        best = np.argsort(np.where(allowed, -(vectors @ vectors[row]), 9), kind="stable")[:NEAREST]
        recalls.append(len(np.intersect1d(ids[best], found.ids)) / NEAREST)
        assert np.isin(found.ids, ids[allowed]).all()
        assert len(found.ids) == NEAREST
    assert np.mean(recalls) > 0.95
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + next(q["sql"] for q in queries if "found (item_id" in q["sql"]))
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert space_of(space).index in plan
    assert "Seq Scan on recommender_itemembedding" not in plan
    assert "Seq Scan on catalog_item " not in plan


def space_of(space) -> store.Space:
    return store.Space(space.id, space.dimension)
