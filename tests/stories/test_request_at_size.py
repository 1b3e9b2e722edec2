"""A request makes six statements, and searches by the index, at a thousand items and at 100,000."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import catalogue
from catalog.models import Item, User
from recommender import learn, store, train
from tests.conftest import client_of
from tests.statements import noted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]


def answered(client, **query) -> tuple[dict, list[str]]:
    """A list, and the statements that it took."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/api/v1/recommendations/", query)
    return response.json(), [
        query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")
    ]


@pytest.mark.parametrize("n_items", [1_000, 100_000])
def test_six_statements_at_any_size(settings, n_items):
    space = catalogue.fill(n_items, n_people=20)
    learn.refresh_popularity()
    train.activate(train.train(), force=True)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("ANALYZE")
        cursor.execute("RESET statement_timeout")
    person = User.objects.order_by("pk").first()
    client = client_of(person)
    client.get("/api/v1/recommendations/")  # a process reads what was learned once
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    with noted("found (item_id") as searches:
        body, sent = answered(client, limit=20)
    assert len(sent) == 6, [sql[:100] for sql in sent]
    assert len(body["results"]) == 20
    assert body["diversity"]["pool_size"] == settings.POOL_SIZE
    assert {row["reason"]["kind"] for row in body["results"]} & {"voted", "similar"}
    if n_items == 100_000:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {searches[0]}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert store.Space(space.id, space.dimension).index in plan
        assert "Seq Scan on recommender_itemembedding" not in plan

    # A tenth of the items passes: at 1,000 they are few, at 100,000 the index is read.
    body, sent = answered(client, limit=100, filter='category = "category-3"')
    assert len(sent) == 6, [sql[:100] for sql in sent]
    kinds = [[kind["slug"] for kind in row["item"]["categories"]] for row in body["results"]]
    assert all("category-3" in row for row in kinds)
    left = Item.objects.filter(categories__slug="category-3").exclude(feedback__user=person)
    assert len(kinds) == min(100, left.count())
