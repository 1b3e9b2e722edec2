"""What a list is about: a person's own mix, topics, and the same thing shown but once."""

import numpy as np
import pytest

from recommender import embed, evaluate, store
from recommender.evaluation.metrics import miscalibration
from recommender.evaluation.replay import list_for, look_back, rows_by_person
from recommender.models import ItemTopic, Served, Topic
from recommender.ranking.assemble import membership
from recommender.ranking.pipeline import Rules
from recommender.recommend import recommend, similar
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db


def about(item, *names: str, is_shared: bool = True) -> None:
    for name in names:
        topic, _ = Topic.objects.get_or_create(
            slug=name, defaults={"name": name, "is_shared": is_shared}
        )
        ItemTopic.objects.create(item=item, topic=topic, source="machine")


def ask(client, **query) -> dict:
    return client.get("/api/v1/recommendations/", {"limit": 10, "diversity": 0} | query).json()


def titles(answer: dict) -> list[str]:
    return [row["item"]["title"] for row in answer["results"]]


# A person's own mix.


@pytest.fixture
def shelf(alice):
    """Ten dramas and ten comedies; Alice liked three dramas and one comedy besides."""
    for kind in ("drama", "comedy"):
        for n in range(10):
            make_item(f"{kind} number {n}", categories=[kind])
    for n, kind in enumerate(["drama", "drama", "drama", "comedy"]):
        import_feedback(alice, make_item(f"{kind} of old, {n}", categories=[kind]), days_ago=9 - n)
    embed.embed_everything()


def kinds(answer: dict) -> list[str]:
    return [row["item"]["categories"][0]["slug"] for row in answer["results"]]


def test_a_calibrated_list_has_the_mix_of_what_the_person_liked(as_alice, shelf):
    shown = kinds(ask(as_alice, strategy="calibrated", diversity=1, limit=8))
    assert (shown.count("drama"), shown.count("comedy")) == (6, 2)


def test_another_person_gets_another_mix(as_bob, bob, shelf):
    for n in range(4):
        import_feedback(bob, make_item(f"comedy of bob {n}", categories=["comedy"]))
    embed.embed_everything()
    assert kinds(ask(as_bob, strategy="calibrated", diversity=1, limit=8)) == ["comedy"] * 8


def test_a_replayed_list_is_calibrated_as_a_live_one(alice, shelf):
    shown = recommend(alice.pk, limit=8, strategy="calibrated", diversity=1).results
    past = look_back(store.library(evaluate._space()), store.events())
    replayed = list_for(
        past,
        rows_by_person(past.events.people)[alice.pk],
        Rules(8, 1.0, "calibrated"),
        pool_size=250,
    )
    library = past.library
    of = membership(library.category_ids)
    liked = of[[past.of_item[int(item)] for item in past.events.items]]
    for items in ([row.facts.id for row in shown], replayed.tolist()):
        assert miscalibration(of[[past.of_item[item] for item in items]], liked) < 1e-3


# Topics.


def test_the_report_counts_topics_that_items_share(as_alice):
    one, two, three = (make_item(name) for name in ("kettle", "teapot", "boots"))
    about(one, "tea", "tin")
    about(two, "tea")
    about(three, "snow", is_shared=False)  # a keyword of one item is no topic
    report = ask(as_alice)["diversity"]
    assert report["distinct_topics"] == 2
    assert report["topic_distance"] == 0.5
    assert Served.objects.get().report["distinct_topics"] == 2


def test_xquad_answers_to_topics_of_what_was_liked(as_alice, alice):
    liked = make_item("a kettle", categories=["home"])
    about(liked, "tea")
    other = [make_item(f"plain thing {n}", categories=["home"]) for n in range(6)]
    teapot = make_item("old thing", categories=["home"], published_at="2001-01-01T00:00Z")
    about(teapot, "tea")
    give(alice, liked)
    plain = titles(ask(as_alice, limit=3))
    assert "old thing" not in plain
    assert "old thing" in titles(ask(as_alice, limit=3, strategy="xquad", diversity=1))
    assert len(other) == 6


