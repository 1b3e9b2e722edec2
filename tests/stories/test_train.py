"""Training changes nothing that is shown; activating does, in one step, and back takes it away."""

import logging
import sys

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog import services
from recommender import embed, learn, store, tasks, train
from recommender.models import LearnedItem, ModelVersion
from recommender.recommend import recommend
from tests.factories import give, import_feedback, make_item, make_person

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


def test_a_training_that_dies_leaves_nothing_and_the_active_version_as_it_is(crowd, monkeypatch):
    active = train.train()
    train.activate(active, force=True)

    def dies(*args):
        raise RuntimeError("killed")

    monkeypatch.setattr(sys.modules["recommender.store.versions"], "put_learned_items", dies)
    with pytest.raises(RuntimeError, match="killed"):
        train.train()
    assert store.versions() == [active]
    assert store.active_version() == active


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


@pytest.mark.parametrize(
    ("people", "items", "says"),
    [(0, 0, "there is no feedback yet"), (1, 6, "1 people on 6 items"), (6, 1, "6 people on 1 it")],
)
def test_too_little_to_learn_from_is_named_and_changes_nothing(db, people, items, says):
    things = [make_item(f"thing {n}") for n in range(items)]
    for number in range(people):
        for thing in things:
            import_feedback(make_person(f"p{number}") if thing is things[0] else _last(), thing)
    with pytest.raises(CommandError, match=f"{says}.*The active version stays as it is"):
        call_command("train")
    assert store.versions() == []


def _last():
    from catalog.models import User

    return User.objects.order_by("-pk").first()


def test_a_validation_part_without_overlap_is_named(crowd):
    with pytest.raises(train.Untrainable, match="nothing to judge by"):
        train.train(held_by=lambda events: np.zeros(len(events.people), dtype=bool))


def test_a_clock_that_is_ahead_counts_as_now(crowd):
    people, items = crowd
    import_feedback(people[0], items[1], days_ago=-365)
    version = train.train()
    assert version.until <= version.created_at


def test_what_was_done_with_removed_items_still_says_how_the_others_go_together(crowd):
    people, items = crowd
    services.remove_items([items[n].pk for n in range(3)])
    train.activate(train.train(), force=True)
    assert not {items[n].pk for n in range(3)} & {i for person in people for i in shown(person)}


def test_the_weekly_training_serves_the_first_and_later_ones_where_the_site_says_so(
    crowd, settings, monkeypatch
):
    monkeypatch.setattr(train, "MOST_LOSS", 1.0)
    first = train.train_and_offer()
    ModelVersion.objects.update(has_passed=True)
    first = store.active_version() or first
    train.activate(ModelVersion.objects.get(pk=first.pk))
    second = train.train_and_offer()
    assert store.active_version() == first
    settings.ACTIVATE_TRAINED = True
    third = train.train_and_offer()
    assert store.active_version() == (third if third.has_passed else first)
    assert second.pk != third.pk
    assert tasks.train_version.name == "recommender.tasks.train"


def test_between_trainings_a_like_moves_votes_interests_and_popularity(crowd):
    people, items = crowd
    train.activate(train.train(), force=True)
    newcomer = make_person("newcomer")
    assert shown(newcomer) == shown(make_person("another"))
    give(newcomer, items[0])
    votes = recommend(newcomer.pk, limit=10, diversity=0.0)
    assert any(row.reason and row.reason.kind == "voted" for row in votes.results)
    learn.refresh_person(newcomer.pk)
    assert len(store.interests_of(newcomer.pk)) == 1

    def popularity() -> float:
        return items[35].popularity.__class__.objects.get(item=items[35]).score

    before = popularity()
    for person in people:
        give(person, items[35])
    learn.refresh_popularity()
    assert popularity() > before
