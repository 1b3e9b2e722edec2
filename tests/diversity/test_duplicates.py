"""The same thing twice is shown once; a remake, a sequel and a namesake are other things."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.duplicates import alike, duplicate_of, plain, trigram_likeness


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Blade Runner", "BLADE RUNNER"),
        ("Blade Runner", "Blade Runner: The Director's Cut"),
        ("Moby-Dick", "Moby Dick (unabridged, paperback)"),
        ("The Ice Storm", "Ice Storm, The"),
        ("Amélie", "Amelie!"),
        ("Rocky II", "Rocky 2"),
        ("Ｃａｆé", "cafe"),
        ("流浪地球", "流浪地球 "),
        ("Unabridged", "UNABRIDGED"),
    ],
)
def test_titles_that_read_the_same_are_of_one_thing_if_the_texts_are_near(title, other):
    assert plain(title) == plain(other) != ""
    assert alike(title, other, 0.8)
    assert not alike(title, other, 0.7)  # a remake, or a namesake


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("The Shawshank Redemption", "The Shawshank Redemtion"),
        ("How to bake bread at home", "How to bake bread at home [repost] fixed"),
    ],
)
def test_titles_that_read_nearly_alike_want_nearer_texts(title, other):
    assert alike(title, other, 0.85)
    assert not alike(title, other, 0.78)


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("Jaws", "Jaws 2"),
        ("Rocky II", "Rocky III"),
        ("Young Guns", "Young Guns II"),
        ("新闻联播 第一季", "新闻联播 第二季"),
        ("Results of 2023", "Results of 2024"),
        ("Twister", "Three Colors: White"),
    ],
)
def test_another_number_or_another_title_is_another_thing_however_near_the_texts(title, other):
    assert not alike(title, other, 1.0)


def test_likeness_of_titles_is_that_of_pg_trgm():
    # SELECT similarity('word', 'two words'): 4 trigrams of 11
    assert trigram_likeness("word", "two words") == pytest.approx(4 / 11)
    assert trigram_likeness("", "") == 0


EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def test_of_a_group_the_most_relevant_is_shown_and_of_equals_the_lower_row():
    titles = ["Heat", "heat", "Heat (special edition)", "Alien", "Alien"]
    vectors = np.array([EAST, EAST, EAST, NORTH, NORTH])
    shown_for = duplicate_of(vectors, titles, np.array([0.1, 0.9, 0.5, 0.4, 0.4]))
    assert shown_for.tolist() == [1, 1, 1, 3, 3]
    assert (np.bincount(shown_for) - 1).max() == 2  # "and 2 similar"


def test_a_group_does_not_grow_in_a_chain():
    # Each is near to its neighbour alone.
    turned = np.deg2rad([0, 40, 80])
    vectors = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    assert duplicate_of(vectors, ["Heat"] * 3, np.array([3, 2, 1])).tolist() == [0, 0, 2]
    assert duplicate_of(vectors, ["Heat"] * 3, np.array([1, 2, 1])).tolist() == [1, 1, 1]


def test_a_row_without_a_vector_is_a_duplicate_of_nothing():
    vectors = np.array([[0.0, 0.0], [0.0, 0.0], EAST])
    assert duplicate_of(vectors, ["Heat"] * 3, np.ones(3)).tolist() == [0, 1, 2]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_whoever_is_shown_for_another_is_shown_and_at_least_as_relevant(seed, n):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, 2))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance = rng.integers(0, 4, n)
    titles = rng.choice(["Heat", "HEAT", "Heat 2", "Heats", "Alien"], n).tolist()
    shown_for = duplicate_of(vectors, titles, relevance)
    for row, other in enumerate(shown_for):
        assert shown_for[other] == other
        assert relevance[other] >= relevance[row]
        assert row == other or alike(titles[row], titles[other], vectors[row] @ vectors[other])
    # No two that are shown are of one thing.
    shown = np.flatnonzero(shown_for == np.arange(n))
    for row in shown:
        for other in shown:
            assert row == other or not alike(
                titles[row], titles[other], vectors[row] @ vectors[other]
            )


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        duplicate_of(np.eye(2), ["Heat"], np.ones(2))
    with pytest.raises(ValueError, match="shapes disagree"):
        duplicate_of(np.eye(2), ["Heat", "Heat"], np.ones(3))
