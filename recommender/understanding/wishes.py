"""A sentence about what somebody would like, in parts: what is wanted and what is not.

English and Chinese, by cue words alone, so that the same sentence always gives the same parts. As
in NegEx (Chapman et al. 2001, doi:10.1006/jbin.2001.1029) a cue speaks for what follows it, up to
a boundary; Chinese also puts it behind ("恐怖片就不要了") or around ("除了…以外").
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from recommender.understanding import cues
from recommender.understanding.words import fold

HIDDEN = "\ue000"  # in the place of each character of a title between quotation marks


@dataclass(frozen=True)
class Part:
    """One thing that a sentence asks for, or asks to be spared."""

    text: str
    wanted: bool


def read_wishes(text: str) -> list[Part]:
    """The parts of a sentence in order, each in the words of the person; none if it says nothing.

    text  clean and in NFKC, so that a full-width comma is a comma
    What is between quotation marks is a title and stays whole.

    >>> [(p.text, p.wanted) for p in read_wishes("slow science fiction, nothing with superheroes")]
    [('slow science fiction', True), ('superheroes', False)]
    >>> [(p.text, p.wanted) for p in read_wishes("安静的科幻片,不要超级英雄")]
    [('安静的科幻片', True), ('超级英雄', False)]
    """
    found: dict[str, Part] = {}
    masked = cues.QUOTED.sub(lambda title: HIDDEN * len(title[0]), text)
    for wanted, start, end in _spans(masked):
        for first, last in _pieces(masked, start, end):
            said = text[first:last].strip(" ,、")
            found.setdefault(fold(said), Part(said, wanted))
    return list(found.values())


def says_something(text: str) -> bool:
    """Whether there is a word in it that says what is meant.

    >>> says_something("films about the sea"), says_something("please, I want"), says_something("!")
    (True, False, False)
    """
    if HIDDEN in text:
        return True
    for word in cues.WORDS.findall(fold(text)):
        if _is_han(word):
            if cues.SAYS_NOTHING_HAN.sub("", word):
                return True
        elif len(word) > 1 and word not in cues.SAYS_NOTHING:
            return True
    return False


def named_kinds(text: str, names: Mapping[int, Iterable[str]]) -> list[int]:
    """Those kinds of a catalogue that a text names, in whatever language it names them.

    names  what each kind is called, by its id
    An English plural is its singular. A name of one Chinese character is too short to be sure.

    >>> named_kinds("安静的科幻片", {7: ["Science Fiction", "科幻"]})
    [7]
    >>> named_kinds("old comedies", {8: ["Comedy", "喜剧"], 9: ["Older"]})
    [8]
    """
    folded = fold(text)
    spoken = _in_singular(folded)
    return [
        kind for kind, called in names.items() if any(_is_in(n, folded, spoken) for n in called)
    ]


def _is_in(name: str, folded: str, spoken: str) -> bool:
    name = fold(name)
    if _is_han(name):
        return len(name) > 1 and name in folded
    return bool(name.strip()) and _in_singular(name) in spoken


def _in_singular(text: str) -> str:
    return f" {' '.join(_singular(word) for word in cues.WORDS.findall(text))} "


# --- where wanted and unwanted begin and end ----------------------------------------------------


def _spans(text: str) -> Iterator[tuple[bool, int, int]]:
    """(wanted, start, end) of what is wanted and what is not, in order."""
    for start, end in _between(cues.BREAK, text, 0, len(text)):
        clauses = list(_between(cues.COMMA, text, start, end))
        run: tuple[bool, int, int] | None = None
        before = start  # where the clause before ended
        for number, (first, last) in enumerate(clauses):
            signed = list(_signs(text, first, last))
            if run and not run[0] and signed == [(True, first, last)]:
                signed = [(not _goes_on(text, clauses[number:]), first, last)]
            for place, (wanted, a, b) in enumerate(signed):
                # A comma alone joins what has one sign; _pieces may part it again.
                joins = run and run[0] == wanted and run[2] == before and a == first
                if joins and place == 0:
                    run = (wanted, run[1], b)
                    continue
                if run:
                    yield run
                run = (wanted, a, b)
            before = last
        if run:
            yield run


def _goes_on(text: str, clauses: list[tuple[int, int]]) -> bool:
    """Whether “, zombies or musicals” is still of what was unwanted: an “or” says so."""
    for start, end in clauses:
        if cues.CUES.search(text, start, end) or cues.ASKS.match(text, start, end):
            return False
        if cues.OR.search(text, start, end):
            return True
    return False


def _between(pattern: re.Pattern, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What lies between the matches of a pattern, as (start, end), where it is not empty."""
    for match in [*pattern.finditer(text, start, end), None]:
        stop = match.start() if match else end
        if text[start:stop].strip():
            yield start, stop
        start = match.end() if match else end