# The same thing again.


@pytest.fixture
def editions():
    """One book in three editions, of which the second was read most, among other books."""
    said = "a stay on the mountain, with snow and tea"
    books = [
        make_item(title, description=said)
        for title in ("Magic", "Magic (Special Edition)", "The Magic")
    ]
    others = [make_item(f"{word} story", description=word) for word in ("boat", "horse", "train")]
    embed.embed_everything()
    numbers = np.array([0.4, 0.4, 0.2])
    store.replace_popularity(np.array([book.pk for book in books]), numbers, numbers)
    return books, others


def test_the_same_thing_stands_in_a_list_once_and_brings_the_others_along(as_alice, editions):
    books, others = editions
    answer = ask(as_alice)
    assert len(answer["results"]) == 1 + len(others)
    [row] = [row for row in answer["results"] if row["similar"]]
    assert row["item"]["id"] == str(books[0].uuid)
    assert {same["id"] for same in row["similar"]} == {str(books[1].uuid), str(books[2].uuid)}
    assert answer["diversity"]["relevance_kept"] == 1  # of lists without the same thing twice


def test_no_later_page_has_the_same_thing_again(as_alice, editions):
    page = ask(as_alice, limit=2)
    shown = titles(page)
    while page["next"]:
        page = as_alice.get("/api/v1/recommendations/", {"cursor": page["next"]}).json()
        assert page["results"]
        shown += titles(page)
    assert sorted(shown) == ["Magic", "boat story", "horse story", "train story"]


def test_the_more_popular_of_equals_is_shown(as_alice, editions):
    books, _ = editions
    numbers = np.array([0.2, 0.4, 0.2])
    store.replace_popularity(np.array([book.pk for book in books]), numbers, numbers)
    [row] = [row for row in ask(as_alice)["results"] if row["similar"]]
    assert row["item"]["id"] == str(books[1].uuid)


def test_why_not_says_that_it_was_the_same_thing(as_alice, editions):
    books, _ = editions
    served = ask(as_alice, limit=2)["id"]
    why = as_alice.get(f"/api/v1/recommendations/{served}/why-not/{books[1].uuid}/").json()
    assert why["stage"] == "duplicate"
    assert why["text"] == (
        "By relevance it stood at 2, but the same thing stands in the list already, or was more"
        " relevant."
    )


def test_similar_items_have_the_same_thing_once(editions):
    _, others = editions
    shown = similar(others[0].pk, limit=10)
    assert len(shown) == 3
    [row] = [row for row in shown if row.similar]
    assert len(row.similar) == 2


def test_nothing_is_hidden_where_all_differ(as_alice):
    for n in range(5):
        make_item(f"story number {n}", description="about a boat")
    embed_and_learn()
    answer = ask(as_alice)
    assert len(answer["results"]) == 5
    assert not any(row["similar"] for row in answer["results"])


def test_a_card_unfolds_what_is_the_same(client, editions):
    client.force_login(make_person("carol"))
    page = client.get("/").content.decode()
    assert page.count("and 2 similar") == 1


# Different people.


def test_different_people_get_different_lists():
    words = ("kettle", "boots", "tent")
    items = {w: [make_item(f"{w} number {n}", description=w) for n in range(12)] for w in words}
    people = {word: make_person(f"friend of {word}") for word in words}
    for word, person in people.items():
        for item in items[word][:3]:
            import_feedback(person, item)
    embed_and_learn()
    lists = {
        word: {row.facts.title.split()[0] for row in recommend(person.pk, limit=5).results[:3]}
        for word, person in people.items()
    }
    assert lists == {word: {word} for word in words}
    found = store.spread(1)
    assert found.people == 3
    assert found.in_common < 0.5
    assert found.coverage < 1


def test_people_to_whom_nothing_was_shown_have_nothing_in_common(alice):
    make_item("kettle")
    assert store.spread(1) == store.Spread(0.0, 0.0, 0, 0.0)
