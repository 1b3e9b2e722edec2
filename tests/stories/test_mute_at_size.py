"""What is muted is left out while the vector index is read, and nothing near is lost for it."""

from uuid import UUID

import numpy as np
import pytest
from django.db import connection, transaction

from bench import catalogue
from catalog.models import Category, Creator, Item
from recommender import store
from recommender.ranking.steered import Steer
from recommender.store import Source
from tests.statements import noted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]
SIZE, NEAREST = 20_000, 200


def test_a_mute_keeps_the_vector_index_in_use_and_finds_what_is_near():
    made = catalogue.fill(SIZE, n_people=1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    space = store.Space(made.id, made.dimension)
    ids = np.array(Item.objects.order_by("pk").values_list("pk", flat=True))
    vectors = catalogue.vectors(SIZE)
    targets = {
        "category": Category.objects.earliest("pk"),
        "creator": Creator.objects.earliest("pk"),
    }
    for muted in (("category",), ("creator",), ("category", "creator")):
        steering = [Steer(UUID(int=0), "mute", kind, targets[kind].pk) for kind in muted]
        allowed = np.ones(SIZE, dtype=bool)
        for kind in muted:
            left_out = targets[kind].items.values_list("pk", flat=True)
            allowed[np.searchsorted(ids, left_out)] = False
        assert allowed.sum() < SIZE
        recalls = []
        for row in range(0, SIZE, SIZE // 20):
            found, sent = found_near(space, vectors[row], steering)
            best = np.argsort(np.where(allowed, -(vectors @ vectors[row]), 9))[:NEAREST]
            recalls.append(len(np.intersect1d(ids[best], found)) / NEAREST)
            assert np.isin(found, ids[allowed]).all()
            assert len(found) == NEAREST
        assert np.mean(recalls) > 0.95
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sent)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert space.index in plan
        assert "Seq Scan on recommender_itemembedding" not in plan
        assert "Seq Scan on catalog_item " not in plan


def found_near(space, vector, steering) -> tuple[np.ndarray, str]:
    """Ids, and the statement that found them, by the settings of a request."""
    source = Source(weight=1, vector=vector, limit=NEAREST)
    with noted("found (item_id") as sent, transaction.atomic():
        store.person_side(None)
        found = store.find(space, [source], seen=[], limit=NEAREST, steering=steering)
    return found.ids, sent[0]
