"""A fingerprint changes with the text and with the space, and with nothing else."""

from recommender.embeddings.fingerprint import fingerprint


def test_it_is_sha_256_over_space_and_text():
    assert fingerprint("a", "b").hex() == (
        "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"
    )


def test_the_border_between_space_and_text_counts():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_another_text_or_space_gives_another():
    assert len({fingerprint(space, text) for space in "ab" for text in ("x", "y", "科幻")}) == 6


def test_a_text_that_no_database_can_hold_has_one_too():
    assert len(fingerprint("a", "\ud800")) == 32
