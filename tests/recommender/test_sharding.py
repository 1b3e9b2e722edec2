"""No statement of a request reads rows of people and rows of items at once, so that each side can
be spread over machines by its own key."""

import re

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recommender import learn
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db
# By person; a piece of feedback, a list and what was seen in it are the person's.
PEOPLE = {
    *("catalog_user", "catalog_consent", "catalog_feedback", "catalog_token", "catalog_session"),
    *("recommender_candidates", "recommender_interest", "recommender_interestchoice"),
    *("recommender_personfactors", "recommender_preference", "recommender_seenitem"),
    *("recommender_seenplaces", "recommender_served", "recommender_steering", "recommender_wish"),
}
ITEMS = {
    *("catalog_item", "catalog_item_categories", "catalog_itemcreator"),
    *("recommender_exposure", "recommender_itemembedding", "recommender_itemreading"),
    *("recommender_itemtopic", "recommender_itemwords", "recommender_learneditem"),
    *("recommender_popularity",),
}
# So few, or so seldom written, that every machine has all of them; and what no request reads.
EVERYWHERE = {
    *("catalog_attribute", "catalog_category", "catalog_creator", "catalog_serverkey"),
    *("recommender_calibration", "recommender_embeddingspace", "recommender_kindweight"),
    *("recommender_modelversion", "recommender_scenario", "recommender_scenariopin"),
    *("recommender_topic", "recommender_word", "recommender_commentsign"),
}
NO_REQUEST = {
    *("catalog_allowance", "catalog_archive", "catalog_archivepart", "catalog_erasure"),
    *("catalog_mail", "recommender_job", "catalog_user_groups", "catalog_user_user_permissions"),
}


def tables_of(statement: str) -> set[str]:
    return set(re.findall(r"\b(?:catalog|recommender)_[a-z_]+", statement))


@pytest.fixture
def shop(alice):
    items = [make_item(f"kettle {n}", categories=["kitchen"], creator="Ann") for n in range(30)]
    for item in items[:5]:
        give(alice, item)
    embed_and_learn()
    learn.refresh_person(alice.pk)
    return items


def test_each_table_of_ours_is_of_one_side():
    named = [PEOPLE, ITEMS, EVERYWHERE, NO_REQUEST]
    ours = {
        model._meta.db_table
        for label in ("catalog", "recommender")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    }
    assert sorted(ours) == sorted(table for side in named for table in side)


@pytest.mark.parametrize(
    "path",
    [
        "recommendations/",
        'recommendations/?filter=language = "en"&diversity=0.7',
        "recommendations/?items={item}",
        "items/{item}/similar/",
        "home/",
    ],
)
def test_no_statement_of_a_list_joins_people_and_items(as_alice, shop, path):
    with CaptureQueriesContext(
        connection,
    ) as sent:
        answer = as_alice.get(f"/api/v1/{path.format(item=shop[0].uuid)}")
    assert answer.status_code == 200
    read = [tables_of(query["sql"]) for query in sent]
    assert any(tables & PEOPLE for tables in read)
    assert any(tables & ITEMS for tables in read)
    for query, tables in zip(sent, read, strict=True):
        assert not (tables & PEOPLE and tables & ITEMS), query["sql"]


def test_learning_of_a_person_joins_neither(alice, shop):
    with CaptureQueriesContext(connection) as sent:
        learn.refresh_person(alice.pk)
    for query in sent:
        tables = tables_of(query["sql"])
        assert not (tables & PEOPLE and tables & ITEMS), query["sql"]
