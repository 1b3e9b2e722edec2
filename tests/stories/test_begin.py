"""Somebody new says a sentence, which becomes wishes that they can see, take back and undo."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from recommender import begin, embed, encoders, learn, store, train
from recommender.embeddings.encoder import EncoderUnavailable
from recommender.models import Job, Wish
from recommender.tasks import wish as task
from tests.conftest import client_of
from tests.factories import give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
WISHES = "/api/v1/me/wishes/"
SENTENCE = "slow kettles, nothing with boots"


@pytest.fixture
def shop():
    items = [make_item(name, categories=["kitchen"]) for name in ("blue kettle", "red kettle")]
    items += [make_item(name, categories=["outdoors"]) for name in ("rain boots", "sun hat")]
    embed.embed_everything()
    return items


def say(client, text, **more):
    return client.post(WISHES, {"text": text, **more}, format="json")


def signs(client) -> dict[str, str]:
    return {row["text"]: row["sign"] for row in client.get(WISHES).json()["results"]}


@pytest.fixture
def silent(monkeypatch):
    """The encoder does not answer."""

    def down(*_, **__):
        raise EncoderUnavailable("no answer")

    monkeypatch.setattr(begin, "encode_queries", down)


def test_a_sentence_becomes_wishes_with_their_signs(as_alice, alice, shop):
    answer = say(as_alice, SENTENCE)
    assert answer.status_code == 201
    assert signs(as_alice) == {"slow kettles": "wanted", "boots": "unwanted"}
    assert [row["text"] for row in answer.json()["results"]] == ["slow kettles", "boots"]
    assert not any(row["is_provisional"] for row in answer.json()["results"])
    assert not Job.objects.filter(kind="wish").exists()


def test_the_vector_of_a_wish_is_that_of_its_text_as_a_query(as_alice, shop):
    say(as_alice, "red kettles")
    space = store.active_space()
    raw = encoders.encode_queries(space, ["red kettles"])
    [wish] = Wish.objects.all()
    assert wish.space == space
    np.testing.assert_allclose(wish.embedding, begin._centred(space, raw)[0], atol=1e-3)


def test_a_kind_that_is_named_is_encoded_as_the_items_name_it(shop):
    from catalog.models import Category

    Category.objects.filter(slug="kitchen").update(names={"en": "Kitchen", "zh": "厨房"})
    kitchen = Category.objects.get(slug="kitchen").pk
    assert begin._understand(["安静的厨房用品", "quiet things"]) == [
        ("安静的厨房用品. Kitchen", [kitchen]),
        ("quiet things", []),
    ]


def test_what_is_said_twice_is_kept_once_and_the_opposite_replaces_it(as_alice, shop):
    say(as_alice, "Red Boots")
    say(as_alice, "red boots")
    assert signs(as_alice) == {"Red Boots": "wanted"}
    say(as_alice, "no red boots")
    assert signs(as_alice) == {"red boots": "unwanted"}


def test_one_thing_may_be_said_with_its_sign(as_alice, shop):
    say(as_alice, "boots and hats, no sun", sign="unwanted")
    assert signs(as_alice) == {"boots and hats, no sun": "unwanted"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "   "},
        {"text": "please, I want"},
        {"text": "的"},
        {"text": "!?"},
        {"text": "the", "sign": "wanted"},
        {"text": "boots\x07"},
        {"text": "boots\x00"},
        {"text": "<script>alert(1)</script>"},
        {"text": "boots" * 61},
        {"text": "boots", "sign": "maybe"},
        {"text": "boots", "user": 1},
        {"text": ["boots"]},
    ],
)
def test_what_cannot_be_read_or_says_nothing_is_400_and_nothing_is_kept(as_alice, shop, body):
    answer = as_alice.post(WISHES, body, format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 10
    assert not Wish.objects.exists()


def test_more_than_twenty_wishes_are_refused_as_a_whole(as_alice, alice, shop):
    say(as_alice, ", ".join(f"boots {n}00" for n in range(19)))
    assert say(as_alice, "red hats, blue hats").status_code == 400
    assert len(signs(as_alice)) == 19
    assert say(as_alice, "red hats").status_code == 201
    assert len(signs(as_alice)) == 20
    gone = Wish.objects.get(text="red hats")
    store.remove_wishes(alice.pk, gone.uuid)
    say(as_alice, "blue hats")
    with pytest.raises(begin.Refused):
        begin.bring_back(alice.pk, gone.uuid)
    assert "red hats" not in signs(as_alice)


def test_without_consent_nothing_is_kept_and_the_answer_says_what_to_do(shop):
    client = client_of(make_person("carol", agrees=False))
    answer = say(client, SENTENCE)
    assert answer.status_code == 403
    assert "/api/v1/me/" in answer.json()["detail"]
    assert not Wish.objects.exists()
    assert client.patch("/api/v1/me/", {"consent": True}, format="json").json()["consent"] is True
    assert say(client, SENTENCE).status_code == 201
    assert client.patch("/api/v1/me/", {"consent": False}, format="json").json()["consent"] is False
    assert say(client, SENTENCE).status_code == 403


def test_only_the_owner_sees_and_removes_a_wish(as_alice, as_bob, shop):
    say(as_alice, SENTENCE)
    mine = as_alice.get(WISHES).json()["results"]
    assert signs(as_bob) == {}
    assert as_bob.delete(f"{WISHES}{mine[0]['id']}/").status_code == 404
    as_bob.delete(WISHES)
    assert len(signs(as_alice)) == 2
    assert as_alice.delete(f"{WISHES}{mine[0]['id']}/").status_code == 204
    assert signs(as_alice) == {"boots": "unwanted"}
    assert as_alice.delete(f"{WISHES}{uuid4()}/").status_code == 404
    assert as_alice.delete(WISHES).status_code == 204
    assert signs(as_alice) == {}


def test_a_removed_wish_can_be_brought_back_by_its_owner_alone(as_alice, alice, bob, shop):
    say(as_alice, SENTENCE)
    wish = Wish.objects.get(text="boots")
    store.remove_wishes(alice.pk, wish.uuid)
    assert begin.bring_back(bob.pk, wish.uuid) is False
    assert "boots" not in signs(as_alice)
    assert begin.bring_back(alice.pk, wish.uuid) is True
    assert signs(as_alice)["boots"] == "unwanted"


def test_a_wish_said_anew_is_not_there_twice_when_the_old_one_is_brought_back(
    as_alice, alice, shop
):
    say(as_alice, "boots")
    old = Wish.objects.get()
    store.remove_wishes(alice.pk, old.uuid)
    say(as_alice, "no boots")
    assert begin.bring_back(alice.pk, old.uuid) is True
    assert signs(as_alice) == {"boots": "unwanted"}


def test_wishes_go_with_the_account(as_alice, alice, shop):
    say(as_alice, SENTENCE)
    alice.delete()
    assert not Wish.objects.exists()


# --- without the encoder ------------------------------------------------------------------------


def test_until_the_encoder_answers_the_items_with_the_words_stand_in(as_alice, alice, shop, silent):
    [row] = say(as_alice, "red kettle").json()["results"]
    assert row["is_provisional"] is True
    [wish] = Wish.objects.all()
    red = store.embedding_of(store.Space(wish.space_id, 64), shop[1].pk)
    np.testing.assert_allclose(wish.embedding, red, atol=1e-3)
    assert Job.objects.get(kind="wish", key=alice.pk).done_at is None
    assert not any(store.broken_invariants().values())


def test_a_wish_whose_words_no_item_has_waits_without_a_vector(as_alice, alice, shop, silent):
    say(as_alice, "astronomy")
    assert Wish.objects.get().embedding is None
    assert Job.objects.filter(kind="wish", key=alice.pk, done_at=None).exists()


def test_the_worker_encodes_what_waits_and_closes_the_job(as_alice, alice, shop, silent):
    say(as_alice, "astronomy, red kettles")
    job = Job.objects.get(kind="wish")
    task([job.pk])
    job.refresh_from_db()
    assert job.done_at is not None
    assert not any(row["is_provisional"] for row in as_alice.get(WISHES).json()["results"])
    assert all(wish.embedding is not None for wish in Wish.objects.all())
    assert not any(store.broken_invariants().values())


def test_a_job_without_its_encoder_waits_and_is_not_counted_as_failed(
    as_alice, shop, silent, monkeypatch
):
    def missing(space):
        raise EncoderUnavailable("no model")

    say(as_alice, "astronomy")
    monkeypatch.setattr(begin, "encoder_of", missing)
    job = Job.objects.get(kind="wish")
    task([job.pk])
    job.refresh_from_db()
    assert (job.done_at, job.parked_at, job.attempts) == (None, None, 0)


def test_before_there_is_a_space_a_wish_is_kept_and_waits(as_alice, alice):
    make_item("kettle")
    assert say(as_alice, "kettles").status_code == 201
    embed.embed_everything()
    begin.encode_wishes([alice.pk])
    assert Wish.objects.get().embedding is not None


def test_the_sweep_asks_for_wishes_of_a_former_space(as_alice, alice, shop):
    say(as_alice, SENTENCE)
    embed.create_space(name="another")
    begin.sweep()
    assert list(Job.objects.filter(kind="wish").values_list("key", flat=True)) == [alice.pk]
    begin.encode_wishes([alice.pk])
    assert {wish.space for wish in Wish.objects.all()} == {store.active_space()}


def test_the_sweep_forgets_for_good_what_was_removed_a_day_ago(as_alice, alice, shop):
    say(as_alice, SENTENCE)
    store.remove_wishes(alice.pk)
    Wish.objects.filter(text="boots").update(removed_at=datetime.now(UTC) - timedelta(days=2))
    begin.sweep()
    assert [wish.text for wish in Wish.objects.all()] == ["slow kettles"]


# --- picks --------------------------------------------------------------------------------------


def test_items_to_pick_from_are_popular_varied_and_not_judged_yet(alice):
    kettles = [make_item(f"kettle {n}", categories=["kitchen"]) for n in range(6)]
    hat = make_item("sun hat", categories=["outdoors"])
    make_item("unknown lamp", categories=["light"])
    for n in range(9):
        fan = make_person(f"fan {n}")
        for kettle in kettles:
            import_feedback(fan, kettle)
        if n < 3:
            import_feedback(fan, hat)
    embed.embed_everything()
    learn.refresh_popularity()
    give(alice, kettles[0])
    found = [facts.title for facts in begin.suggestions(alice.pk, limit=2)]
    assert found == ["kettle 1", "sun hat"]
    assert begin.suggestions(alice.pk, limit=2, page=9) == []


def test_no_page_of_items_to_pick_from_repeats_another(alice):
    items = [make_item(f"thing {n}", categories=[f"kind {n % 7}"]) for n in range(60)]
    for n in range(12):
        fan = make_person(f"fan {n}")
        for item in items[: 5 * (n + 1)]:
            import_feedback(fan, item)
    embed.embed_everything()
    learn.refresh_popularity()
    pages = [begin.suggestions(alice.pk, limit=3, page=page) for page in range(1, 11)]
    shown = [facts.title for page in pages for facts in page]
    assert len(shown) == len(set(shown)) == 30


# --- the lists that follow ----------------------------------------------------------------------


def shown(client, **query) -> list[dict]:
    query = "&".join(f"{name}={value}" for name, value in query.items())
    return client.get(f"/api/v1/recommendations/?{query}").json()["results"]


def titles(client, **query) -> list[str]:
    return [row["item"]["title"] for row in shown(client, diversity=0, **query)]


def test_the_next_list_follows_a_sentence_and_says_why(as_alice, shop):
    say(as_alice, "something with kettle")
    first, second, *_ = shown(as_alice, diversity=0)
    assert {first["item"]["title"], second["item"]["title"]} == {"blue kettle", "red kettle"}
    assert first["reason"]["kind"] == "wish"
    assert first["reason"]["text"] == "Because you asked for “kettle”"


def test_a_wish_brings_items_that_nothing_else_would(as_alice, settings):
    settings.POOL_SIZE = 50
    make_item("rain boots", published_at="1950-01-01T00:00Z")
    for n in range(80):
        make_item(f"lamp {n}")
    embed.embed_everything()
    say(as_alice, "rain boots")
    assert titles(as_alice, limit=1) == ["rain boots"]


def test_with_a_trained_version_a_newcomer_has_a_list_before_and_after_a_sentence(as_alice, shop):
    things = [*shop, *(make_item(f"lamp {n}") for n in range(10))]
    embed.embed_everything()
    for n in range(12):
        fan = make_person(f"fan {n}")
        for day, item in enumerate(things[n % 3 :], start=1):
            import_feedback(fan, item, days_ago=day)
    train.activate(train.train(), force=True)
    assert len(titles(as_alice)) == len(things)
    say(as_alice, "something with boots")
    assert titles(as_alice, limit=1) == ["rain boots"]


def test_what_is_not_wanted_goes_to_the_end(as_alice, shop):
    say(as_alice, "rain, no kettle")
    assert titles(as_alice)[0] == "rain boots"
    assert set(titles(as_alice)[-2:]) == {"blue kettle", "red kettle"}


def test_a_kind_that_is_named_brings_its_items_whatever_their_words(as_alice, shop):
    say(as_alice, "outdoors")
    assert set(titles(as_alice, limit=2)) == {"rain boots", "sun hat"}


def test_taking_a_wish_back_gives_the_former_list_back(as_alice, shop):
    before = titles(as_alice)
    say(as_alice, "something with boots")
    assert titles(as_alice) != before
    as_alice.delete(WISHES)
    assert titles(as_alice) == before


def test_the_wish_of_another_changes_nothing(as_alice, as_bob, shop):
    before = titles(as_bob)
    say(as_alice, "something with boots")
    assert titles(as_bob) == before


def test_without_consent_a_wish_counts_no_more_from_the_next_list_on(as_alice, alice, shop):
    before = titles(as_alice)
    say(as_alice, "something with boots")
    alice.consents.update(withdrawn_at="2026-01-01T00:00Z")
    assert titles(as_alice) == before


def test_a_wish_stands_back_behind_what_a_person_does(as_alice, alice):
    kettles = [make_item(f"kettle {n}") for n in range(40)]
    make_item("rain boots")
    embed.embed_everything()
    say(as_alice, "rain boots")
    [first] = shown(as_alice, limit=1, diversity=0)
    assert (first["item"]["title"], first["reason"]["kind"]) == ("rain boots", "wish")
    for kettle in kettles[:30]:
        give(alice, kettle)
    assert titles(as_alice, limit=1)[0].startswith("kettle")


def test_a_no_stays_in_force_whatever_a_person_does(as_alice, alice, shop):
    for n in range(20):
        give(alice, make_item(f"blue lamp {n}"))
    embed.embed_everything()
    assert titles(as_alice)[0] == "blue kettle"
    say(as_alice, "nothing for the kitchen")
    assert set(titles(as_alice)[-2:]) == {"blue kettle", "red kettle"}


def test_until_the_encoder_answers_the_list_follows_the_words(as_alice, shop, silent):
    say(as_alice, "red kettle")
    assert titles(as_alice, limit=1) == ["red kettle"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [2, 20])
def test_a_request_of_somebody_with_wishes_alone_makes_five_statements(number):
    alice = make_person("alice")
    for n in range(30):
        make_item(f"kettle {n}", categories=["kitchen"])
    embed.embed_everything()
    begin.say(alice.pk, ", ".join(f"kettle {n}00" for n in range(number - 1)) + ", no boots")
    client = client_of(alice)
    # 1 token and person, 2 person side, 3 candidates, 4 facts to show, 5 the list that is kept
    with CaptureQueriesContext(connection) as queries:
        assert len(shown(client, limit=10)) == 10
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 5, sent


def test_a_sentence_can_be_tried_without_anything_being_kept(shop):
    from django.core.management import CommandError, call_command

    from catalog.models import User

    out = StringIO()
    call_command("first_list", "something with kettle, no boots", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["  wanted  kettle", "unwanted  boots"]
    assert "kettle (kitchen)" in lines[2]
    assert not Wish.objects.exists()
    assert not User.objects.exists()
    with pytest.raises(CommandError, match="Say what you would like"):
        call_command("first_list", "please")
