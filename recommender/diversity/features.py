"""One vector a row for text and categories together, so that a diversifier sees both at once."""

import numpy as np

CATEGORY_SHARE = 0.4


def joint_features(
    vectors: np.ndarray, categories: np.ndarray, *, category_share: float = CATEGORY_SHARE
) -> np.ndarray:
    """(n, d + c) float32 unit rows whose dot product mixes two likenesses.

    vectors     (n, d) unit rows; a row of zeros is an item without a vector yet
    categories  (n, c) bool
    Two items that have both are (1 - share) cosine of vectors + share cosine of category sets
    alike: 1 for twins, and two sets of sizes a and b with m in common have cosine m / sqrt(a b).
    An item with only one of the two has all its length there, so that twins still are twins; one
    with neither is a row of zeros, unlike everything.
    Raises      ValueError if shapes disagree or category_share is outside [0, 1]
    """
    n, d = np.shape(vectors)
    if np.ndim(categories) != 2 or len(categories) != n:
        raise ValueError(f"shapes disagree: {(n, d)} vectors, {np.shape(categories)} categories")
    if not 0 <= category_share <= 1:
        raise ValueError(f"category_share must be in [0, 1], got {category_share}")
    joined = np.empty((n, d + categories.shape[1]), dtype=np.float32)
    size = np.asarray(categories).sum(axis=1, dtype=np.float32)
    has_vector, has_category = np.asarray(vectors).any(axis=1), size > 0
    of_text = np.sqrt(np.where(has_category, 1 - category_share, 1.0), dtype=np.float32)
    of_categories = np.where(has_vector, category_share, 1.0) / np.maximum(size, 1)
    np.multiply(vectors, of_text[:, None], out=joined[:, :d])
    np.multiply(categories, np.sqrt(of_categories)[:, None], out=joined[:, d:], casting="same_kind")
    return joined
