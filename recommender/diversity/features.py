"""One vector a row for several likenesses together, so that a diversifier sees them all at once.

Unit rows side by side, each scaled by the root of its share: their dot product is the mean of the
likenesses, by their shares.
"""

from dataclasses import astuple, dataclass

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


@dataclass(frozen=True)
class Shares:
    """What each likeness counts for, on any scale; 0 leaves it out. The defaults are those of
    joint_features(), which is the quicker of the two where text and categories are all.

    Raises ValueError if one is negative or not finite, or all are 0
    """

    text: float = 1 - CATEGORY_SHARE
    categories: float = CATEGORY_SHARE
    topics: float = 0.0
    creator: float = 0.0
    behaviour: float = 0.0

    def __post_init__(self) -> None:
        shares = np.array(astuple(self), dtype=float)
        if not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
            raise ValueError(f"shares must be at least 0 and not all 0: {self}")


def mixed_features(
    shares: Shares,
    *,
    text: np.ndarray | None = None,
    categories: np.ndarray | None = None,
    topics: np.ndarray | None = None,
    creators: np.ndarray | None = None,
    behaviour: np.ndarray | None = None,
) -> np.ndarray:
    """(n, f) float32 unit rows whose dot product mixes up to five likenesses by their shares.

    text        (n, d) vectors
    categories  (n, c) bool, topics (n, t) at least 0: memberships
    creators    (n,) whole numbers, below 0 for none: alike by 1 or 0
    behaviour   (n, b) factors learned from what people did
    Each is taken as a direction: its length does not matter. A row that lacks one (zeros, no
    creator) has that share with its others, so that twins still are twins; one that lacks all is a
    row of zeros, unlike everything. What is not given counts for nothing.
    Raises      ValueError if something with a share is of another number of rows, or nothing is
                given that has one
    """
    if creators is not None and shares.creator:
        creators = np.asarray(creators)
        creators = (creators[:, None] == np.unique(creators[creators >= 0])).astype(np.float32)
    given = {
        name: (np.asarray(block, dtype=np.float32), getattr(shares, name))
        for name, block in (
            ("text", text),
            ("categories", categories),
            ("topics", topics),
            ("creator", creators),
            ("behaviour", behaviour),
        )
        if block is not None and getattr(shares, name)
    }
    if not given:
        raise ValueError(f"nothing is given of {shares}")
    shapes = {name: block.shape for name, (block, _) in given.items()}
    if (
        any(len(shape) != 2 for shape in shapes.values())
        or len({n for n, _ in shapes.values()}) > 1
    ):
        raise ValueError(f"shapes disagree: {shapes}")

    lengths = np.array([np.linalg.norm(block, axis=1) for block, _ in given.values()])
    share = np.array([[share] for _, share in given.values()]) * (lengths > 0)  # (blocks, n)
    share = share / np.maximum(share.sum(axis=0), np.finfo(float).tiny)
    scale = np.sqrt(share) / np.where(lengths > 0, lengths, 1)
    return np.concatenate(
        [
            block * by[:, None].astype(np.float32)
            for (block, _), by in zip(given.values(), scale, strict=True)
        ],
        axis=1,
    )
