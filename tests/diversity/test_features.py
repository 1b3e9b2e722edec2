"""Text and categories in one vector: twins are one, and who lacks one of the two is not unlike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.features import joint_features

EAST, NORTH, NONE = [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]


def likeness(vectors: list, categories: list, **more) -> float:
    one, other = joint_features(np.array(vectors), np.array(categories, dtype=bool), **more)
    return float(one @ other)


def test_it_mixes_the_cosines_of_texts_and_of_category_sets():
    # cosine 0.6, one category in common of 1 and 4: 1 / sqrt 4
    mixed = likeness([EAST, [0.6, 0.8]], [[1, 0, 0, 0], [1, 1, 1, 1]], category_share=0.4)
    assert mixed == pytest.approx(0.6 * 0.6 + 0.4 * 0.5)


@pytest.mark.parametrize(("share", "expected"), [(0, 0.0), (0.25, 0.25), (0.5, 0.5), (1, 1.0)])
def test_unlike_texts_of_one_category_are_as_alike_as_its_share(share, expected):
    assert likeness([EAST, NORTH], [[1], [1]], category_share=share) == pytest.approx(expected)


@pytest.mark.parametrize(("vector", "category"), [(EAST, [1]), (NONE, [1]), (EAST, [0])])
def test_twins_are_twins_with_both_or_one_of_the_two(vector, category):
    assert likeness([vector, vector], [category, category]) == pytest.approx(1)


def test_with_neither_an_item_is_unlike_everything_itself_too():
    assert likeness([NONE, NONE], [[0], [0]]) == 0
    assert likeness([NONE, EAST], [[0], [1]]) == 0


def test_there_may_be_no_categories_at_all_and_no_items():
    assert joint_features(np.array([EAST]), np.zeros((1, 0), bool)).tolist() == [EAST]
    assert joint_features(np.zeros((0, 2)), np.zeros((0, 3), bool)).shape == (0, 5)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(ValueError, match="category_share"):
        joint_features(np.eye(2), np.ones((2, 1), bool), category_share=share)


@pytest.mark.parametrize("categories", [np.ones((3, 1), bool), np.ones(2, bool)])
def test_shapes_that_disagree_are_refused(categories):
    with pytest.raises(ValueError, match="shapes disagree"):
        joint_features(np.eye(2), categories)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_rows_have_length_one_unless_there_is_nothing_in_them(seed, share):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[rng.random(12) < 0.3] = 0
    categories = rng.random((12, 4)) < 0.3
    length = np.linalg.norm(joint_features(vectors, categories, category_share=share), axis=1)
    has = vectors.any(axis=1) | categories.any(axis=1)
    assert length == pytest.approx(has.astype(float), abs=1e-5)
