"""Text and categories in one vector: twins are one, and who lacks one of the two is not unlike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.features import Shares, joint_features, mixed_features

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


def pool(seed: int, n: int = 6) -> dict[str, np.ndarray]:
    """Rows of which some lack one likeness or another."""
    rng = np.random.default_rng(seed)
    there = rng.random((4, n, 1)) < 0.8
    return {
        "text": rng.standard_normal((n, 5)) * there[0],
        "categories": rng.random((n, 4)) < 0.4,
        "topics": rng.random((n, 3)) * there[1],
        "creators": rng.integers(-1, 3, n),
        "behaviour": rng.standard_normal((n, 2)) * there[2],
    }


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / lengths) if lengths else 0.0


@given(st.integers(0, 2**32 - 1))
def test_five_likenesses_are_mixed_by_their_shares_where_both_have_all(seed):
    rows = {name: block[:2] for name, block in pool(seed).items()}
    rows["creators"] = np.array([7, 7])
    rows |= {name: rows[name] + 0.1 for name in ("text", "topics", "behaviour")}
    rows["categories"][:, 0] = True
    one, other = mixed_features(Shares(3, 2, 1, 1, 1), **rows)
    likenesses = [
        cosine(*np.asarray(rows[name], float)) for name in ("text", "categories", "topics")
    ]
    likenesses += [1.0, cosine(*rows["behaviour"])]
    assert one @ other == pytest.approx(np.average(likenesses, weights=[3, 2, 1, 1, 1]), abs=1e-5)


@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0.1, 5), min_size=5, max_size=5))
def test_every_mixed_row_is_a_unit_row_or_nothing_is_known_of_it(seed, shares):
    rows = pool(seed)
    mixed = mixed_features(Shares(*shares), **rows)
    known = rows["creators"] >= 0
    for name in ("text", "categories", "topics", "behaviour"):
        known |= rows[name].any(axis=1)
    assert np.linalg.norm(mixed, axis=1) == pytest.approx(known.astype(float), abs=1e-5)
    assert mixed.dtype == np.float32


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_of_text_and_categories_alone_it_is_what_joint_features_gives(seed, share):
    rows = pool(seed)
    text = rows["text"] / np.maximum(np.linalg.norm(rows["text"], axis=1, keepdims=True), 1e-9)
    one = joint_features(text, rows["categories"], category_share=share)
    other = mixed_features(
        Shares(1 - share, share, 1, 1, 1), text=text, categories=rows["categories"]
    )
    assert other == pytest.approx(one, abs=1e-5)


def test_a_share_of_nothing_adds_no_width():
    rows = pool(0)
    assert mixed_features(Shares(), **rows).shape == (6, 5 + 4)
    assert mixed_features(Shares(0, 0, 0, 1, 0), **rows).shape[1] <= 3
    lone = mixed_features(Shares(0, 0, 0, 1, 0), creators=np.array([4, -1, 4]))
    assert (lone @ lone.T).tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize("wrong", [(-1, 1), (np.nan, 1), (0, 0), (np.inf, 0)])
def test_shares_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="shares must"):
        Shares(*wrong)


def test_mixed_shapes_that_disagree_and_nothing_at_all_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        mixed_features(Shares(), text=np.eye(3), categories=np.ones((2, 1), bool))
    with pytest.raises(ValueError, match="shapes disagree"):
        mixed_features(Shares(), text=np.ones(3))
    with pytest.raises(ValueError, match="nothing is given"):
        mixed_features(Shares(), topics=np.eye(3))
