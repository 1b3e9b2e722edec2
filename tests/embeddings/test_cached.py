"""What was encoded once is read from the disk, to the bit."""

import numpy as np
import pytest

from recommender.embeddings.cached import CachedEncoder
from recommender.embeddings.hashing import HashingEncoder


class Counted(HashingEncoder):
    """Says the same as hashing, of no round numbers, and remembers what it was asked."""

    def __init__(self, dimension=64):
        super().__init__(dimension)
        self.asked = []

    def encode(self, texts, *, role):
        self.asked += [(role, text) for text in texts]
        sign = -1 if role == "query" else 1
        return sign * super().encode(texts, role=role)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "vectors.sqlite3"


def test_a_second_run_encodes_what_is_new_and_gives_the_same_vectors(file):
    first = CachedEncoder(Counted(), file).encode(["a kettle", "a boat"], role="item")
    inner = Counted()
    second = CachedEncoder(inner, file)
    again = second.encode(["a boat", "a song", "a boat", "a kettle"], role="item")
    assert inner.asked == [("item", "a song")]
    assert second.encoded == 1
    assert again.dtype == np.float32
    assert np.array_equal(again[[3, 0]], first)
    assert np.array_equal(again, Counted().encode(["a boat", "a song", "a boat", "a kettle"],
                                                  role="item"))  # fmt: skip


def test_a_query_is_not_taken_for_an_item_nor_one_model_for_another(file):
    item = CachedEncoder(Counted(), file).encode(["a kettle"], role="item")
    assert np.array_equal(CachedEncoder(Counted(), file).encode(["a kettle"], role="query"), -item)
    assert CachedEncoder(Counted(32), file).encode(["a kettle"], role="item").shape == (1, 32)


def test_no_text_gives_no_row(file):
    assert CachedEncoder(Counted(), file).encode([], role="item").shape == (0, 64)


def test_many_texts_are_found_again(file):
    texts = [f"text {n}" for n in range(1_201)]
    CachedEncoder(Counted(), file).encode(texts, role="item")
    inner = Counted()
    CachedEncoder(inner, file).encode(texts, role="item")
    assert inner.asked == []


def test_the_oldest_make_room(file):
    CachedEncoder(Counted(), file, most=2).encode(["a", "b", "c"], role="item")
    inner = Counted()
    CachedEncoder(inner, file).encode(["a", "b", "c"], role="item")
    assert inner.asked == [("item", "a")]


def test_a_damaged_file_is_an_empty_cache(file):
    file.parent.mkdir()
    file.write_bytes(b"no database at all" * 100)
    vectors = CachedEncoder(Counted(), file).encode(["a kettle"], role="item")
    assert np.array_equal(vectors, Counted().encode(["a kettle"], role="item"))
