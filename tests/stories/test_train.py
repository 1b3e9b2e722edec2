"""Training changes nothing that is shown; activating does, in one step, and back takes it away."""

import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Feedback, Item
from recommender import embed, jobs, learn, store, tasks, train
from recommender.models import Job, LearnedItem, ModelVersion
from recommender.recommend import recommend
from tests.conftest import client_of
from tests.factories import (
    embed_and_learn,
    give,
    import_feedback,
    make_item,
    make_person,
    make_version,
)

versions = sys.modules["recommender.store.versions"]  # the store has a function of that name
pytestmark = pytest.mark.django_db
WORDS = ["kettle", "boots", "tent"]


@pytest.fixture
def crowd():
    """Twelve people who took up the same kinds of things, in orders of their own."""
    items = [make_item(f"{WORDS[n % 3]} number {n}") for n in range(36)]
    people = [make_person(f"person {n}") for n in range(12)]
    rng = np.random.default_rng(0)
    for number, person in enumerate(people):
        own = [item for n, item in enumerate(items) if n % 3 == number % 3]
        for place, at in enumerate(rng.permutation(len(own))[:10]):
            import_feedback(person, own[at], days_ago=40 - place)
    embed.embed_everything()
    learn.refresh_popularity()
    return people, items


def shown(person) -> list[int]:
    return [row.facts.id for row in recommend(person.pk, limit=10, diversity=0.0).results]


def test_a_training_leaves_an_inactive_version_with_what_a_judge_needs(crowd):
    version = train.train(seed=3)
    assert version.status == "inactive"
    assert (version.events, version.people, version.items, version.seed) == (120, 12, 36, 3)
    assert len(version.data_digest) == len(version.digest) == 64
    assert version.seconds > 0
    assert version.metrics["people"] > 0
    assert version.metrics["ndcg"][1] <= version.metrics["ndcg"][0] <= version.metrics["ndcg"][2]
    assert LearnedItem.objects.filter(version=version).count() == 36


def test_activating_changes_lists_and_going_back_brings_the_former_ones_to_the_last_id(crowd):
    people, items = crowd
    first = train.train()
    train.activate(first, force=True)
    before = [shown(person) for person in people]
    for person in people:  # something else is learned the second time
        import_feedback(person, items[0], "purchase", days_ago=60)
        import_feedback(person, items[1], "purchase", days_ago=59)
    learned_from_the_same = [shown(person) for person in people]
    second = train.train()
    assert [shown(person) for person in people] == learned_from_the_same
    call_command("models", "activate", second.name, "--force")
    assert [shown(person) for person in people] != learned_from_the_same
    call_command("models", "back")
    assert store.active_version() == first
    assert [shown(person) for person in people] == learned_from_the_same != before


def test_equal_feedback_and_seed_give_equal_weights(crowd):
    one, two = train.train(seed=5), train.train(seed=5)
    assert one.digest == two.digest
    assert one.data_digest == two.data_digest


def test_what_did_not_pass_is_refused_with_the_reason_unless_it_is_forced(crowd, capsys):
    version = train.train()
    version.has_passed = False
    version.save(update_fields=["has_passed"])
    with pytest.raises(CommandError, match=r"did not pass its comparison: NDCG@10 .* --force"):
        call_command("models", "activate", version.name)
    assert store.active_version() is None
    call_command("models", "activate", version.name, "--force")
    assert store.active_version() == version


def test_a_damaged_version_is_refused_and_one_in_use_never_stops_a_request(crowd, caplog):
    people, _ = crowd
    version = train.train()
    train.activate(version, force=True)
    whole = shown(people[0])
    store.model_of_version.cache_clear()
    ModelVersion.objects.filter(pk=version.pk).update(digest="0" * 64)
    with caplog.at_level(logging.ERROR):
        assert len(shown(people[0])) == len(whole)
    assert "digest" in caplog.text
    with pytest.raises(train.Refused, match="digest"):
        train.activate(version, force=True)


