"""Centring takes out what all vectors share, and always gives unit rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from recommender.embeddings.centring import centre, mean


def test_the_mean_is_the_average_of_the_rows():
    assert mean(np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)).tolist() == [0.5, 0.5]


def test_rows_less_the_mean_are_unit_again():
    vectors = np.array([[0.8, 0.6], [0.8, -0.6]])
    assert centre(vectors, np.array([0.8, 0.0])).tolist() == [[0, 1], [0, -1]]


def test_what_was_near_because_of_the_cone_becomes_far():
    in_a_cone = np.array([[0.9, 0.3, 0.316], [0.9, -0.3, 0.316], [0.9, 0.0, -0.436]])
    assert (in_a_cone @ in_a_cone.T).min() > 0.6
    centred = centre(in_a_cone, mean(in_a_cone))
    assert (centred @ centred.T)[0, 1] < 0.2


def test_a_row_that_is_the_mean_keeps_its_own_direction():
    vectors = np.array([[0.6, 0.8]])
    assert centre(vectors, mean(vectors)).tolist() == [[np.float32(0.6), np.float32(0.8)]]


def test_a_row_as_near_to_the_mean_as_rounding_keeps_its_own_direction():
    centred = centre(np.array([[1.0, 0.0]]), np.array([0.9995, 0.0]))
    assert centred.tolist() == [[1, 0]]
    assert centre(np.array([[1.0, 0.0]]), np.array([1.0, 0.002])).tolist() == [[0, -1]]


def test_a_mean_of_zeros_leaves_unit_rows_alone():
    vectors = np.array([[0.6, 0.8], [0.0, -1.0]], dtype=np.float32)
    assert np.array_equal(centre(vectors, np.zeros(2)), vectors)


def test_no_rows_stay_no_rows():
    assert centre(np.empty((0, 3), dtype=np.float32), np.zeros(3)).shape == (0, 3)


def test_no_rows_have_no_mean():
    with pytest.raises(ValueError, match="a mean needs rows"):
        mean(np.empty((0, 3)))


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_rows_without_a_direction_are_refused(bad):
    with pytest.raises(ValueError, match="zero or not finite"):
        centre(np.array([[bad, 0.0]]), np.array([0.5, 0.0]))


def test_a_mean_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        centre(np.array([[1.0, 0.0]]), np.array([np.nan, 0.0]))


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        centre(np.ones((2, 3)), np.zeros(2))


@given(
    arrays(np.float64, (5, 4), elements=some.floats(-1, 1, width=32)),
    arrays(np.float64, 4, elements=some.floats(-1, 1, width=32)),
)
def test_every_row_that_comes_out_is_unit(vectors, middle):
    vectors[:, 0] += 2  # none is zero
    centred = centre(vectors, middle)
    assert centred.dtype == np.float32
    assert np.allclose(np.linalg.norm(centred, axis=1), 1, atol=1e-5)