def _signs(text: str, start: int, end: int) -> Iterator[tuple[bool, int, int]]:
    """(wanted, start, end) within one clause."""
    if spared := cues.EXCEPT.search(text, start, end):
        yield from _signs(text, start, spared.start())
        yield bool(cues.BESIDES.match(text, spared.start("rest"))), *spared.span("what")
        rest = cues.ALL_ELSE.match(text, spared.start("rest"), end)
        yield from _signs(text, rest.end() if rest else spared.end(), end)
        return
    behind = cues.BEHIND.search(text, start, end)
    if behind and text[start : behind.start()].strip():
        yield False, start, behind.start()
        return
    at, wanted = start, True
    for cue in cues.CUES.finditer(text, start, end):
        if cue.lastgroup is None or _is_in_a_title(cue, text, start, end):
            continue
        if text[at : cue.start()].strip():
            yield wanted, at, cue.start()
        at, wanted = cue.end(), False
        if cue["han"] and cue["han"].startswith(cues.RELATIVE):
            of = text.find("的", at, end)
            if of > at and text[of + 1 : end].strip():
                yield False, at, of
                at, wanted = of + 1, True
    if text[at:end].strip():
        yield wanted, at, end


def _is_in_a_title(cue: re.Match, text: str, start: int, end: int) -> bool:
    """A capital letter in the middle of a clause: “films like No Country for Old Men”."""
    first = (cue["en"] or "")[:1]
    if not first.isupper() or first == "I":
        return False
    return bool(text[start : cue.start()].strip()) and not text[start:end].isupper()


# --- one sign, in pieces ------------------------------------------------------------------------


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, end) of what a list enumerates; what cannot stand alone stays with its neighbour."""
    begin = _without_lead(text, start, end)
    last: tuple[int, int] | None = None
    for match in [*cues.AND.finditer(text, begin, end), None]:
        stop, after = (match.start(), match.end()) if match else (end, end)
        after = _without_lead(text, after, end)
        if match and not _are_two(text[begin:stop], match[0], text[after:end]):
            continue
        stop = _without_tail(text, begin, stop)
        if not says_something(text[begin:stop]):
            pass
        elif not match and last and not _stands_alone(text[begin:stop]):
            last = (last[0], stop)  # “science fiction, slow”
        else:
            if last:
                yield last
            last = (begin, stop)
        begin = after
    if last:
        yield last


def _are_two(left: str, sign: str, rest: str) -> bool:
    """Whether a comma or an “and” parts two things that each mean something alone."""
    following = cues.AND.split(rest, maxsplit=1)[0]
    if not says_something(following):
        return True  # nothing to keep it with
    if not _stands_alone(left):
        return False
    if sign.strip() in (",", "、"):
        return True
    if _is_han(sign) and "的" in following and not left.strip().endswith(cues.HEADS):
        return False  # 父亲和儿子的故事 is one story
    return _stands_alone(following) and not cues.GOVERNS.search(left)


def _stands_alone(piece: str) -> bool:
    """“robots” and “slow films” do, “slow” does not: it belongs to what comes next."""
    if HIDDEN in piece:
        return True
    words = [word for word in cues.WORDS.findall(fold(piece)) if says_something(word)]
    if not words:
        return False
    if _is_han(words[-1]):
        return sum(map(len, words)) > 1 and not piece.strip().endswith(("的", "地"))
    if len(words) > 1:
        return True
    return _singular(words[0]) != words[0] or words[0] in cues.STAND_ALONE


def _without_lead(text: str, start: int, end: int) -> int:
    """Where begins what is meant, behind “I would like to see some”."""
    while (match := cues.LEAD.match(text, start, end)) and says_something(text[match.end() : end]):
        start = match.end()
    return start


def _without_tail(text: str, start: int, end: int) -> int:
    while (match := cues.TAIL.search(text, start, end)) and match.start() > start:
        end = match.start()
    return end


def _is_han(text: str) -> bool:
    return bool(re.match(rf"[{cues.HAN}]", text))


def _singular(word: str) -> str:
    """Of an English word; one that is no plural stays as it is, most of the time."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    is_plural = word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3
    return word[:-1] if is_plural else word
