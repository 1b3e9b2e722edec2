"""Another model, filled beside the one in use, compared, switched to, gone back from, removed."""

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from catalog import services
from recommender import embed, encoders, jobs, learn, store, tasks, train
from recommender.embeddings.hashing import HashingEncoder
from recommender.management.commands.encoder import LoadedBeside
from recommender.models import EmbeddingSpace, ItemEmbedding, Job, ModelVersion
from recommender.recommend import recommend
from recommender.search import search
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db(transaction=True)
WIDE = 96  # dimensions of the second model


@pytest.fixture(autouse=True)
def two_models(monkeypatch):
    """A second model by the name of "wide": words fall on other dimensions, so it is another."""
    real = embed.encoder.load

    def load(model, **how):
        if model != "wide":
            return real(model, **how)
        wide = HashingEncoder(WIDE)
        if how.get("digest") not in (None, wide.digest):
            raise encoders.encoder.EncoderError("another digest")
        return wide

    monkeypatch.setattr(embed.encoder, "load", load)
    monkeypatch.setattr(encoders.encoder, "load", load)


@pytest.fixture
def shop():
    items = [make_item(f"{what} {n}", categories=[what]) for what in "ab" for n in range(6)]
    embed_and_learn()
    return items


def spaces(*words: str) -> None:
    call_command("spaces", *words, verbosity=0)


def work_off() -> None:
    while True:
        Job.objects.filter(done_at=None).update(due_at="2026-01-01T00:00Z")
        taken = [(kind, ids) for kind, ids in jobs.take() if kind in ("embed", "refill")]
        if not taken:
            return
        for kind, ids in taken:
            getattr(tasks, kind)(ids)


def named(name: str) -> EmbeddingSpace:
    return EmbeddingSpace.objects.get(name=name)


def filled(name: str) -> tuple[int, int]:
    return store.fill(named(name))


def test_a_space_is_filled_by_jobs_beside_the_one_in_use(shop):
    before = store.active_space()
    spaces("create", "new", "--model", "wide")
    assert (named("new").status, named("new").dimension) == ("building", WIDE)
    assert jobs.open_jobs("refill") == 12
    assert filled("new") == (0, 12)
    work_off()
    assert filled("new") == (12, 12)
    assert store.active_space() == before


def test_what_was_filled_before_an_interruption_is_not_encoded_again(shop, monkeypatch):
    spaces("create", "new", "--model", "wide")
    embed.embed_items(named("new"), [item.pk for item in shop[:5]])
    texts = []
    real = HashingEncoder.encode

    def encode(self, some, **role):
        texts.extend(some)
        return real(self, some, **role)

    monkeypatch.setattr(HashingEncoder, "encode", encode)
    spaces("fill", "new")
    assert len(texts) == 7
    assert filled("new") == (12, 12)
    assert store.index_state(named("new")) == "valid"


def test_an_item_that_changes_while_a_space_is_filled_changes_in_both(shop):
    spaces("create", "new", "--model", "wide")
    work_off()
    shop[0].title = "a kettle of another colour"
    services.save_item(shop[0])
    work_off()
    marks = ItemEmbedding.objects.filter(item=shop[0]).values_list("fingerprint", flat=True)
    now = [
        embed.fingerprint(space.digest, "a kettle of another colour. A.")
        for space in store.kept_spaces()
    ]
    assert {bytes(mark) for mark in marks} == set(now)


def test_a_model_that_fails_holds_up_its_own_space_alone(shop, monkeypatch):
    spaces("create", "new", "--model", "wide")
    encoders._loaded.clear()
    EmbeddingSpace.objects.filter(name="new").update(digest="0" * 64)
    item = make_item("a kettle that is new")
    Job.objects.update(due_at="2026-01-01T00:00Z")
    for kind, ids in jobs.take():
        if kind in ("embed", "refill"):
            getattr(tasks, kind)(ids)
    assert ItemEmbedding.objects.get(item=item).space == store.active_space()
    assert jobs.open_jobs("embed") == 0
    assert jobs.open_jobs("refill") > 0


def test_a_space_that_is_not_full_is_not_switched_to(shop):
    spaces("create", "new", "--model", "wide")
    before = store.active_space()
    with pytest.raises(CommandError, match="0 of 12 items"):
        spaces("activate", "new")
    assert store.active_space() == before
    spaces("activate", "new", "--force")
    assert store.active_space().name == "new"


