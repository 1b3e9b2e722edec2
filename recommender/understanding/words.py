"""Words a text can be found by: tokens of our own making, for texts in any script.

Latin and other alphabetic words are folded (no case, no accents). Chinese and Japanese have no
spaces, so a run of their characters gives each character and each pair of neighbours: a query of
two or more characters asks for its pairs (as Lucene's CJKBigramFilter does). PostgreSQL's own
parser is not used, since what it makes of Chinese depends on the server's locale.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\U00020000-\U0002ebef"
_RUNS = re.compile(rf"([{CJK}]+)|([^\W_{CJK}]+)")
_POSSESSIVE = re.compile(r"(?<=\w)['’](?=\w)")
_LATIN = re.compile(r"[a-z]{4,40}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
LONGEST = 60  # characters of a token; what is longer is no word
MOST = 2000  # tokens of a text that are indexed
# Words that say nothing about an item, left out of queries unless nothing else is there.
_STOP = frozenset(
    ("a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "in", "is", "it", "of", "on")
    + ("or", "that", "the", "this", "to", "was", "with")
)


def fold(text: str) -> str:
    """Without case, accents and width.

    >>> fold("Amélie Ｃafé")
    'amelie cafe'
    """
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(c for c in text if not unicodedata.combining(c))
    return _POSSESSIVE.sub("", unicodedata.normalize("NFKC", text))


def tokens(text: str) -> list[str]:
    """All tokens of a text, in order, for the index.

    >>> tokens("Amélie's 科幻片 2001")
    ['amelies', '科', '幻', '片', '科幻', '幻片', '2001']
    """
    found: list[str] = []
    for cjk, word in _RUNS.findall(fold(text)):
        if cjk:
            found += [*cjk, *(cjk[i : i + 2] for i in range(len(cjk) - 1))]
        elif len(word) <= LONGEST:
            found.append(word)
    return found[:MOST]


def query_terms(text: str) -> list[str]:
    """What a query asks for: words and pairs; a single character only where it stands alone.

    >>> query_terms("the 科幻 of 猫 space")
    ['科幻', '猫', 'space']
    """
    found: list[str] = []
    for cjk, word in _RUNS.findall(fold(text)):
        if cjk:
            found += [cjk] if len(cjk) == 1 else [cjk[i : i + 2] for i in range(len(cjk) - 1)]
        elif len(word) <= LONGEST:
            found.append(word)
    wanted = [term for term in found if term not in _STOP] or found
    return list(dict.fromkeys(wanted))[:32]


def vector_literal(parts: Sequence[tuple[str, str]]) -> str:
    """A tsvector of (text, weight A to D), the weightier first.

    >>> vector_literal([("Heat", "A"), ("crime, heat", "D")])
    "'heat':1A,3D 'crime':2D"
    """
    places: dict[str, list[str]] = {}
    position = 0
    for text, weight in parts:
        for token in tokens(text):
            position += 1
            if len(places.setdefault(token, [])) < 20:
                places[token].append(f"{min(position, 16_000)}{weight}")
    return " ".join(f"{_quoted(token)}:{','.join(at)}" for token, at in places.items())


def query_literal(alternatives: Iterable[Sequence[str]], *, all_of: bool) -> str:
    """A tsquery: all (or any) of the terms, each given as a list of spellings.

    >>> query_literal([["space"], ["alein", "alien"]], all_of=True)
    "('space') & ('alein' | 'alien')"
    """
    terms = ["(" + " | ".join(_quoted(s) for s in spellings) + ")" for spellings in alternatives]
    return (" & " if all_of else " | ").join(terms)


def _quoted(token: str) -> str:
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"


def latin_words(text: str) -> set[str]:
    """Words long enough to be forgiven a typo."""
    return {token for token in tokens(text) if _LATIN.fullmatch(token)}


def one_typo_away(word: str) -> list[str]:
    """All spellings one slip from a Latin word of four letters or more (Norvig 2007).

    A slip is a letter too many, too few, a wrong one, or two neighbours swapped.

    >>> {"alien", "lien", "align"} <= set(one_typo_away("alein") + one_typo_away("alien"))
    True
    """
    if not _LATIN.fullmatch(word):
        return []
    splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    near = {a + b[1:] for a, b in splits if b}
    near |= {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    near |= {a + c + b[1:] for a, b in splits if b for c in _LETTERS}
    near |= {a + c + b for a, b in splits for c in _LETTERS}
    return sorted(near - {word})