def test_a_damaged_version_is_read_and_told_of_once_a_minute_and_another_is_served_at_once(
    crowd, caplog, monkeypatch
):
    people, _ = crowd
    whole, damaged = train.train(), train.train()
    train.activate(whole, force=True)
    lists = shown(people[0])
    train.activate(damaged, force=True)
    ModelVersion.objects.filter(pk=damaged.pk).update(digest="0" * 64)
    store.model_of_version.cache_clear()

    def reads_and_lines() -> tuple[int, int]:
        caplog.clear()
        with CaptureQueriesContext(connection) as queries:
            shown(people[0])
        return sum('"tensors"' in q["sql"] for q in queries), caplog.text.count("is not served")

    assert [reads_and_lines() for _ in range(3)] == [(1, 1), (0, 0), (0, 0)]
    monkeypatch.setattr(versions, "AGAIN_SECONDS", 0)
    versions._unread_until.clear()  # a minute later
    assert reads_and_lines() == (1, 1)
    train.go_back()
    assert shown(people[0]) == lists
    ModelVersion.objects.filter(pk=damaged.pk).update(digest=damaged.digest)  # mended
    train.activate(damaged, force=True)
    assert reads_and_lines() == (1, 0)


def test_the_weights_are_read_anew_before_they_are_served(crowd):
    version = train.train()
    store.model_of_version(version.pk)  # this process has them in memory, whole
    tensors = bytes(version.tensors)
    ModelVersion.objects.filter(pk=version.pk).update(tensors=tensors[:-1] + b"?")
    with pytest.raises(CommandError, match=f"{version.name}: the digest .* does not match"):
        call_command("models", "activate", version.name, "--force")
    assert store.active_version() is None


def test_going_back_to_a_damaged_version_is_refused(crowd):
    first, second = train.train(), train.train()
    train.activate(first, force=True)
    train.activate(second, force=True)
    ModelVersion.objects.filter(pk=first.pk).update(digest="0" * 64)
    with pytest.raises(CommandError, match=f"{first.name}: the digest"):
        call_command("models", "back")
    assert store.active_version() == second


def test_a_training_that_dies_leaves_nothing_and_the_active_version_as_it_is(crowd, monkeypatch):
    people, _ = crowd
    active = train.train()
    train.activate(active, force=True)
    before = shown(people[0])
    monkeypatch.setattr(versions, "ROWS_TOGETHER", 10)
    to_bytes, calls = versions._bytes, count(1)

    def dies(*args):
        if next(calls) > 6:  # the first ten items are written
            assert LearnedItem.objects.exclude(version=active).count() == 10
            raise MemoryError
        return to_bytes(*args)

    monkeypatch.setattr(versions, "_bytes", dies)
    with pytest.raises(MemoryError):
        train.train()
    assert store.versions() == [active]
    assert LearnedItem.objects.exclude(version=active).count() == 0
    assert shown(people[0]) == before


@pytest.mark.django_db(transaction=True)
def test_of_two_activations_at_once_the_second_waits_and_counts():
    made = [make_version(name) for name in ("v1", "v2", "v3")]
    store.activate_version(made[0])

    def second() -> None:
        store.activate_version(made[2])
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            store.activate_version(made[1])
            waiting = pool.submit(second)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        waiting.result(timeout=10)
    assert [v.status for v in reversed(store.versions())] == ["inactive", "inactive", "active"]


@pytest.mark.django_db(transaction=True)
def test_a_version_is_freed_when_the_requests_that_may_read_it_have_ended():
    former, active = make_version("v1"), make_version("v2")
    store.activate_version(former)
    began, goes_on = threading.Event(), threading.Event()

    def request() -> int:
        with transaction.atomic():
            version = store.person_side(None).version
            began.set()
            goes_on.wait(10)
            read = len(store.read_model(version).weights)
        connection.close()
        return read

    def retire() -> None:
        train.retire(former)
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        requested = pool.submit(request)
        began.wait(10)
        store.activate_version(active)
        former.refresh_from_db()
        retired = pool.submit(retire)
        with pytest.raises(TimeoutError):
            retired.result(timeout=0.5)
        goes_on.set()
        assert requested.result(timeout=10) > 0
        retired.result(timeout=10)
    assert [version.status for version in store.versions()] == ["active", "retired"]


def test_a_map_of_texts_says_nothing_in_another_space(crowd):
    version = train.train()
    active = store.active_space()
    space = store.Space(active.id, active.dimension)
    here = store.model_served(version.pk, space)
    there = store.model_served(version.pk, replace(space, id=space.id + 1))
    assert here.text_map.shape == (space.dimension,) * 2
    assert here.text_map.any()
    assert (there.text_map.size, there.promise.size) == (0, 0)
    assert np.array_equal(there.weights, here.weights)


