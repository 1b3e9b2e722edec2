"""Where a text has the words of a query: pieces of the text as it is, each marked or not.

A word is marked if the index would find it by a term, so with folded case, accents and width; of
Chinese and Japanese each pair of characters that was asked for. No piece holds markup of ours, so
what shows them escapes them as any other text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recommender.understanding.words import CJK, fold

_RUNS = re.compile(rf"[{CJK}]+|[^\W_{CJK}](?:[^\W_{CJK}\u0300-\u036f]|[\u0300-\u036f]|['’](?=\w))*")
_IS_CJK = re.compile(f"[{CJK}]")


@dataclass(frozen=True)
class Piece:
    text: str
    is_hit: bool


def pieces(text: str, terms: Iterable[str], *, longest: int | None = None) -> list[Piece]:
    """A text cut where marking begins and ends; together the pieces are the text.

    terms    as words.query_terms() gives them
    longest  characters to show: then those around the first hit, with … where something is left out

    >>> [(piece.text, piece.is_hit) for piece in pieces("The Café, by night", ["cafe"])]
    [('The ', False), ('Café', True), (', by night', False)]
    >>> cut = pieces("far away, in a kettle of tea", ["kettle"], longest=14)
    >>> "".join(piece.text for piece in cut)
    '…a kettle of te…'
    """
    hits = _hits(text, frozenset(terms))
    begin, end = 0, len(text)
    if longest is not None and end > longest:
        first = hits[0][0] if hits else 0
        begin = max(0, min(first - longest // 5, end - longest))
        end = begin + longest
    found, at = [], begin
    for start, stop in hits:
        start, stop = max(start, begin), min(stop, end)
        if start < stop:
            found += [Piece(text[at:start], False), Piece(text[start:stop], True)]
            at = stop
    found.append(Piece(text[at:end], False))
    if begin > 0:
        found.insert(0, Piece("…", False))
    if end < len(text):
        found.append(Piece("…", False))
    return _joined(found)


def _hits(text: str, terms: frozenset[str]) -> list[tuple[int, int]]:
    """Begin and end of what is marked, in order and apart."""
    found: list[tuple[int, int]] = []
    for run in _RUNS.finditer(text):
        begin, end = run.span()
        if not _IS_CJK.match(run[0]):
            if fold(run[0]) in terms:
                found.append((begin, end))
            continue
        size = 2 if end - begin > 1 else 1
        for at in range(begin, end):
            for wide in (1, size):
                if at + wide <= end and fold(text[at : at + wide]) in terms:
                    if found and found[-1][1] >= at:
                        found[-1] = (found[-1][0], max(found[-1][1], at + wide))
                    else:
                        found.append((at, at + wide))
    return found


def _joined(found: list[Piece]) -> list[Piece]:
    """Without empty pieces, neighbours of one kind as one."""
    kept: list[Piece] = []
    for piece in found:
        if kept and kept[-1].is_hit == piece.is_hit:
            kept[-1] = Piece(kept[-1].text + piece.text, piece.is_hit)
        elif piece.text:
            kept.append(piece)
    return kept
