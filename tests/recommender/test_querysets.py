"""A diverse list from a queryset of a model that is not Medley's."""

import numpy as np
import pytest
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import connection, models
from django.test.utils import isolate_apps
from pgvector.django import HalfVectorField, HnswIndex, VectorField

from recommender.diversity import Limits
from recommender.querysets import diverse

pytestmark = pytest.mark.django_db

EAST, NORTH, UP = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]

with isolate_apps("recommender"):

    class Label(models.Model):
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "recommender"

    class Post(models.Model):
        """What a project of somebody else may hold."""

        title = models.CharField(max_length=20)
        embedding = VectorField(dimensions=3, null=True)
        half = HalfVectorField(dimensions=3, null=True)
        author = models.CharField(max_length=20, null=True)
        labels = models.ManyToManyField(Label)
        is_public = models.BooleanField(default=True)
        likes = models.FloatField(null=True)

        class Meta:
            app_label = "recommender"
            indexes = [
                HnswIndex(fields=["embedding"], name="post_near", opclasses=["vector_cosine_ops"])
            ]


@pytest.fixture(autouse=True)
def tables(db):
    with connection.schema_editor() as editor:
        editor.create_model(Label)
        editor.create_model(Post)


def post(title: str, vector: list[float] | None, labels: str = "", **fields) -> Post:
    row = Post.objects.create(title=title, embedding=vector, half=vector, **fields)
    row.labels.set([Label.objects.get_or_create(name=name)[0] for name in labels.split()])
    return row


def titles(found) -> list[str]:
    return [row.title for row in found.rows]


def twins_and_a_stranger() -> None:
    post("east", EAST)
    post("east again", [1.0, 0.01, 0.0])
    post("north", NORTH)
    post("up", UP)


@pytest.mark.parametrize("field", ["embedding", "half"])
def test_a_twin_of_a_chosen_row_gives_way_to_a_stranger(field):
    twins_and_a_stranger()
    nearest = diverse(Post.objects.all(), field, 2, near=[0.8, 0.6, 0.0], budget=0)
    assert titles(nearest) == ["east again", "east"]
    assert nearest.relevance == pytest.approx([0.806, 0.8], abs=1e-3)
    varied = diverse(Post.objects.all(), field, 2, near=[0.8, 0.6, 0.0], budget=0.2)
    assert titles(varied) == ["east again", "north"]
    assert 0 < varied.chosen.cost <= 0.2


def test_relevance_can_be_a_number_of_ones_own():
    post("much liked", EAST, likes=9)
    post("liked", [1.0, 0.01, 0.0], likes=8)
    post("hardly liked", UP, likes=7)
    post("unknown", NORTH)
    post("without a vector", None, likes=10)
    every = diverse(Post.objects.all(), "embedding", 9, relevance="likes", budget=0)
    assert titles(every) == ["much liked", "liked", "hardly liked"]
    doubled = Post.objects.annotate(twice=models.F("likes") * 2)
    assert titles(diverse(doubled, "embedding", 2, relevance="twice", budget=0.2)) == [
        "much liked",
        "hardly liked",
    ]


def test_limits_speak_of_relations_and_of_columns():
    post("a", EAST, "sea calm", author="Ann")
    post("b", EAST, "sea", author="Ann")
    post("c", EAST, "sea", author="Bob")
    post("d", NORTH, "hill")
    found = diverse(
        Post.objects.all(),
        "embedding",
        3,
        near=EAST,
        budget=0,
        categories="labels__name",
        creator="author",
        limits=Limits(max_per_creator=1, min_categories=3),
    )
    assert set(titles(found)) == {"a", "c", "d"}
    assert found.chosen.unmet == ()
    mixed = diverse(
        Post.objects.all(), "embedding", 2, near=EAST, categories="labels", strategy="xquad"
    )
    assert titles(mixed)[0] == "a"


def test_the_queryset_stays_as_it_was_filtered_and_rows_without_a_vector_are_left_out():
    twins_and_a_stranger()
    Post.objects.filter(title="east").update(is_public=False)
    post("empty", None)
    post("nothing", [0.0, 0.0, 0.0])  # has no direction, so no cosine
    found = diverse(Post.objects.filter(is_public=True), "embedding", 9, near=EAST)
    assert sorted(titles(found)) == ["east again", "north", "up"]


