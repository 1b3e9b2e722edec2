"""One vector an item for all that two items can share: meaning and categories together.

Diversifiers know dot products alone, so what they should keep apart is put into the rows.
"""

import numpy as np

CATEGORY_SHARE = 0.4


def joint_features(
    vectors: np.ndarray, categories: np.ndarray, *, category_share: float = CATEGORY_SHARE
) -> np.ndarray:
    """(n, d + c) float32 rows of unit length, or of zeros for an item of which nothing is known.

    vectors     (n, d) unit rows, a row of zeros where there is none
    categories  (n, c) bool
    The dot product of two rows is (1 - share) · cosine of vectors + share · cosine of category
    sets. An item with one of the two alone is compared by that one: its row has unit length too.
    """
    if not 0 <= category_share <= 1:
        raise ValueError(f"category_share must be in [0, 1], got {category_share}")
    if vectors.ndim != 2 or categories.ndim != 2 or len(vectors) != len(categories):
        raise ValueError(f"shapes disagree: {vectors.shape}, {categories.shape}")
    sets = categories / np.sqrt(np.maximum(categories.sum(axis=1, keepdims=True), 1))
    joint = np.concatenate(
        [np.sqrt(1 - category_share) * vectors, np.sqrt(category_share) * sets], axis=1
    ).astype(np.float32)
    length = np.linalg.norm(joint, axis=1, keepdims=True)
    return joint / np.where(length > 0, length, 1)
