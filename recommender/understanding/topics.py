"""What a text is about, in its own words: phrases to choose from, and what makes two of them one.

No language model writes here, so no word is made up: each phrase stands in the text as it is. In
alphabets a phrase is a run of words between function words and punctuation (as in RAKE: Rose et
al. 2010, doi:10.1002/9780470689646.ch1), in which a name of several words is never cut. Chinese
has no spaces: jieba finds words and their kinds, and a phrase is a run of them that ends in a
noun. Which phrases are kept, the caller decides by their vectors (KeyBERT: Grootendorst 2020,
doi:10.5281/zenodo.4461265).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from recommender.understanding.words import fold

VERSION = 1  # of what stands here: another one reads all items again
MOST = 20  # phrases of a text whose vectors are paid for
MOST_CHARACTERS = 2_000  # of a text; the encoder reads no further either
LONGEST = 60  # characters of a phrase

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002ebef"
_KANA = "\u3040-\u30ff"
# Of a sentence: a word of an alphabet, a run of Chinese, or what parts phrases from each other.
_PIECES = re.compile(
    rf"(?P<han>[{_HAN}{_KANA}]+)"
    rf"|(?P<word>[^\W_{_HAN}{_KANA}]+(?:['’.&-][^\W_{_HAN}{_KANA}]+)*)"
    r"|(?P<end>[^\s\w'’]+|_+)"
)
_QUOTED = re.compile(rf"《([{_HAN}\w·：: ]{{2,20}})》")
_PARTS = re.compile(rf"[{_HAN}{_KANA}]+|[^\W_{_HAN}{_KANA}]+")
# A plural that is its singular and an s; not "physics", "boss", "cities" or "boxes".
_PLURAL = re.compile(r"(?<=[a-z]{3})(?<![siuxzo])(?<!ic)(?<!ie)(?<!she)(?<!che)(?<!xe)(?<!se)s$")
_WORDS_IN_A_PHRASE = 3
_WORDS_IN_A_NAME = 5
_POSSESSIVE = re.compile(r"['’]s?$")
_NEGATED = re.compile(r"n['’]t$", re.IGNORECASE)
_PARTICIPLE = re.compile(r"[a-z]{2,}(?<!e)ed$")  # begins a phrase, but seldom ends one
# How well a phrase is built, where 1 is best; what is less well built has to be nearer in meaning.
_ONE_WORD, _CUT_IN_FRONT, _CUT_BEHIND, _WITH_VERB = 0.85, 0.95, 0.8, 0.85
_LINKS = frozenset(("de", "del", "di", "da", "du", "la", "le", "van", "von", "der", "of"))
_STOP = frozenset(Path(__file__).with_name("topics_stop.txt").read_text("utf-8").split())


@dataclass(frozen=True)
class _Part:
    """A word, or a name of several words, at its place in the text."""

    begin: int
    end: int
    is_name: bool = False
    is_verb: bool = False  # as far as is known: of alphabets nothing is
    may_end: bool = True
    may_be_alone: bool = True


def phrases(title: str, description: str = "", *, known: Iterable[str] = ()) -> dict[str, float]:
    """Up to MOST phrases that stand in the title or the description, the most promising first.

    known    what is said of the item elsewhere, as its kinds and makers: no phrase repeats it or
             a part of it
    Returns  phrase → how well it is built, from 0 to 1

    >>> list(phrases("The lost harbour", "Drama. A blind pianist in Saint Malo.", known=["drama"]))
    ['lost harbour', 'harbour', 'blind pianist', 'Saint Malo', 'lost', 'pianist', 'blind']
    """
    taken = [f"-{slug_of(name)}-" for name in known]
    built: dict[str, float] = {}
    promise: dict[str, float] = {}
    written: dict[str, str] = {}
    # Where every word of a title has a capital, it names nothing.
    plain = any(_says_something(m[0]) and m[0][0].islower() for m in _PARTS.finditer(title))
    for text, weight, names in [(title, 2.0, plain), (description[:MOST_CHARACTERS], 1.0, True)]:
        for phrase, form in _phrases_of(text, names):
            slug = slug_of(phrase)
            if not slug or max(len(slug), len(phrase)) > LONGEST:
                continue
            if any(f"-{slug}-" in name for name in taken):
                continue
            built[slug] = max(built.get(slug, 0.0), form)
            # A single word is mostly less telling than what it is a part of.
            promise[slug] = promise.get(slug, 0.0) + weight * form * (1 if "-" in slug else 0.7)
            # A word at the start of a sentence has a capital that is not its own.
            if slug not in written or phrase.islower() > written[slug].islower():
                written[slug] = phrase
    order = sorted(promise, key=lambda slug: -promise[slug])[:MOST]  # stable: ties by place
    return {written[slug]: built[slug] for slug in order}


def _phrases_of(text: str, names: bool) -> Iterator[tuple[str, float]]:
    """Each phrase as often as it stands in a text, and how well it is built, in their order."""
    for match in _QUOTED.finditer(text):
        yield match[1].strip(), 1.0
    for run in _runs(text, names):
        for begin in range(len(run)):
            for end in range(begin + 1, min(begin + _WORDS_IN_A_PHRASE, len(run)) + 1):
                if _is_phrase(run, begin, end):
                    phrase = _POSSESSIVE.sub("", text[run[begin].begin : run[end - 1].end])
                    yield phrase, _form(run, begin, end)


def _is_phrase(run: Sequence[_Part], begin: int, end: int) -> bool:
    first, last = run[begin], run[end - 1]
    if end - begin == 1:
        return first.may_be_alone
    # Three of more than three words are seldom what belongs together.
    return last.may_end and (end - begin < _WORDS_IN_A_PHRASE or len(run) == end - begin)


def _form(run: Sequence[_Part], begin: int, end: int) -> float:
    """How well some parts of a run are built as a phrase: nouns stand last, in both languages."""
    form = _ONE_WORD if end - begin == 1 and not run[begin].is_name else 1.0
    if begin > 0:
        form *= _CUT_IN_FRONT
    if end < len(run):
        form *= _CUT_BEHIND
    return form * _WITH_VERB ** sum(part.is_verb for part in run[begin:end])


def _runs(text: str, names: bool) -> Iterator[list[_Part]]:
    """Neighbours that may stand in one phrase.

    names  whether capitals say that something is a name; what "of" links is one in any case
    """
    run: list[tuple[int, int]] = []
    for match in _PIECES.finditer(text):
        if match["word"] and not (run and match.start() - run[-1][1] > 1):
            run.append(match.span())
            continue
        yield from _word_runs(text, run, names)
        run = []
        if match["word"]:
            run = [match.span()]
        elif match["han"] and not re.search(rf"[{_KANA}]", match[0]):
            yield from _han_runs(match[0], match.start())
    yield from _word_runs(text, run, names)


def _word_runs(text: str, spans: list[tuple[int, int]], names: bool) -> Iterator[list[_Part]]:
    """Words of an alphabet without punctuation between them → runs without function words."""
    run: list[_Part] = []
    at = 0
    while at < len(spans):
        begin, end = spans[at]
        length = _name_length(text, spans[at:])
        if length and (names or _is_linked(text, spans[at : at + length])):
            run.append(_Part(begin, spans[at + length - 1][1], is_name=True))
            at += length
            continue
        if _says_something(text[begin:end]):
            run.append(_word(text, begin, end))
        elif run:
            yield run
            run = []
        at += 1
    if run:
        yield run


def _word(text: str, begin: int, end: int) -> _Part:
    is_noun = not _PARTICIPLE.fullmatch(text[begin:end])
    return _Part(begin, end, may_end=is_noun, may_be_alone=is_noun)


def _name_length(text: str, spans: list[tuple[int, int]]) -> int:
    """How many words from the first on are one name; 0 if it is a single word or no name.

    >>> text = "Lord of the Rings by night"
    >>> _name_length(text, [m.span() for m in re.finditer(r"\\w+", text)])
    4
    """
    words = [text[begin:end] for begin, end in spans[:_WORDS_IN_A_NAME]]
    if not words or not _begins_a_name(words[0]):
        return 0
    length = at = 1
    while at < len(words):
        if _begins_a_name(words[at]):
            length = at + 1
        elif not (words[at] in _LINKS or (words[at] == "the" and words[at - 1] == "of")):
            break
        at += 1
    return length if length > 1 else 0


def _is_linked(text: str, spans: list[tuple[int, int]]) -> bool:
    return any(text[begin:end] in _LINKS for begin, end in spans)


def _begins_a_name(word: str) -> bool:
    return word[0].isupper() and not _is_function_word(word)


def _is_function_word(word: str) -> bool:
    """
    >>> [word for word in ("The", "New", "new", "isn’t", "it's", "York") if _is_function_word(word)]
    ['The', 'new', 'isn’t', "it's"]
    """
    plain = word.lower().replace("’", "'")
    return word != "New" and (plain in _STOP or bool(_NEGATED.search(plain)))


def _says_something(word: str) -> bool:
    """A word that may stand in a phrase: no function word, number or single letter.

    >>> [word for word in ("the", "1.5", "AI", "is", "x", "kettle", "кот") if _says_something(word)]
    ['AI', 'kettle', 'кот']
    """
    if _is_function_word(word) or not any(map(str.isalpha, word)):
        return False
    return len(word) > 2 or (len(word) == 2 and word.isupper())


def _han_runs(text: str, offset: int) -> Iterator[list[_Part]]:
    """A run of Chinese → runs of nouns, and of what may stand before one."""
    run: list[_Part] = []
    at = offset
    for word, kind in _tagger().cut(text):
        begin, at = at, at + len(word)
        is_noun, is_verb = kind[0] in "nj" or kind == "vn", kind == "v"
        if (is_noun or is_verb or kind[0] in "abil") and word not in _STOP:
            is_word = len(word) > 1
            # "学习" ends "深度学习", and is nothing by itself.
            may_end = is_noun or (is_verb and is_word and len(run) == 1)
            run.append(_Part(begin, at, False, is_verb, may_end, is_noun and is_word))
        elif run:
            yield run
            run = []
    if run:
        yield run


@lru_cache(maxsize=1)
def _tagger():
    """jieba's own, loaded once a process and only where there is Chinese: 1.5 s and 150 MB."""
    import jieba
    from jieba import posseg

    words = jieba.Tokenizer()
    # Its initialize() reads a cache that anybody may have written to the shared temporary folder.
    words.FREQ, words.total = words.gen_pfdict(words.get_dict_file())
    words.initialized = True
    return posseg.POSTokenizer(words)


