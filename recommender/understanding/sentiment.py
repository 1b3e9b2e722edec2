"""Whether a comment speaks for a thing or against it, in English and Chinese.

A list of words reads it at once, after VADER (Hutto & Gilbert 2014, doi:10.1609/icwsm.v8i1.14550):
words have weights, and a few rules say how they turn and swell one another. The words are our own,
in sentiment.txt, chosen for what people write of things. Chinese needs no segmenter: the longest
listed word comes first.

The encoder reads it later: by where its vector lies between sentences of praise and of complaint.
Together they err least; docs/evaluation.md has the measures.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

VERSION = 1  # what was read with other words or rules is read again
LONGEST = 1000  # characters that are read: the first half and the last of a longer comment
LONGEST_STEM = 20  # characters
EVEN = 2.0  # a sum of weights as large as this is a sign of 0.7
REACH_WORDS, REACH_CHARACTERS = 4, 4  # how far behind it “not” turns a word
TURN = -0.7  # not good is less bad than bad
COMPLAINS = -0.6  # “not” with nothing to turn
BEFORE_BUT, AFTER_BUT, THOUGH = 0.7, 1.5, 0.4

FOR = ("This is great.", "I love it, excellent!", "这很好。", "非常喜欢，强烈推荐！")
AGAINST = ("This is terrible.", "I hate it, awful!", "这很差。", "非常失望，不推荐！")
SHARE_OF_WORDS = 1 / 4  # beside what the encoder says

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_PIECES = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    r"|(?P<mark>(?:[:;=]['^-]?[()\[\]dp/|*]|<3|\bt_t|\^_*\^)(?![a-z0-9/])"
    r"|[\u2600-\u27bf\u2b50\U0001f300-\U0001faff])"
    r"|(?P<word>[a-z0-9]+(?:'[a-z]+)?)"
    r"|(?P<stop>[,;:.!?\n\u3001\u3002\uff5e~-]+)"
)
_SWELLS = {"more": 1.4, "less": 0.6}


def sentiment(text: str) -> float:
    """From -1, against, to 1, for; 0 where it takes no side or says so in other languages.

    >>> sentiment("Great story, lovely pictures") > 0.7 > 0 > sentiment("not good at all")
    True
    >>> sentiment("画面很美，但是没意思") < 0 < sentiment("一点也不无聊，强烈推荐！")
    True
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}\n{text[-LONGEST // 2 :]}"
    total, later, though, swell = 0.0, 1.0, 1.0, 1.0
    reach, waits = 0, False  # words or characters left to “not”; whether it has turned none yet
    for role, amount in _read(text):
        if waits and (role in ("but", "stop") or (role == "gap" and reach <= amount)):
            total += COMPLAINS * later * though
            waits = False
        if role == "word":
            said = amount * swell * later * though
            total += said * TURN if reach > 0 else said
            waits, swell = False, 1.0
            reach -= 1
        elif role == "gap":
            reach -= amount
            swell = 1.0 if amount > 1 else swell
        elif role == "not":
            reach, waits = amount, True
        elif role == "swell":
            swell *= amount
        elif role == "though":
            though = THOUGH
        else:
            reach, swell, though = 0, 1.0, 1.0
            if role == "but":
                total, later = total * BEFORE_BUT, AFTER_BUT
    if waits:
        total += COMPLAINS * later * though
    return total / (total * total + EVEN * EVEN) ** 0.5


def lean(vectors: np.ndarray, praise: np.ndarray, complaints: np.ndarray) -> np.ndarray:
    """(n,) where texts lie on the way from complaints, at -1, to praise, at 1; or beyond.

    vectors, praise, complaints  (·, d) of one encoder: the comments, FOR and AGAINST
    """
    for_, against = praise.mean(axis=0), complaints.mean(axis=0)
    way = for_ - against
    length = float(way @ way)
    if length < 1e-9:  # an encoder that cannot tell them apart
        return np.zeros(len(vectors))
    return 2 * (vectors - (for_ + against) / 2) @ way / length


def both(words: np.ndarray, leans: np.ndarray) -> np.ndarray:
    """(n,) from -1 to 1: what sentiment() and lean() say together."""
    return np.clip(SHARE_OF_WORDS * words + leans, -1.0, 1.0)


def _read(text: str) -> Iterator[tuple[str, float]]:
    """What stands in a text, in order, by its role; what is not listed is a gap of a length."""
    words: list[str] = []
    text = unicodedata.normalize("NFKC", text).lower().translate(_SAME)
    for piece in _PIECES.finditer(text):
        kind, found = piece.lastgroup, piece.group()
        if kind == "word":
            words.append(found)
            continue
        if words:
            yield from _read_words(words)
            words = []
        if kind == "han":
            yield from _read_han(found)
        elif found in WORDS:
            yield WORDS[found]
        else:
            yield "stop", 0
    yield from _read_words(words)


def _read_words(words: list[str]) -> Iterator[tuple[str, float]]:
    at = 0
    while at < len(words):
        for length in range(min(_PHRASES.get(words[at], 1), len(words) - at), 1, -1):
            phrase = "_".join(words[at : at + length])
            if phrase in WORDS:
                yield WORDS[phrase]
                break
        else:
            length = 1
            yield _of_word(words[at])
        at += length


@lru_cache(maxsize=8192)
def _of_word(word: str) -> tuple[str, float]:
    if word in WORDS:
        return WORDS[word]
    if word.endswith("n't"):
        return "not", REACH_WORDS
    for length in range(min(len(word), LONGEST_STEM), 2, -1):
        if (stem := f"{word[:length]}*") in WORDS:
            return WORDS[stem]
    return "gap", 1


def _read_han(run: str) -> Iterator[tuple[str, float]]:
    at = read = 0
    while at < len(run):
        for length in _HAN_LENGTHS.get(run[at], ()):
            if found := WORDS.get(run[at : at + length]):
                if read < at:
                    yield "gap", at - read
                yield found
                at = read = at + length
                break
        else:
            at += 1
    if read < len(run):
        yield "gap", len(run) - read


def _load() -> tuple[dict[str, tuple[str, float]], dict[int, str]]:
    """What is listed, each with its role and an amount; and characters that are read as another."""
    words: dict[str, tuple[str, float]] = {}
    same = {"\u2019": "'"}
    for line in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines():
        label, *listed = line.split() or ["#"]
        if label == "#":
            continue
        if label == "same":
            same |= dict(listed)  # each is a pair of characters
            continue
        for word in listed:
            if word in words:
                raise ValueError(f"{word} is listed twice in sentiment.txt")
            is_han = "\u3400" <= word[0] <= "\u9fff"
            if label == "not":
                words[word] = label, REACH_CHARACTERS if is_han else REACH_WORDS
            elif label == "pass":
                words[word] = "gap", len(word) if is_han else word.count("_") + 1
            elif label in _SWELLS:
                words[word] = "swell", _SWELLS[label]
            elif label in ("but", "though"):
                words[word] = label, 0
            else:
                words[word] = "word", float(label)
    return words, str.maketrans(same)


WORDS, _SAME = _load()
# How long the listed words are that begin so, the longest first: of phrases in words, of Chinese in
# characters.
_PHRASES: dict[str, int] = {}
_HAN_LENGTHS: dict[str, list[int]] = {}
for _word in sorted(WORDS, key=len, reverse=True):
    if "\u3400" <= _word[0] <= "\u9fff":
        _lengths = _HAN_LENGTHS.setdefault(_word[0], [])
        if len(_word) not in _lengths:
            _lengths.append(len(_word))
    else:
        _first = _word.split("_")[0]
        _PHRASES[_first] = max(_PHRASES.get(_first, 1), _word.count("_") + 1)