def test_lists_and_search_go_on_at_once_in_the_new_space_and_back_in_the_old(shop, alice):
    give(alice, shop[0])
    old = store.active_space()
    spaces("create", "new", "--model", "wide")
    spaces("fill", "new")
    seen = {}
    for step in (("activate", "new"), ("back",), ("back",)):
        spaces(*step)
        name = store.active_space().name
        rows = recommend(alice.pk, limit=5).results
        assert rows[0].facts.title.startswith("a ")
        assert search("a 3", limit=3).items[0].title == "a 3"
        titles = [row.facts.title for row in rows]
        assert seen.setdefault(name, titles) == titles
    assert (named("new").status, old.name in seen) == ("active", True)
    old.refresh_from_db()
    assert old.status == "standby"


def test_the_space_that_was_left_is_kept_up_to_date_so_that_going_back_loses_nothing(shop):
    old = store.active_space()
    spaces("create", "new", "--model", "wide")
    spaces("fill", "new")
    spaces("activate", "new")
    make_item("a kettle of afterwards")
    work_off()
    assert filled("new") == store.fill(old) == (13, 13)
    spaces("back")
    assert store.active_space() == old


def test_without_a_former_space_there_is_nothing_to_go_back_to(shop):
    with pytest.raises(CommandError, match="no space to go back to"):
        spaces("back")


def test_a_retired_space_takes_its_vectors_and_its_index_along_and_nothing_else(shop, alice):
    give(alice, shop[0])
    learn.refresh_person(alice.pk)
    old = store.active_space()
    assert alice.interests.filter(space=old).exists()
    with pytest.raises(CommandError, match="is active"):
        spaces("retire", old.name)
    spaces("create", "new", "--model", "wide")
    spaces("fill", "new")
    spaces("activate", "new")
    spaces("retire", old.name)
    assert ItemEmbedding.objects.values_list("space__name", flat=True).distinct().get() == "new"
    assert store.index_state(old) == "missing"
    assert not alice.interests.exists()
    with pytest.raises(CommandError, match="was retired"):
        spaces("activate", old.name)
    with pytest.raises(CommandError, match="no space to go back to"):
        spaces("back")
    assert len(recommend(alice.pk, limit=5).results) == 5


def test_work_that_was_under_way_writes_nothing_into_a_space_that_was_retired_meanwhile(shop):
    spaces("create", "new", "--model", "wide")
    new = named("new")
    store.retire(new)
    assert embed.fill(named("new")) == 0
    assert filled("new") == (0, 12)


def test_wishes_get_a_vector_in_the_space_that_is_switched_to(shop, alice):
    from recommender import begin

    begin.say(alice.pk, "copper kettles", sign="wanted")
    Job.objects.all().delete()
    spaces("create", "new", "--model", "wide")
    spaces("fill", "new")
    spaces("activate", "new")
    assert list(Job.objects.filter(kind="wish").values_list("key", flat=True)) == [alice.pk]


def test_what_it_would_take_is_said_and_nothing_is_made(shop, capsys):
    spaces("create", "new", "--model", "wide", "--dry-run")
    assert "96 dimensions, 12 items: about 0.00 GiB" in capsys.readouterr().out
    assert EmbeddingSpace.objects.count() == 1


def test_a_space_is_not_begun_where_the_disk_has_no_room(shop, monkeypatch):
    monkeypatch.setattr(store, "needed_for", lambda dimension, n_items: 10**18)
    with pytest.raises(CommandError, match="GiB are free"):
        spaces("create", "new", "--model", "wide")
    assert EmbeddingSpace.objects.count() == 1


def test_two_spaces_are_compared_on_the_lists_of_the_same_people(capsys):
    items = [make_item(f"{what} {n}", categories=[what]) for what in "abcde" for n in range(12)]
    embed.embed_everything()
    people = [make_person(f"p{n}") for n in range(30)]
    rng = np.random.default_rng(0)
    for n, person in enumerate(people):
        for day, place in enumerate(rng.permutation(12)[:8], start=1):
            import_feedback(person, items[12 * (n % 5) + int(place)], days_ago=day)
    spaces("create", "new", "--model", "wide")
    with pytest.raises(CommandError, match="fill it first"):
        spaces("compare", "new")
    spaces("fill", "new")
    capsys.readouterr()
    spaces("compare", "new")
    out = capsys.readouterr().out
    assert out.startswith("30 people")
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[1:]] == [store.active_space().name, "new"]
    assert "category distance@10" in rows[0]