def slug_of(phrase: str) -> str:
    """What two writings of one phrase have in common; "" if there is no word in it.

    Without case, accents, width and punctuation, and the last word without the s of a plural. A
    single word with a capital keeps its s, since it may be a name.

    >>> slug_of("Serial Killers"), slug_of("robots"), slug_of("Williams"), slug_of("深度学习")
    ('serial-killer', 'robot', 'williams', '深度学习')
    """
    slug = "-".join(_PARTS.findall(fold(phrase)))
    return _PLURAL.sub("", slug) if "-" in slug or phrase[:1].islower() else slug


def language_of(phrase: str) -> str:
    """Of a phrase, by its script: "zh", "en" for plain Latin letters, else "".

    >>> language_of("深度学习"), language_of("deep learning"), language_of("кот")
    ('zh', 'en', '')
    """
    if re.search(rf"[{_KANA}]", phrase):
        return "ja"
    if re.search(rf"[{_HAN}]", phrase):
        return "zh"
    return "en" if phrase.isascii() else ""


def distinct(phrases: Sequence[str], relevance: np.ndarray) -> np.ndarray:
    """Rows of phrases, the most relevant first, none of which says a part of another again.

    relevance  (n,); of "killer" and "serial killer" the more relevant one stays
    Returns    (m,) int64, ties to the lower row

    >>> distinct(["killer", "serial killer", "kill"], np.array([0.4, 0.5, 0.3])).tolist()
    [1, 2]
    """
    parts = [_parts_of(phrase) for phrase in phrases]
    kept: list[int] = []
    for row in np.argsort(-relevance, kind="stable").tolist():
        if not any(parts[row] in parts[other] or parts[other] in parts[row] for other in kept):
            kept.append(row)
    return np.array(kept, dtype=np.int64)


def _parts_of(phrase: str) -> str:
    """A form that holds the form of another phrase only at the bounds of words, if it has any."""
    slug = slug_of(phrase)
    return slug if language_of(phrase) == "zh" else f"-{slug}-"
