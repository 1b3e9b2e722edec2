"""Every strategy in the call shape of mmr(): those over aspects take signs of vectors for them."""

from functools import partial

import numpy as np
import pytest

from recommender.diversity import NEED_ASPECTS, STRATEGIES


def over_signs(choose, vectors, relevance, k, diversity, **more):
    if np.ndim(vectors) != 2 or not np.isfinite(vectors).all():
        aspects = np.zeros((len(vectors), 1))
    else:
        aspects = np.concatenate([np.asarray(vectors) > 0, np.asarray(vectors) < 0], axis=1)
    return choose(vectors, relevance, k, diversity, aspects=aspects, **more)


EVERY = {
    name: partial(over_signs, choose) if name in NEED_ASPECTS else choose
    for name, choose in STRATEGIES.items()
}
every = pytest.mark.parametrize("choose", EVERY.values(), ids=EVERY.keys())
