"""The small part of what was learned, which every process keeps in memory, and its defaults.

What was learned of each item stays in the database; a request fetches what it needs of that.
"""

from dataclasses import dataclass, replace

import numpy as np

LISTS = ("taste", "order", "next")  # lists of related items that an item has
RELATED = 100
STAND_INS = 15  # items that one nobody has touched borrows from
PARTS = (
    "order",
    "past_order",
    "next",
    "taste",
    "factors",
    "text",
    "map",
    "interest",
    "popularity",
    "trend",
    "promise",
    "freshness",
    "dislike",
)
# People are told apart by how many items they have feedback on: from these many on.
LENGTHS = (0, 1, 6, 21, 101)

# Before anything was learned: near to equal among what speaks of behaviour.
_DEFAULT = dict(
    zip(
        PARTS,
        (1.0, 0.6, 1.0, 1.0, 1.0, 0.5, 0.4, 0.4, 0.3, 0.1, 0.0, 0.1, -1.5),
        strict=True,
    )
)
_NOBODY = _DEFAULT | {"popularity": 1.0, "trend": 0.3, "freshness": 0.2, "interest": 3.0}
_NEW_ITEM = _DEFAULT | {"text": 1.5, "map": 0.7, "interest": 1.5, "promise": 0.3, "popularity": 0.5}


def _row(weights: dict[str, float]) -> list[float]:
    return [weights[part] for part in PARTS]


@dataclass(frozen=True)
class Model:
    """How much each part counts, and the maps that a request applies."""

    weights: np.ndarray  # (5, parts) float32, a row for each of LENGTHS
    new_item: np.ndarray  # (parts,) float32, of items that nobody has touched
    new_item_say: float  # what the best of these counts beside the best of the others
    gram: np.ndarray  # (f, f) float32 of the factors
    text_basis: np.ndarray  # (r, d) float32 of the text factors; (0, 0) when there is none
    text_map: np.ndarray  # (d, d) float32; (0, 0) when there is none
    promise: np.ndarray  # (d,) float32; (0,) when there is none
    space_id: int = 0  # of the vectors that the last three are for

    def weights_for(self, history_length: int) -> np.ndarray:
        """(parts,) for somebody with feedback on so many items."""
        return self.weights[np.searchsorted(LENGTHS, history_length, side="right") - 1]

    def in_space(self, space_id: int) -> "Model":
        """What holds of it for vectors of a space: a map says nothing of those of another."""
        if space_id == self.space_id:
            return self
        none = untrained()
        return replace(
            self, text_basis=none.text_basis, text_map=none.text_map, promise=none.promise
        )


def untrained() -> Model:
    """What is used until something was learned and activated."""
    none = np.zeros((0, 0), dtype=np.float32)
    weights = [_row(_NOBODY)] + [_row(_DEFAULT)] * (len(LENGTHS) - 1)
    return Model(
        np.array(weights, dtype=np.float32),
        np.array(_row(_NEW_ITEM), dtype=np.float32),
        0.6,
        none,
        none,
        none,
        np.zeros(0, dtype=np.float32),
    )
