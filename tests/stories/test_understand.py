"""Topics of an item: in its own words, equal to its text, and an editor has the last word."""

import pytest
from django.core.management import call_command

from catalog import services
from catalog.models import Item
from recommender import embed, jobs, store, understand
from recommender.embeddings.encoder import EncoderError
from recommender.models import ItemReading, ItemTopic, Job, Topic
from tests.factories import make_item

pytestmark = pytest.mark.django_db


def work_off() -> None:
    """What relay and worker do, in this process, until nothing is left to do."""
    from recommender import tasks

    work = {"embed": tasks.embed, "understand": tasks.understand_items}
    for _ in range(4):
        Job.objects.update(due_at="2026-01-01T00:00Z")
        for kind, ids in jobs.take():
            if kind in work:
                work[kind](ids)


def names(item: Item) -> list[str]:
    return [topic.name for topic in store.topics_of(item.pk)]


def test_a_saved_item_gets_topics_in_its_own_words():
    item = make_item("Night train", description="The only witness is a chess prodigy.")
    work_off()
    found = names(item)
    assert {"Night train", "chess prodigy"} <= set(found)
    assert all(name in f"{item.title} {item.description}" for name in found)
    assert jobs.open_jobs() == 0


def test_a_chinese_item_gets_chinese_topics():
    item = make_item("深度学习入门", description="本文介绍推荐系统的冷启动问题。")
    work_off()
    topics = store.topics_of(item.pk)
    assert {"推荐系统"} <= {topic.name for topic in topics}
    assert {topic.language for topic in topics} == {"zh"}


def test_a_new_text_takes_old_topics_away_and_a_new_price_costs_nothing(monkeypatch):
    item = make_item("blue kettle")
    work_off()
    item.title = "garden chair"
    services.save_item(item)
    work_off()
    assert names(item) == ["garden chair"]
    item.price = 7
    services.save_item(item)
    monkeypatch.setattr(understand, "phrases_of", lambda content: pytest.fail("was read again"))
    work_off()
    assert names(item) == ["garden chair"]
    assert jobs.open_jobs() == 0


def test_an_item_edited_while_it_is_read_ends_with_the_topics_of_its_new_text(monkeypatch):
    item = make_item("blue kettle")
    embed.embed_items(None, [item.pk])
    choose = understand.choose

    def slowly(*args):
        item.title = "garden chair"
        services.save_item(item)
        return choose(*args)

    with monkeypatch.context() as patch:
        patch.setattr(understand, "choose", slowly)
        assert understand.understand_items([item.pk]) == 0
    assert names(item) == []
    work_off()
    assert names(item) == ["garden chair"]


def test_a_text_newer_than_its_vector_is_left_to_the_embedding_that_is_on_the_way():
    item = make_item("blue kettle")
    work_off()
    item.title = "garden chair"
    services.save_item(item)
    assert understand.understand_items([item.pk]) == 0
    assert names(item) == ["blue kettle"]
    work_off()
    assert names(item) == ["garden chair"]


def test_what_three_items_have_is_a_topic_of_the_catalogue():
    for title in ("Blue kettle", "blue kettles"):
        make_item(title, description="It boils.")
    work_off()
    assert not Topic.objects.filter(is_shared=True).exists()
    third = make_item("A blue kettle", description="Steel.")
    work_off()
    assert list(Topic.objects.filter(is_shared=True).values_list("slug", flat=True)) == [
        "blue-kettle"
    ]
    first = store.topics_of(third.pk)[0]
    assert (first.slug, first.is_shared) == ("blue-kettle", True)


def test_the_name_of_a_topic_is_the_singular_once_an_item_has_it():
    make_item("red kettles")
    work_off()
    assert Topic.objects.get(slug="red-kettle").name == "red kettles"
    make_item("red kettle")
    work_off()
    assert Topic.objects.get(slug="red-kettle").name == "red kettle"


def test_what_an_editor_chose_stays_and_what_an_editor_removed_stays_away():
    item = make_item("blue kettle", description="steel handle, wooden lid")
    work_off()
    chosen = Topic.objects.create(slug="camping", name="camping", language="en")
    ItemTopic.objects.create(item=item, topic=chosen)
    ItemTopic.objects.filter(item=item, topic__slug="blue-kettle").update(
        source="editor", is_removed=True
    )
    item.description = "steel handle, wooden lid, long spout"
    services.save_item(item)
    work_off()
    found = store.topics_of(item.pk)
    assert (found[0].name, found[0].is_shared) == ("camping", True)
    assert "blue kettle" not in names(item)
    assert "steel handle" in names(item)


