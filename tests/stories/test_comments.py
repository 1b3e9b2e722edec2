"""A comment counts by what it says: at once by its words, later as the encoder reads it."""

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Feedback
from recommender import embed, jobs, learn, store, tasks
from recommender.candidates.signals import KINDS
from recommender.embeddings.encoder import EncoderUnavailable
from recommender.encoders import encoder_of
from recommender.models import CommentSign, Job
from recommender.store.people import person_side
from recommender.understanding.sentiment import AGAINST, FOR, both, lean, sentiment
from tests.conftest import client_of
from tests.factories import give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db

KIND = "这本书不错, a great gift"
UNKIND = "terrible, do not buy this"


@pytest.fixture
def shop():
    items = {
        name: make_item(name)
        for name in ("red kettle", "blue kettle", "rain boots", "winter boots", "hiking boots")
    }
    embed.embed_everything()
    return items


def say(user, item, text: str) -> Feedback:
    return give(user, item, "comment", text=text)


def signs(user) -> list[float]:
    """What the newest comments say, as a request reads them."""
    return person_side(user.pk).history.values.tolist()


def encode(user) -> None:
    """What a worker does with the job that reads comments."""
    jobs.request("comment", [user.pk])
    job = Job.objects.get(kind="comment", key=user.pk)
    tasks.comment([job.pk])


def first(user) -> str:
    body = client_of(user).get("/api/v1/recommendations/?limit=1&diversity=0").json()
    return body["results"][0]["item"]["title"]


def test_a_kind_comment_brings_what_is_like_its_item_with_every_worker_stopped(alice, shop):
    say(alice, shop["blue kettle"], KIND)
    assert first(alice) == "red kettle"


def test_an_unkind_comment_keeps_what_is_like_its_item_down(alice, shop):
    give(alice, shop["blue kettle"], "save")
    give(alice, shop["hiking boots"])
    assert first(alice) in {"rain boots", "winter boots"}
    say(alice, shop["hiking boots"], UNKIND)
    say(alice, shop["winter boots"], UNKIND)
    assert first(alice) == "red kettle"


def test_one_who_takes_no_side_cares_a_little(alice, shop):
    say(alice, shop["blue kettle"], "It has a handle")
    assert first(alice) == "red kettle"


def test_a_request_reads_the_words_of_what_no_encoder_has_read(alice, shop):
    say(alice, shop["blue kettle"], UNKIND)
    say(alice, shop["red kettle"], KIND)
    assert signs(alice) == [sentiment(KIND), sentiment(UNKIND)]
    assert not CommentSign.objects.exists()


def test_the_value_a_client_gives_a_comment_is_none(alice, shop):
    give(alice, shop["blue kettle"], "comment", text=UNKIND, value=1.0)
    assert signs(alice) == [sentiment(UNKIND)]


def test_a_comment_without_a_word_says_nothing_and_is_no_work(alice, shop):
    give(alice, shop["blue kettle"], "comment")
    assert str(signs(alice)) == "[nan]"
    assert not person_side(alice.pk).unread
    assert store.unread_comments(alice.pk, limit=10) == []


def test_what_the_encoder_made_of_it_counts_from_then_on(alice, shop):
    text = "I love it, excellent! How long it is"
    row = say(alice, shop["blue kettle"], text)
    encode(alice)
    encoder = encoder_of(store.active_space())
    vectors = [encoder.encode(texts, role="query") for texts in ([text], FOR, AGAINST)]
    [sign] = both(np.array([sentiment(text)]), lean(*vectors))
    assert sign > sentiment(text) / 4  # it shares words with what praises
    assert CommentSign.objects.get(feedback=row).sign == pytest.approx(sign)
    assert signs(alice) == [pytest.approx(sign)]
    CommentSign.objects.update(sign=-0.75)
    assert signs(alice) == [-0.75]


