"""Each item's vector equals its content, whatever happens in between."""

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction

from catalog import services
from catalog.models import Item
from recommender import embed, encoders, jobs, store
from recommender.embeddings.encoder import EncoderError
from recommender.models import EmbeddingSpace, ItemEmbedding, Job
from tests.factories import make_item, make_version

pytestmark = pytest.mark.django_db


def work_off() -> None:
    """What relay and worker do, in this process."""
    from recommender import tasks

    Job.objects.update(due_at="2026-01-01T00:00Z")
    for kind, ids in jobs.take():
        if kind == "embed":
            tasks.embed(ids)


def vector(item) -> np.ndarray:
    return np.array(ItemEmbedding.objects.get(item=item).embedding)


def expected(text: str) -> np.ndarray:
    """The vector of a text in the active space, as it is stored."""
    from recommender.embeddings import centring

    space = store.active_space()
    raw = embed.encoder_of(space).encode([text], role="item")
    return centring.centre(raw, np.array(space.mean_item, dtype=np.float32))[0]


def test_a_saved_item_is_embedded_by_the_work_it_caused():
    item = make_item("blue kettle")
    work_off()
    assert np.allclose(vector(item), expected("blue kettle."), atol=1e-3)
    assert jobs.open_jobs("embed") == 0


def test_an_unchanged_item_costs_no_encoding(monkeypatch):
    item = make_item("blue kettle")
    work_off()
    item.price = 7
    services.save_item(item)
    monkeypatch.setattr(embed, "encoder_of", lambda space: pytest.fail("was encoded again"))
    work_off()
    assert jobs.open_jobs("embed") == 0


def test_an_item_edited_while_it_is_encoded_ends_with_the_vector_of_its_new_text(monkeypatch):
    item = make_item("blue kettle")
    work_off()
    item.title = "red kettle"
    services.save_item(item)
    encoder = embed.encoder_of(store.active_space())

    class Slow:
        def encode(self, texts, *, role):
            item.title = "green kettle"
            services.save_item(item)
            return encoder.encode(texts, role=role)

    with monkeypatch.context() as patch:
        patch.setattr(embed, "encoder_of", lambda space: Slow())
        work_off()
    assert jobs.open_jobs("embed") == 1
    work_off()
    assert np.allclose(vector(item), expected("green kettle."), atol=1e-3)
    assert jobs.open_jobs("embed") == 0


def test_without_its_model_an_item_waits_and_can_be_found_by_words(monkeypatch):
    make_item("red kettle")
    work_off()
    item = make_item("blue kettle")

    def missing(space):
        raise EncoderError("no model folder: manage.py install_model")

    with monkeypatch.context() as patch:
        patch.setattr(embed, "encoder_of", missing)
        work_off()
    job = Job.objects.get(kind="embed", key=item.pk)
    assert (job.attempts, job.parked_at, job.done_at) == (0, None, None)
    assert "install_model" in job.error
    assert store.items_with_words("'blue'", limit=5) == [item.pk]
    work_off()
    assert ItemEmbedding.objects.filter(item=item).exists()


def test_a_removed_item_is_not_embedded():
    item = make_item("blue kettle")
    services.remove_items([item.pk])
    work_off()
    assert not ItemEmbedding.objects.exists()
    assert jobs.open_jobs("embed") == 0


def test_the_sweep_finds_what_no_announcement_told_of():
    item = make_item("blue kettle")
    work_off()
    Item.objects.filter(pk=item.pk).update(title="red kettle")
    assert embed.request_stale() == 1
    work_off()
    assert np.allclose(vector(item), expected("red kettle."), atol=1e-3)
    assert embed.request_stale() == 0


def test_a_space_of_another_model_is_refused():
    make_item("blue kettle")
    work_off()
    EmbeddingSpace.objects.update(digest="0" * 64)
    encoders._loaded.clear()
    with pytest.raises(EncoderError):
        embed.encoder_of(store.active_space())


def test_one_space_is_active_by_a_constraint():
    first = embed.create_space()
    with pytest.raises(IntegrityError), transaction.atomic():
        EmbeddingSpace.objects.create(
            name="second",
            backend="hashing",
            model="hashing",
            digest="1",
            dimension=64,
            mean_item=[],
            mean_query=[],
            status="active",
        )
    second = embed.create_space(name="second", activate=False)
    store.activate(second)
    first.refresh_from_db()
    assert (first.status, store.active_space()) == ("standby", second)


def test_another_space_asks_for_a_training_and_the_first_one_does_not():
    embed.create_space(name="first")
    assert jobs.open_jobs("train") == 0
    store.activate_version(make_version("v1"))
    embed.create_space(name="second", activate=False)
    assert jobs.open_jobs("train") == 0
    embed.activate_space(EmbeddingSpace.objects.get(name="second"))
    assert store.active_space().name == "second"
    assert jobs.open_jobs("train") == 1


@pytest.mark.parametrize("length", [0.0, 0.5, 1.5])
def test_the_database_refuses_a_vector_that_is_not_of_unit_length(length):
    item, space = make_item("kettle"), embed.create_space()
    row = np.eye(space.dimension, dtype=np.float32)[:1] * length
    with pytest.raises(IntegrityError), transaction.atomic():
        store.put_embeddings(space, [item.pk], row, [b"x"])


@pytest.mark.django_db(transaction=True)
def test_vector_search_uses_the_index_of_its_space_with_its_filter_inside():
    """Space id and dimension are literals, so that the partial index can be used at all."""
    make_item("kettle")
    embed.embed_everything()
    row = store.active_space()
    at = store.Space(row.id, row.dimension)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "INSERT INTO catalog_item (uuid, source, kind, title, description, language, url,"
            " image_url, currency, is_available, attributes) SELECT gen_random_uuid(), 'x', 'item',"
            " 'n' || n, '', '', '', '', '', true, '{}' FROM generate_series(1, 3000) n"
        )
        cursor.execute("SELECT array_agg(id) FROM catalog_item WHERE source = 'x'")
        ids = cursor.fetchone()[0]
        rows = np.random.default_rng(0).standard_normal((len(ids), at.dimension))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        store.put_embeddings(row, ids, rows, [b""] * len(ids))
    store.build_index(row)
    assert store.index_state(row) == "valid"
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_item")
        cursor.execute("ANALYZE recommender_itemembedding")
    with connection.execute_wrapper(explained := Explain()):
        found = store.nearest_items(at, np.eye(at.dimension, dtype=np.float32)[0], limit=20)
    assert len(found) == 20
    assert at.index in explained.plan
    assert "Seq Scan on recommender_itemembedding" not in explained.plan


class Explain:
    """Keep the plan of each vector search that runs."""

    plan = ""

    def __call__(self, execute, sql, params, many, context):
        if "<=>" in sql and not sql.startswith("EXPLAIN"):
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN " + sql, params)
                self.plan = "\n".join(row[0] for row in cursor.fetchall())
        return execute(sql, params, many, context)


def test_half_floats_come_back_as_they_went_in():
    item, space = make_item("kettle"), embed.create_space()
    row = np.random.default_rng(0).standard_normal((1, space.dimension)).astype(np.float32)
    row /= np.linalg.norm(row)
    store.put_embeddings(space, [item.pk], row, [b"x"])
    at = store.Space(space.id, space.dimension)
    assert np.allclose(store.embedding_of(at, item.pk), row[0], atol=5e-4)


def test_means_are_fixed_when_a_space_is_made():
    space = embed.create_space()
    before = list(space.mean_item)
    for n in range(5):
        make_item(f"kettle {n}")
    embed.embed_everything()
    space.refresh_from_db()
    assert space.mean_item == before