def test_a_hidden_topic_is_shown_of_no_item():
    item = make_item("blue kettle", description="steel handle")
    work_off()
    Topic.objects.filter(slug="blue-kettle").update(is_hidden=True)
    assert "blue kettle" not in names(item)


def test_search_finds_an_item_by_a_topic_that_an_editor_gave_it():
    item = make_item("blue kettle")
    work_off()
    ItemTopic.objects.create(item=item, topic=Topic.objects.create(slug="camping", name="Camping"))
    assert store.items_with_words("'camping'", limit=5) == []
    services.save_item(item)  # as the admin does
    work_off()
    assert store.items_with_words("'camping'", limit=5) == [item.pk]


def test_without_its_model_an_item_waits_for_its_topics(monkeypatch):
    item = make_item("blue kettle")
    embed.embed_items(None, [item.pk])

    def missing(space):
        raise EncoderError("no model folder: manage.py install_model")

    with monkeypatch.context() as patch:
        patch.setattr(understand, "encoder_of", missing)
        work_off()
    job = Job.objects.get(kind="understand", key=item.pk)
    assert (job.attempts, job.parked_at, job.done_at) == (0, None, None)
    work_off()
    assert names(item) == ["blue kettle"]


def test_the_sweep_finds_items_of_a_new_space_and_of_another_way_to_read(monkeypatch):
    item = make_item("blue kettle")
    work_off()
    understand.sweep()
    assert jobs.open_jobs("understand") == 0
    monkeypatch.setattr(understand.topics, "VERSION", 2)
    understand.sweep()
    assert jobs.open_jobs("understand") == 1
    work_off()
    assert store.readings([item.pk])[item.pk][1] == 2
    ItemReading.objects.update(fingerprint=b"of the space before")
    understand.sweep()
    assert jobs.open_jobs("understand") == 1


def test_the_sweep_counts_what_a_crash_left_uncounted_and_forgets_keywords_of_no_item():
    items = [make_item("blue kettle", description=f"number {n}") for n in range(3)]
    work_off()
    Topic.objects.update(is_shared=False, created_at="2026-01-01T00:00Z")
    for item in items[1:]:
        item.description = "garden chair"
        services.save_item(item)
    work_off()
    lone = Topic.objects.create(slug="lone", name="lone", created_at="2026-01-01T00:00Z")
    fresh = Topic.objects.create(slug="fresh", name="fresh")
    understand.sweep()
    assert Topic.objects.get(slug="blue-kettle").is_shared
    assert not Topic.objects.filter(pk=lone.pk).exists()
    assert Topic.objects.filter(pk=fresh.pk).exists()


def test_a_phrase_is_encoded_once_a_run(monkeypatch):
    make_item("blue kettle", description="steel handle")
    make_item("red kettle", description="steel handle")
    embed.embed_everything()
    asked: list[str] = []
    encoder = understand.encoder_of(store.active_space())

    class Counting:
        def encode(self, texts, *, role):
            asked.extend(texts)
            return encoder.encode(texts, role=role)

    monkeypatch.setattr(understand, "encoder_of", lambda space: Counting())
    monkeypatch.setattr(understand, "CHUNK", 1)
    assert understand.understand_everything() == (2, len(asked))
    assert asked.count("steel handle") == 1
    assert understand.understand_everything() == (0, 0)


def test_a_run_forgets_the_phrases_that_were_asked_for_longest_ago():
    make_item("kettle")
    embed.embed_everything()
    vectors = understand.PhraseVectors(store.active_space(), most=2)
    for phrases in (["a"], ["b"], ["a"], ["c"], ["a"], ["b"]):
        assert set(vectors.of(phrases)) == set(phrases)
    assert vectors.encoded == 4


def test_the_command_reads_all_items_and_leaves_no_work(capsys):
    item = make_item("blue kettle")
    embed.embed_everything()
    assert jobs.open_jobs("understand") == 1
    call_command("understand")
    assert "1 items, 1 read" in capsys.readouterr().out
    assert names(item) == ["blue kettle"]
    assert jobs.open_jobs("understand") == 0
    assert (
        store.broken_invariants()[
            "each shown item's topics are those of its vector, or there is work that will"
        ]
        == 0
    )