def test_a_retired_version_keeps_its_metrics_alone_and_the_one_in_use_cannot_be(crowd):
    version = train.train()
    train.activate(version, force=True)
    with pytest.raises(CommandError, match="is in use"):
        call_command("models", "retire", version.name)
    train.activate(other := train.train(), force=True)
    call_command("models", "retire", version.name)
    version.refresh_from_db()
    assert (version.status, bytes(version.tensors)) == ("retired", b"")
    assert version.metrics["people"] > 0
    assert set(LearnedItem.objects.values_list("version", flat=True)) == {other.pk}
    with pytest.raises(train.Refused, match="was retired"):
        train.activate(version, force=True)
    with pytest.raises(CommandError, match="no version was active before"):
        call_command("models", "back")


def test_the_command_says_what_was_learned_and_activates_only_what_passes(
    crowd, capsys, monkeypatch
):
    call_command("train", "--seed", "3")
    [first] = store.versions()
    out = capsys.readouterr().out
    assert f"{first.name}: 120 events of 12 people on 36 items in " in out
    assert f"models activate {first.name}" in out
    assert first.seed == 3
    monkeypatch.setattr(train, "measured", lambda fitted: {"passed": False})
    with pytest.raises(CommandError, match="did not pass its comparison: nobody could be judged"):
        call_command("train", "--activate")
    assert [version.status for version in store.versions()] == ["inactive", "inactive"]
    monkeypatch.setattr(train, "measured", lambda fitted: {"passed": True})
    call_command("train", "--activate")
    assert store.versions()[0].status == "active"


def test_nothing_that_came_after_a_moment_is_learned_from(crowd):
    moment = datetime.now(UTC) - timedelta(days=35.5)
    call_command("train", "--until", moment.isoformat())
    [version] = store.versions()
    assert version.events == 12 * 5  # those of 40 to 36 days ago
    assert version.until <= moment
    with pytest.raises(CommandError, match="not an ISO date"):
        call_command("train", "--until", "yesterday")


def test_versions_are_listed_and_compared_in_words(crowd, capsys):
    call_command("models", "list")
    assert "nothing was learned yet" in capsys.readouterr().out
    version = train.train()
    call_command("models", "list")
    assert f"{version.name}  inactive" in capsys.readouterr().out
    call_command("models", "compare", version.name)
    assert "NDCG@10 of popularity" in capsys.readouterr().out
    with pytest.raises(CommandError, match=f"no version 'other'; there are: {version.name}"):
        call_command("models", "compare", "other")


def test_a_clock_that_is_ahead_counts_as_now(crowd):
    people, items = crowd
    import_feedback(people[0], items[1], days_ago=-365)
    version = train.train()
    assert version.until <= version.created_at


def test_feedback_of_one_moment_and_kind_is_learned_from(db):
    items = [make_item(f"thing {n}") for n in range(6)]
    for number in range(6):
        person = make_person(f"person {number}")
        for item in items:
            Feedback.objects.create(
                user=person, item=item, kind="like", occurred_at=datetime(2026, 1, 1, tzinfo=UTC)
            )
    embed.embed_everything()
    version = train.train()
    train.activate(version, force=True)
    assert version.events == 36
    assert len(shown(make_person("newcomer"))) == 6


def test_a_shop_where_everybody_bought_twice_is_learned_from_and_judged(db):
    items = [make_item(f"{WORDS[n % 3]} number {n}") for n in range(12)]
    for number in range(24):
        person = make_person(f"person {number}")
        for place in (0, 1):
            import_feedback(
                person, items[(number + 3 * place) % 12], "purchase", days_ago=2 - place
            )
    embed.embed_everything()
    learn.refresh_popularity()
    train.activate(train.train(), force=True)
    second = train.train()  # beside one in use, which an unjudged one could not replace
    assert second.metrics["people"] == 24
    assert second.metrics["against"] == "active"


def refused(says: str) -> None:
    """Training says so and leaves everything as it was."""
    before = store.versions()
    with pytest.raises(CommandError, match=f"{says}.*The active version stays as it is"):
        call_command("train")
    assert store.versions() == before


@pytest.mark.parametrize(
    ("people", "items", "says"),
    [
        (0, 0, "there is no feedback yet"),
        (1, 6, "feedback of 1 people on 6 items .* at least 2 people and 2 items"),
        (6, 1, "feedback of 6 people on 1 items .* at least 2 people and 2 items"),
    ],
)
def test_too_little_to_learn_from_is_named(db, people, items, says):
    things = [make_item(f"thing {n}") for n in range(items)]
    for number in range(people):
        person = make_person(f"person {number}")
        for thing in things:
            import_feedback(person, thing)
    refused(says)


