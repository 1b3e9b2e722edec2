"""The encoder without a model: shared words make texts near."""

import numpy as np
import pytest

from recommender.embeddings.encoder import EncoderError
from recommender.embeddings.hashing import HashingEncoder, tokens


def cosine(left: str, right: str) -> float:
    rows = HashingEncoder().encode([left, right], role="item")
    return float(rows[0] @ rows[1])


def test_kettles_are_near_kettles_and_far_from_boots():
    assert cosine("blue kettle", "red kettle") > 0.4
    assert abs(cosine("blue kettle", "hiking boots")) < 0.3


def test_the_more_words_are_shared_the_nearer():
    assert (
        cosine("a b c d", "a b c x") > cosine("a b c d", "a b x y") > cosine("a b c d", "w x y z")
    )


def test_case_width_and_punctuation_make_no_difference():
    assert cosine("Blue, KETTLE!", "blue kettle") == pytest.approx(1)
    assert cosine("ＡＢＣ", "abc") == pytest.approx(1)


def test_chinese_is_near_by_pairs_of_characters():
    assert tokens("科幻电影abc") == ["科幻", "幻电", "电影", "abc"]
    assert cosine("科幻电影", "科幻小说") > 0.2
    assert abs(cosine("科幻电影", "登山度假")) < 0.2


def test_one_chinese_character_is_a_token_too():
    assert tokens("茶 tea") == ["茶", "tea"]


def test_texts_without_words_share_one_fixed_direction():
    rows = HashingEncoder().encode(["", "  ", "?!", "🎉"], role="item")
    assert np.linalg.norm(rows[0]) == pytest.approx(1)
    assert (rows == rows[0]).all()


def test_rows_are_unit_float32_of_the_dimension():
    rows = HashingEncoder(dimension=10).encode(["a", "b b c"], role="query")
    assert (rows.shape, rows.dtype) == ((2, 10), np.float32)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_no_texts_give_no_rows():
    assert HashingEncoder().encode([], role="item").shape == (0, 64)


def test_vectors_are_the_same_in_every_process():
    row = HashingEncoder(dimension=8).encode(["kettle"], role="item")[0]
    assert row.tolist() == [-0.5, 0, 0, -0.5, 0.5, 0, 0, 0.5]


def test_the_digest_tells_dimensions_apart():
    assert HashingEncoder(8).digest == HashingEncoder(8).digest != HashingEncoder(9).digest


def test_too_few_dimensions_are_refused():
    with pytest.raises(EncoderError, match="at least 4"):
        HashingEncoder(dimension=3)
