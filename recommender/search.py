"""Find items by words and by meaning, together; by words alone when the encoder is slow or down.

The lists are fused by reciprocal rank. A query that Latin words miss by one slip is forgiven.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender import store
from recommender.candidates.fusion import reciprocal_rank
from recommender.embeddings import centring
from recommender.embeddings.encoder import EncoderError
from recommender.encoders import encode_queries, query_vector
from recommender.store import Condition, Facets, Facts
from recommender.understanding import words

log = logging.getLogger(__name__)
DEEP = 200  # results of each list that are fused
LONGEST = 500  # characters of a query that are read


@dataclass(frozen=True)
class Found:
    """Results, best first; whether meaning was used; and a spelling that was taken instead."""

    items: list[Facts]
    by_meaning: bool
    corrected: dict[str, str]
    terms: list[str]  # that were looked for, as understanding.words has them
    has_more: bool
    facets: Facets | None  # of all results, if any were asked for


def search(
    query: str,
    *,
    limit: int = 20,
    offset: int = 0,
    filter: str | None = None,
    facets: Sequence[str] = (),
) -> Found:
    """Some of the results, and what all of them have in common.

    offset  how many of the best to leave out
    filter  an expression over fields of items; FilterError if it cannot be used
    facets  names in store.FACETS
    """
    query = query[:LONGEST].strip()
    only = None if filter is None else store.condition_in(filter)
    terms = words.query_terms(query)
    spellings, corrected = forgive(terms)
    by_words = match(spellings, limit=DEEP, only=only) if terms else []
    near = by_meaning(query, only) if query else None
    fused = reciprocal_rank(
        [np.array(by_words, dtype=np.int64), np.array(near or [], dtype=np.int64)],
        weights=[1.0, 0.7],
        limit=2 * DEEP if facets else offset + limit + 1,
    ).tolist()
    some = fused[offset : offset + limit]
    facts = store.facts(some, shown=True)
    return Found(
        [facts[item] for item in some if item in facts],
        near is not None,
        corrected,
        [spelling for alternatives in spellings for spelling in alternatives],
        len(fused) > offset + limit,
        store.facets(fused, facets) if facets else None,
    )


def forgive(terms: list[str]) -> tuple[list[list[str]], dict[str, str]]:
    """Spellings to look for instead of each term, and those words that were taken for a slip.

    Of the words that may have been meant, the one that most items have is taken.
    """
    unsure = [term for term in terms if words.one_typo_away(term)]
    there = store.known_words(unsure) if unsure else {}
    near = {term: words.one_typo_away(term) for term in unsure if not there.get(term)}
    known = store.known_words(sorted(set().union(*near.values()))) if near else {}
    spellings, corrected = [], {}
    for term in terms:
        meant = max((w for w in near.get(term, ()) if known.get(w)), key=known.get, default=None)
        spellings.append([term, meant] if meant else [term])
        if meant:
            corrected[term] = meant
    return spellings, corrected


def match(spellings: list[list[str]], *, limit: int, only: Condition | None = None) -> list[int]:
    """Items with all the words, then those with some of them."""
    every, some = (words.query_literal(spellings, all_of=every) for every in (True, False))
    found = store.items_with_words(every, limit=limit, only=only)
    if len(found) < limit and len(spellings) > 1:
        others = store.items_with_words(some, limit=limit, only=only)
        found += [item for item in others if item not in set(found)]
    return found[:limit]


def by_meaning(query: str, only: Condition | None = None) -> list[int] | None:
    """Items near in meaning, or None when the encoder did not answer in time."""
    space = store.active_space()
    if space is None:
        return None
    try:
        raw = query_vector(space, query, lambda: encode_queries(space, [query]))
    except EncoderError as error:
        log.warning("search answers with words alone: %s", error)
        return None
    vector = centring.centre(raw, np.array(space.mean_query, dtype=np.float32))[0]
    at = store.Space(space.id, space.dimension)
    if only is not None:
        return store.nearest_that_pass(at, vector, only, limit=DEEP // 2)
    return [item for item, _ in store.nearest_items(at, vector, limit=DEEP // 2)]