def test_a_filter_that_few_rows_pass_still_fills_the_list():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3_000, 3))
    Post.objects.bulk_create(
        Post(title=f"{n}", embedding=vector.tolist(), is_public=n % 100 == 0)
        for n, vector in enumerate(vectors)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recommender_post; SET LOCAL enable_seqscan = off")
    public = Post.objects.filter(is_public=True)
    assert len(diverse(public, "embedding", 20, near=EAST).rows) == 20


def test_of_rows_equally_near_the_first_by_key_comes_first():
    first, second = post("first", EAST), post("second", EAST)
    post("third", EAST)
    Post.objects.filter(pk=first.pk).update(title="written last")  # stands behind the others now
    found = diverse(Post.objects.all(), "embedding", 2, near=EAST, budget=0)
    assert [row.pk for row in found.rows] == [first.pk, second.pk]


def test_limits_look_at_candidates_alone():
    for n in range(5):
        post(f"{n}", EAST, "sea", author="Ann", is_public=n < 2)
    found = diverse(
        Post.objects.filter(is_public=True),
        "embedding",
        5,
        near=EAST,
        categories="labels",
        creator="author",
        limits=Limits(max_per_category=5, max_per_creator=5),
    )
    assert len(found.rows) == 2


def test_of_several_creators_the_first_counts():
    post("a", EAST, "ann bob")
    post("b", EAST, "bob")
    limits = Limits(max_per_creator=1)
    found = diverse(
        Post.objects.all(), "embedding", 2, near=EAST, creator="labels__name", limits=limits
    )
    assert found.chosen.unmet == ()


def test_the_number_of_statements_does_not_grow(django_assert_num_queries):
    def listed() -> None:
        diverse(
            Post.objects.all(),
            "embedding",
            5,
            near=EAST,
            categories="labels",
            creator="author",
            limits=Limits(max_per_creator=2),
        )

    for size in (10, 90):
        for n in range(size):
            post(f"{n}", [1.0, n / 10, 0.0], f"l{n % 7}", author=f"{n % 5}")
        # a savepoint and its end, settings of the scan, candidates, categories, creators
        with django_assert_num_queries(6):
            listed()


def test_nothing_found_is_an_empty_list():
    found = diverse(Post.objects.none(), "embedding", 5, near=EAST, categories="labels")
    assert found.rows == []
    assert found.relevance == []
    assert diverse(Post.objects.all(), "embedding", 0, near=EAST).rows == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "near to"),
        ({"near": EAST, "relevance": "likes"}, "near to"),
        ({"near": [1.0, 0.0]}, "does not fit"),
        ({"near": [0.0, 0.0, 0.0]}, "not all 0"),
        ({"near": [float("nan"), 0.0, 0.0]}, "finite"),
        ({"near": EAST, "k": -1}, "at least 0"),
        ({"near": EAST, "k": "5"}, "whole number"),
        ({"near": EAST, "field": "title"}, "no vectors"),
        ({"near": EAST, "strategy": "luck"}, "luck"),
        ({"near": EAST, "budget": 2}, "budget"),
        ({"near": EAST, "limits": Limits(max_per_creator=1)}, "needs creators"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(wrong, says):
    twins_and_a_stranger()
    asked = {"field": "embedding", "k": 3} | wrong
    with pytest.raises(ValueError, match=says):
        diverse(Post.objects.all(), asked.pop("field"), asked.pop("k"), **asked)


def test_a_sliced_queryset_or_one_of_values_is_refused():
    for queryset in (Post.objects.all()[:5], Post.objects.values("title")):
        with pytest.raises(ValueError, match="not sliced"):
            diverse(queryset, "embedding", 3, near=EAST)


def test_a_name_that_the_model_does_not_have_is_djangos_error():
    with pytest.raises(FieldDoesNotExist):
        diverse(Post.objects.all(), "vector", 3, near=EAST)
    post("a", EAST)
    with pytest.raises(FieldError):
        diverse(Post.objects.all(), "embedding", 3, near=EAST, categories="kinds")
