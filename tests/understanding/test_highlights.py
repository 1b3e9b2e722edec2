"""What is marked in a text: the words of the query, and the text is left as it is."""

from hypothesis import given
from hypothesis import strategies as st

from recommender.understanding.highlights import pieces
from recommender.understanding.words import query_terms


@given(st.text(max_size=80), st.text(max_size=20))
def test_pieces_together_are_the_text(text, query):
    found = pieces(text, query_terms(query))
    assert "".join(piece.text for piece in found) == text
    assert all(piece.text for piece in found)
    assert all(a.is_hit != b.is_hit for a, b in zip(found, found[1:], strict=False))


@given(st.text(max_size=300), st.text(max_size=20), st.integers(1, 50))
def test_a_cut_text_is_no_longer_than_asked_for(text, query, longest):
    shown = "".join(piece.text for piece in pieces(text, query_terms(query), longest=longest))
    assert len(shown) <= longest + 2
    assert len(text) > longest or shown == text


def test_a_word_is_marked_as_the_index_finds_it():
    marked = [p.text for p in pieces("Amélie's CAFÉ, cafes", ["cafe", "amelies"]) if p.is_hit]
    assert marked == ["Amélie's", "CAFÉ"]