def test_that_no_item_is_shown_any_more_is_named(crowd):
    _, items = crowd
    train.activate(active := train.train(), force=True)
    services.remove_items([item.pk for item in items])
    refused("none of the 36 items is shown any more")
    assert store.active_version() == active
    make_item("a new beginning")  # of which what they did can still tell something
    assert train.train().events == active.events


def test_a_validation_part_without_overlap_is_named(crowd):
    people, _ = crowd
    with pytest.raises(train.Untrainable, match="nothing to judge by"):
        train.train(
            held_by=lambda events: events.people == people[0].pk
        )  # of whom nothing is known
    assert store.versions() == []


def test_what_was_done_with_removed_items_still_says_how_the_others_go_together(crowd):
    people, items = crowd
    services.remove_items([items[n].pk for n in range(3)])
    train.activate(train.train(), force=True)
    assert not {items[n].pk for n in range(3)} & {i for person in people for i in shown(person)}


def weekly() -> ModelVersion | None:
    """What beat asks for, done by a worker; the version it made, if any."""
    known = {version.pk for version in store.versions()}
    jobs.request("train", [0])
    job = Job.objects.get(kind="train")
    tasks.train_version([job.pk])
    job.refresh_from_db()
    assert job.done_at is not None
    return next((version for version in store.versions() if version.pk not in known), None)


def test_the_weekly_training_serves_the_first_and_then_what_passes_where_the_site_says_so(
    crowd, settings, monkeypatch
):
    monkeypatch.setattr(train, "measured", lambda fitted: {"passed": passes})
    passes = False
    first = weekly()
    assert store.active_version() == first
    passes = True
    assert weekly().status == "inactive"
    settings.ACTIVATE_TRAINED = True
    assert weekly().status == "active"
    passes = False
    assert weekly().status == "inactive"


def test_a_week_in_which_there_was_too_little_is_no_error(db):
    assert weekly() is None


@pytest.mark.django_db(transaction=True)
def test_a_request_makes_six_statements_and_the_first_of_a_process_one_more():
    items = [make_item(f"kettle number {n}") for n in range(12)]
    people = [make_person(f"person {n}") for n in range(4)]
    for number, person in enumerate(people):
        for place in range(6):
            import_feedback(person, items[(number + place) % 12], days_ago=10 - place)
    embed_and_learn()
    client = client_of(people[0])
    store.model_of_version.cache_clear()  # as a process that has just begun

    def sent() -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/api/v1/recommendations/?limit=5").status_code == 200
        return [q["sql"] for q in queries if q["sql"] not in ("BEGIN", "COMMIT")]

    # 1 token and person, 2 person side, then the weights once a process, 3 items touched,
    # 4 candidates, 5 facts to show, 6 the list that is kept
    first, later = sent(), sent()
    assert len(later) == 6, later
    assert len(first) == 7
    assert [sql for sql in first if '"tensors"' in sql] == [first[2]]


# --- between two trainings --------------------------------------------------------------------


@pytest.fixture
def served(crowd):
    train.activate(train.train(), force=True)
    return crowd


def test_a_like_gives_its_votes_to_the_next_list(served):
    _, items = served
    newcomer = make_person("newcomer")
    assert shown(newcomer) == shown(make_person("another"))

    def voted() -> list[str]:
        rows = recommend(newcomer.pk, limit=10, diversity=0.0).results
        return [row.reason.like_title for row in rows if row.reason and row.reason.kind == "voted"]

    assert voted() == []
    give(newcomer, items[0])
    assert set(voted()) == {items[0].title}
    give(newcomer, items[1])
    assert items[1].title in voted()


def test_a_like_moves_interests_when_the_worker_has_come_by(served):
    _, items = served
    newcomer = make_person("newcomer")
    give(newcomer, items[0])
    learn.refresh_person(newcomer.pk)
    [interest] = store.interests_of(newcomer.pk)
    assert interest.words["example"] == items[0].title
    give(newcomer, items[3])
    learn.refresh_person(newcomer.pk)
    assert [interest.words["items"] for interest in store.interests_of(newcomer.pk)] == [2]


def test_likes_move_popularity_and_what_a_stranger_sees_first(served):
    people, items = served
    stranger = make_person("stranger")
    unpopular = Item.objects.get(pk=shown(stranger)[-1])
    for person in people:
        give(person, unpopular)
    assert shown(stranger)[0] != unpopular.pk
    learn.refresh_popularity()
    assert shown(stranger)[0] == unpopular.pk
