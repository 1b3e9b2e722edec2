"""What follows what: learned in parts of a history, as of the whole."""

import numpy as np
import pytest

from recommender.candidates import order


@pytest.mark.parametrize("last", [1, 2, 30])
def test_parts_of_the_events_teach_what_the_whole_does(monkeypatch, last):
    """Also where the last person's history alone is longer than a part."""
    random = np.random.default_rng(0)
    people = np.repeat(np.arange(9), [*[8] * 8, last])
    items = random.integers(0, 5, len(people))
    whole = order.learn_next(people, items, n_items=5, k=4)
    assert (whole.weights > 0).any()
    monkeypatch.setattr(order, "CHUNK_EVENTS", 20)
    parts = order.learn_next(people, items, n_items=5, k=4)
    np.testing.assert_array_equal(parts.ids, whole.ids)
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=1e-5)
