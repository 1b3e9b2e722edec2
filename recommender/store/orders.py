"""What is popular, trending and new, read once for all who have no taste yet.

What guests and newcomers are shown begins with the same ids. These are shared, and nothing else:
find() takes them as given ids, and leaves out what may not be shown by now, does not pass the
filter, or was seen. Whoever mutes something, or is known by what they like, is answered by the
tables alone.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from uuid import UUID

from django.conf import settings

from recommender.ranking.steered import Steer
from recommender.shared import Shared, as_json
from recommender.store import candidates
from recommender.store.candidates import FILLERS, Found, Source, ordered_passing
from recommender.store.filters import Condition
from recommender.store.replicas import item_side, reader
from recommender.store.spaces import Space

SPARE = 150  # more than a list asks for, in the place of what one has seen or what has gone
# In whole catalogues these are read by their index in less time than Valkey takes, and what has
# just arrived is there at once.
CHEAP = ("new", "little_known")
# A filter is whatever a caller makes up: so many of them are kept, of 4 kB each.
ORDERS = Shared("orders", slots=2_000, kept_seconds=600)


def find(
    space: Space | None,
    sources: Sequence[Source],
    *,
    seen: Sequence[int],
    limit: int,
    only: Condition | None = None,
    steering: Sequence[Steer] = (),
    without: Sequence[UUID] = (),
    beside: Sequence[int] = (),
    **others,
) -> Found:
    """candidates.find(), by orders that are shared where it makes no difference who asks."""
    is_anybody = not without and not any(steer.action == "mute" for steer in steering)
    if settings.SHARED_LISTS_SECONDS and is_anybody and all(s.vector is None for s in sources):
        left_out = {*map(int, seen), *map(int, beside)}
        sources = by_shared(sources, only, seen=left_out, pool=limit)
    return candidates.find(
        space,
        sources,
        seen=seen,
        limit=limit,
        only=only,
        steering=steering,
        without=without,
        beside=beside,
        **others,
    )


def by_shared(
    sources: Sequence[Source], only: Condition | None, *, seen: set[int], pool: int
) -> list[Source]:
    """Sources with ids in the place of those orders that are dear to read.

    Where somebody has seen so much of one that too little is left, the order stays.
    """
    dear = {
        number: _in_full(source, only, pool)
        for number, source in enumerate(sources)
        if source.order in candidates.ORDERS and (only or source.order not in CHEAP)
    }
    found = list(sources)
    for (number, source), ids in zip(
        dear.items(), shared_orders(list(dear.values()), only) if dear else (), strict=True
    ):
        unseen = [item for item in ids if item not in seen]
        are_all = len(ids) < source.limit + SPARE
        if are_all or len(unseen) >= source.limit:
            found[number] = replace(source, order=None, item_ids=unseen[: source.limit])
    return found


def _in_full(source: Source, only: Condition | None, pool: int) -> Source:
    """With the limit that find() gives it."""
    goes_on = only is not None and source.order in FILLERS
    return replace(source, limit=max(source.limit, pool)) if goes_on else source


def shared_orders(sources: Sequence[Source], only: Condition | None) -> list[list[int]]:
    """Ids of each order, best first, SPARE more than asked for; as they were some seconds ago."""
    asked = [replace(source, limit=source.limit + SPARE) for source in sources]

    @item_side
    def read() -> list[list[int]]:
        text, params = ordered_passing(asked, only, pool=0)
        with reader().cursor() as cursor:
            cursor.execute(text, params)
            rows = cursor.fetchall()
        return [[item for n, item in rows if n == number] for number in range(len(asked))]

    def load(kept: bytes) -> list[list[int]]:
        lists = json.loads(kept)
        if type(lists) is not list or len(lists) != len(asked) or not all(map(_are_ids, lists)):
            raise ValueError("not a list of ids for each order")
        return lists

    return ORDERS.get(
        [
            *(f"{source.order} {source.limit}" for source in asked),
            *(map(repr, astuple(only)) if only else ()),
        ],
        read,
        fresh_seconds=settings.SHARED_LISTS_SECONDS,
        dump=as_json,
        load=load,
    )


def _are_ids(values: object) -> bool:
    return type(values) is list and all(type(value) is int for value in values)
