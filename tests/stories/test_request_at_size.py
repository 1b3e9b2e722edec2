"""A request makes six statements, and searches by the index, at a thousand items and at 100,000."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import catalogue
from catalog.models import User
from recommender import learn, store, train
from tests.conftest import client_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("n_items", [1_000, 100_000])
def test_six_statements_at_any_size(n_items):
    space = catalogue.fill(n_items, n_people=20)
    learn.refresh_popularity()
    train.activate(train.train(), force=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = client_of(User.objects.order_by("pk").first())
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/api/v1/recommendations/?limit=20")
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 6, [sql[:100] for sql in sent]
    body = response.json()
    assert len(body["results"]) == 20
    assert body["diversity"]["pool_size"] == 200
    assert {row["reason"]["kind"] for row in body["results"]} & {"voted", "similar"}
    if n_items == 100_000:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + next(sql for sql in sent if "found (item_id" in sql))
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert store.Space(space.id, space.dimension).index in plan
        assert "Seq Scan on recommender_itemembedding" not in plan