def test_everybody_learns_from_the_same_signs_as_a_request(alice, bob, shop):
    for user, text in ((alice, KIND), (bob, UNKIND), (alice, "meh"), (bob, "")):
        say(user, shop["blue kettle"], text)
    give(bob, shop["red kettle"], "rating", value=4.5)
    encode(alice)
    events = store.events()
    for user in (alice, bob):
        newest_first = events.values[events.people == user.pk][::-1]
        assert str(newest_first.tolist()) == str(signs(user))
    assert (events.kinds == KINDS.index("comment")).sum() == 4


def test_reading_is_work_of_its_own_that_is_asked_for_and_ends(alice, shop):
    say(alice, shop["blue kettle"], KIND)
    done = []
    for _ in range(10):
        waiting = Job.objects.filter(done_at=None, kind__in=("learn", "comment"))
        for job in waiting:
            done.append(job.kind)
            {"learn": tasks.learn_people, "comment": tasks.comment}[job.kind]([job.pk])
    assert done == ["learn", "comment", "learn"]
    assert CommentSign.objects.count() == 1


def test_a_comment_is_read_once_and_again_by_other_rules(alice, shop, monkeypatch):
    say(alice, shop["blue kettle"], KIND)
    encode(alice)
    assert store.unread_comments(alice.pk, limit=10) == []
    CommentSign.objects.update(version=0, sign=-1)
    assert signs(alice) == [sentiment(KIND)]
    encode(alice)
    assert CommentSign.objects.get().sign > 0


def test_what_was_taken_back_is_not_read(alice, shop):
    row = say(alice, shop["blue kettle"], KIND)
    services.retract_feedback(alice, row.uuid)
    encode(alice)
    assert not CommentSign.objects.exists()


def test_many_comments_are_read_in_parts(alice, shop, monkeypatch):
    monkeypatch.setattr(learn, "COMMENTS_TOGETHER", 2)
    for item in shop.values():
        say(alice, item, KIND)
    encode(alice)
    assert CommentSign.objects.count() == 5


def test_without_the_encoder_the_work_waits_and_the_words_count(alice, shop, monkeypatch):
    say(alice, shop["blue kettle"], KIND)

    def down(_):
        raise EncoderUnavailable("down")

    monkeypatch.setattr(learn, "encoder_of", down)
    encode(alice)
    job = Job.objects.get(kind="comment")
    assert (job.attempts, job.parked_at, job.done_at) == (0, None, None)
    assert signs(alice) == [sentiment(KIND)]


def test_without_a_space_there_is_nothing_to_read_with(alice):
    say(alice, make_item("kettle"), KIND)
    encode(alice)
    assert Job.objects.get(kind="comment").done_at
    assert signs(alice) == [sentiment(KIND)]


def test_a_sign_goes_with_its_comment(alice, shop):
    say(alice, shop["blue kettle"], KIND)
    encode(alice)
    Feedback.objects.all().delete()
    assert not CommentSign.objects.exists()
    assert store.put_comment_signs([1], [0.5]) == 0


def test_what_people_complain_of_is_not_popular(shop):
    for number in range(4):
        person = make_person(f"person {number}")
        import_feedback(person, shop["red kettle"], "comment", text=KIND)
        import_feedback(person, shop["rain boots"], "comment", text=UNKIND)
        import_feedback(person, shop["rain boots"], "view")
    learn.refresh_popularity()
    scores = {title: item.popularity.score for title, item in shop.items() if has(item)}
    assert scores == {"red kettle": 1, "rain boots": 0}


def has(item) -> bool:
    item.refresh_from_db()
    return hasattr(item, "popularity")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n_comments", [1, 60])
def test_a_request_makes_six_statements_for_any_number_of_comments(n_comments):
    alice = make_person("alice")
    items = [make_item(f"kettle number {n}") for n in range(80)]
    embed.embed_everything()
    for item in items[:n_comments]:
        say(alice, item, KIND)
    client = client_of(alice)
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/api/v1/recommendations/?limit=10")
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 6
    assert len(response.json()["results"]) == 10
