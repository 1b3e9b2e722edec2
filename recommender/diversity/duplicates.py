"""The same thing twice in a pool: other editions, reposts; to be shown once, "and 3 similar".

Two rows are of one thing if their texts say nearly the same (cosine of vectors) and their titles
read nearly alike (trigrams as in PostgreSQL's pg_trgm, of titles without case, accents,
punctuation, articles and words for editions). Either alone is not enough: a remake has the title
and another text, a sequel the text and another number. So numbers in titles must agree, II and 2
alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

# Measured, see docs/diversity.md: what planted copies reach and different films do not.
SAME_TITLE_COSINE = 0.75
LIKE_TITLE_COSINE = 0.8
LIKE_TITLE = 0.6

EDITION = {
    "anniversary", "audiobook", "collectors", "cut", "deluxe", "directors", "ebook", "edition",
    "extended", "hardback", "hardcover", "illustrated", "paperback", "reissue", "remastered",
    "repost", "reprint", "restored", "revised", "special", "unabridged", "uncensored", "uncut",
    "unrated", "version",
}  # fmt: skip
ARTICLES = {
    "a", "an", "das", "der", "die", "el", "il", "la", "las", "le", "les", "lo", "los", "the",
}  # fmt: skip
ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
WORDS = re.compile(r"[0-9]+|[一二三四五六七八九十百]+|[^\W\d_]+")
NUMBER = re.compile(r"[0-9]+|[一二三四五六七八九十百]+")


def duplicate_of(vectors: np.ndarray, titles: Sequence[str], relevance: np.ndarray) -> np.ndarray:
    """(n,) int64: of each row the row to show in its stead, itself if there is none.

    vectors    (n, d) unit rows, centred; a row of zeros is a duplicate of nothing
    titles     n texts
    relevance  (n,): of a group the most relevant row is shown, of equals the lower one
    A row joins the most relevant row shown that it duplicates, and nothing else joins by it: groups
    do not grow in chains. Raises ValueError if shapes disagree

    >>> rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> duplicate_of(rows, ["Heat", "HEAT (special edition)", "Heat"], np.array([1, 2, 3])).tolist()
    [1, 1, 2]
    """
    if np.shape(relevance) != (len(titles),):
        raise ValueError(f"shapes disagree: {len(titles)} titles, relevance {np.shape(relevance)}")
    return shown_for(twins_of(vectors, titles), np.asarray(relevance))


def twins_of(vectors: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """(m, 2) int64: all pairs of rows that are of one thing, the lower row first."""
    vectors, n = np.asarray(vectors, dtype=np.float32), len(titles)
    if vectors.ndim != 2 or len(vectors) != n:
        raise ValueError(f"shapes disagree: vectors {vectors.shape}, {n} titles")
    cosines = np.triu(vectors @ vectors.T, 1)
    counted: dict[tuple[str, ...], int] = {}
    number = np.array(
        [counted.setdefault(numbers(plain(title)), len(counted)) for title in titles], np.int64
    )
    # What alike() asks that needs no letters, of all pairs at once: a pool has hundreds as near.
    near = cosines >= min(SAME_TITLE_COSINE, LIKE_TITLE_COSINE)
    near &= number[:, None] == number[None, :]
    twins = [
        (one, two)
        for one, two in np.argwhere(near).tolist()
        if alike(titles[one], titles[two], float(cosines[one, two]))
    ]
    return np.array(twins, dtype=np.int64).reshape(-1, 2)


def shown_for(twins: np.ndarray, worth: np.ndarray, then: np.ndarray | None = None) -> np.ndarray:
    """(n,) int64: of each row the row to show in its stead; see duplicate_of().

    twins  (m, 2) as from twins_of()
    worth  (n,): of a group that of the most worth is shown; of equals the one that has more of
           `then` (n,), say feedback; then the lower one

    >>> shown_for(np.array([[0, 1]]), np.array([0.5, 0.5]), then=np.array([0, 7])).tolist()
    [1, 1]
    """
    n = len(worth)
    if np.ndim(worth) != 1 or (then is not None and np.shape(then) != (n,)):
        raise ValueError(f"shapes disagree: worth {np.shape(worth)}, then {np.shape(then)}")
    if len(twins) and twins.max() >= n:
        raise ValueError(f"a twin is row {twins.max()}, of {n}")
    found = np.arange(n)
    others: dict[int, list[int]] = {}
    for one, two in np.asarray(twins).tolist():
        others.setdefault(one, []).append(two)
        others.setdefault(two, []).append(one)
    then = np.zeros(n) if then is None else then
    place = {row: (-worth[row], -then[row], row) for row in others}
    for row in sorted(others, key=place.__getitem__):
        before = (other for other in others[row] if place[other] < place[row])
        shown = [other for other in before if found[other] == other]
        found[row] = min(shown, key=place.__getitem__, default=row)
    return found


def alike(title: str, other: str, cosine: float) -> bool:
    """Whether two titles, of texts with this cosine, are of one thing."""
    one, two = plain(title), plain(other)
    if numbers(one) != numbers(two):
        return False
    if one == two:
        return cosine >= SAME_TITLE_COSINE
    return cosine >= LIKE_TITLE_COSINE and trigram_likeness(one, two) >= LIKE_TITLE


@lru_cache(50_000)
def plain(title: str) -> str:
    """A title as it is compared: words in lower case, without accents, articles and editions.

    >>> plain("Amélie, The (Director's Cut)"), plain("Rocky II")
    ('amelie', 'rocky 2')
    """
    letters = unicodedata.normalize("NFKD", title.replace("'", "").replace("’", "")).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = [ROMAN.get(word, word) for word in WORDS.findall(letters)]
    kept = [word for word in words if word not in ARTICLES and word not in EDITION]
    return " ".join(kept or words)


@lru_cache(50_000)
def numbers(title: str) -> tuple[str, ...]:
    """Those in a plain title, whatever their order."""
    return tuple(sorted(NUMBER.findall(title)))


def trigram_likeness(one: str, other: str) -> float:
    """Trigrams that two plain titles share, of all that they have, 0 to 1; 0 for nothing."""
    first, second = _trigrams(one), _trigrams(other)
    return len(first & second) / max(len(first | second), 1)


@lru_cache(50_000)
def _trigrams(title: str) -> set[str]:
    padded = (f"  {word} " for word in title.split())
    return {word[at : at + 3] for word in padded for at in range(len(word) - 2)}