def test_the_index_is_measured_against_the_exact_search(shop, capsys):
    store.build_index(store.active_space())
    spaces("list", "--recall")
    assert "recall@200 1.000" in capsys.readouterr().out


def test_the_encoder_process_has_the_models_of_all_spaces_that_are_kept(shop, monkeypatch):
    from recommender.management.commands import encoder as command

    monkeypatch.setattr(command, "load", embed.encoder.load)
    said = []
    beside = LoadedBeside(said.append)
    beside.look()
    assert not beside
    spaces("create", "new", "--model", "wide")
    beside.look()
    assert beside["wide"].dimension == WIDE
    store.retire(named("new"))
    beside.look()
    assert not beside
    assert len(said) == 2


@pytest.fixture
def crowd():
    """A shop with enough feedback to learn from: each likes items of one kind."""
    items = [make_item(f"{what} {n}", categories=[what]) for what in "abc" for n in range(8)]
    embed.embed_everything()
    rng = np.random.default_rng(0)
    for n in range(24):
        person = make_person(f"p{n}")
        for day, place in enumerate(rng.permutation(8)[:6], start=1):
            import_feedback(person, items[8 * (n % 3) + int(place)], days_ago=day)
    return items


def served() -> tuple[str, int]:
    """The active space, and of which space the maps are that requests rank by."""
    space, version = store.active_space(), store.active_version()
    model = store.model_served(version.pk, store.Space(space.id, space.dimension))
    return space.name, model.space_id


def test_a_version_learned_in_a_new_space_is_served_with_it_from_the_switch_on(crowd, alice):
    old = store.active_space()
    train.activate(first := train.train(), force=True)
    spaces("create", "new", "--model", "wide")
    with pytest.raises(CommandError, match="0 of 24 items: fill it first"):
        spaces("train", "new")
    spaces("fill", "new")
    spaces("train", "new")
    second = store.versions()[0]
    ModelVersion.objects.filter(pk=second.pk).update(has_passed=True)  # so few judge badly
    assert (second.space, second.status, store.active_version()) == (
        named("new"),
        "inactive",
        first,
    )
    assert served() == (old.name, old.id)
    Job.objects.all().delete()

    spaces("activate", "new")
    assert store.active_version() == second
    assert served() == ("new", named("new").id)
    assert not Job.objects.filter(kind="train").exists()
    assert Job.objects.filter(kind="relearn").exists()
    assert len(recommend(alice.pk, limit=5).results) == 5

    spaces("back")
    assert store.active_version() == first
    assert served() == (old.name, old.id)


def test_a_version_that_did_not_pass_is_not_served_with_its_space(crowd):
    old = store.active_space()
    train.activate(first := train.train(), force=True)
    spaces("create", "new", "--model", "wide")
    spaces("fill", "new")
    spaces("train", "new")
    ModelVersion.objects.exclude(pk=first.pk).update(has_passed=False)
    spaces("activate", "new")
    assert store.active_version() == first
    assert served() == ("new", old.id)  # and its maps of texts are left out
    assert Job.objects.filter(kind="train").exists()


def test_lists_come_from_the_space_in_use_while_another_is_half_filled(shop, alice, capsys):
    give(alice, shop[0])
    before = [row.facts.title for row in recommend(alice.pk, limit=5).results]
    spaces("create", "new", "--model", "wide")
    embed.embed_items(named("new"), [item.pk for item in shop[:5]])
    assert [row.facts.title for row in recommend(alice.pk, limit=5).results] == before
    with pytest.raises(CommandError, match="5 of 12 items"):
        spaces("activate", "new")
    capsys.readouterr()
    spaces("activate", "new", "--force")
    assert capsys.readouterr().out.startswith("7 of 12 items have no vector in it yet")
    assert len(recommend(alice.pk, limit=5).results) == 5
