"""The item side of a request: what a person touched, and what might be shown.

No statement here touches a table of people, so that items can be sharded on their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from uuid import UUID

import numpy as np

from recommender.candidates.fusion import CONSTANT
from recommender.ranking.assemble import ORDERLY, Known
from recommender.ranking.explore import FEW_SHOWN
from recommender.ranking.floor import STEP
from recommender.ranking.model import LISTS, RELATED
from recommender.ranking.scenario import About
from recommender.ranking.steered import Steer
from recommender.store.filters import Condition, all_of, which_hold
from recommender.store.replicas import item_side, on_primary, reader, stay_on_primary
from recommender.store.spaces import Space
from recommender.store.sql import (
    MOMENT,
    SHARED_TOPICS,
    SHOWN,
    as_array,
    as_text,
    bound_cursor,
    ef_search,
    from_binary,
)
from recommender.store.steering import not_muted, which_apply
from recommender.store.versions import factors_of, related_of, stand_ins_of


@dataclass(frozen=True)
class Named:
    """The item that a list is about, and what it is called."""

    about: About
    title: str
    uuid: UUID


@dataclass(frozen=True)
class Touched:
    """Items a person gave feedback on, in the order asked for."""

    known: Known
    titles: Sequence[str]
    uuids: Sequence[UUID]
    ids: Sequence[int]
    about: Named | None = None  # an item asked for besides

    def named(self, row: int) -> Named:
        """One of them, as what a list is about."""
        taste = LISTS.index("taste")
        related_ids, weights = self.known.related_ids[row], self.known.related_weights[row]
        about = About(self.ids[row], self.known.vectors[row], related_ids[taste], weights[taste])
        return Named(about, self.titles[row], self.uuids[row])

    def first(self, n: int) -> "Touched":
        known = Known(*(getattr(self.known, f.name)[:n] for f in fields(Known)))
        return Touched(known, self.titles[:n], self.uuids[:n], self.ids[:n])


LAST = 2**31  # number of an item that is read besides, behind all others


def touched(
    space: Space | None,
    version: int | None,
    item_ids: Sequence[int],
    *,
    orderly: int = ORDERLY,
    about: UUID | None = None,
    uuids: Sequence[UUID] | None = None,
) -> Touched:
    """Vectors and titles of items, and what a version learned of them: one statement, or another
    of the primary for an item so new that the replica that was asked does not have it.

    uuids    in the place of ids: those of them that are shown
    orderly  so many of them with all lists of related items, the others with that of taste alone
    about    the public id of an item to read besides, if it is shown
    """
    asked = space, version, item_ids, orderly, about, uuids
    found = _read_touched(*asked)
    wanted = len(item_ids if uuids is None else uuids)
    is_all = len(found.ids) == wanted and (about is None or found.about is not None)
    if is_all or on_primary():
        return found
    stay_on_primary()
    return _read_touched(*asked)


@item_side
def _read_touched(
    space: Space | None,
    version: int | None,
    item_ids: Sequence[int],
    orderly: int,
    about: UUID | None,
    uuids: Sequence[UUID] | None,
) -> Touched:
    space = space or Space(0, 1)
    if not len(item_ids) and uuids is None and about is None:
        return _touched([], space)  # of somebody new: nothing to ask
    asked = "SELECT * FROM unnest(%s::bigint[]) WITH ORDINALITY"
    if uuids is not None:
        asked = (
            "SELECT i.id, q.n FROM unnest(%s::uuid[]) WITH ORDINALITY q (uuid, n)"
            f" JOIN catalog_item i ON i.uuid = q.uuid AND {SHOWN}"
        )
    with bound_cursor(reader()) as cursor:
        cursor.execute(
            "SELECT i.id, i.title, i.uuid, halfvec_send(e.embedding),"
            " CASE WHEN q.n <= %s THEN l.related_ids"
            f"   ELSE substr(l.related_ids, 1, {8 * RELATED}) END,"
            " CASE WHEN q.n <= %s THEN l.related_weights"
            f"   ELSE substr(l.related_weights, 1, {2 * RELATED}) END, l.factors,"
            f" l.text_factors, {CATEGORIES}, {SHARED_TOPICS}, q.n"
            f" FROM ({asked} UNION ALL"
            f"   SELECT i.id, {LAST} FROM catalog_item i WHERE i.uuid = %s AND {SHOWN}) q (id, n)"
            " JOIN catalog_item i ON i.id = q.id"
            " LEFT JOIN recommender_itemembedding e"
            f"   ON e.item_id = q.id AND e.space_id = {int(space.id)}"
            " LEFT JOIN recommender_learneditem l ON l.item_id = q.id AND l.version_id = %s"
            " ORDER BY q.n",
            [orderly, orderly, list(item_ids if uuids is None else uuids), about, version],
        )
        return _touched(cursor.fetchall(), space)


def _touched(rows: list[tuple], space: Space) -> Touched:
    columns = list(zip(*rows, strict=True)) or [()] * 11
    ids, titles, uuids, vectors, related_ids, related_weights, *others, numbers = columns
    factors, text_factors, *kinds = others
    known = Known(
        from_binary(vectors, space.dimension),
        *related_of(related_ids, related_weights),
        *map(factors_of, (factors, text_factors)),
        *kinds,
    )
    found = Touched(known, titles, uuids, ids)
    n = len(ids) - numbers.count(LAST)
    return replace(found.first(n), about=found.named(n)) if n < len(ids) else found


@dataclass(frozen=True)
class Source:
    """Where candidates come from, with its say in the fusion by reciprocal rank."""

    weight: float
    vector: np.ndarray | None = None  # nearest to it
    item_ids: Sequence[int] | None = None  # or these, best first
    order: str | None = None  # or "popular", "trending", "new", "little_known"
    limit: int = 200


@dataclass(frozen=True)
class Found:
    """A pool of candidates with what ranking and the page need, best fused first."""

    ids: np.ndarray  # (n,) int64
    sources: np.ndarray  # (n,) int64, bit m says that source m found it
    uuids: list[UUID]
    vectors: np.ndarray  # (n, d) float32, zeros where there is none yet
    category_ids: list[list[int]]
    topic_ids: list[list[int]]  # those that several items share
    titles: list[str]
    creators: np.ndarray  # (n,) int64 first creator, -1 without
    steers: list[list[int]]  # numbers of what the person steers by that speaks of each
    boosted: np.ndarray  # (n, b) bool: which of the boosts asked for are true of each
    popularity: np.ndarray  # (n,) float32
    trend: np.ndarray  # (n,) float32
    shown: np.ndarray  # (n,) float64 people it was shown to, of late
    taken: np.ndarray  # (n,) float64 of them, who took it up
    prices: np.ndarray  # (n,) float64 of a floor of exposure, if the site has one
    factors: np.ndarray  # (n, f) float32, zeros where there is none
    stand_in_ids: np.ndarray  # (n, s) int64, -1 where there is none
    stand_in_weights: np.ndarray  # (n, s) float32
    moments: np.ndarray  # (n,) float64 seconds since 1970: published, else arrived
    now: float  # the database's clock, seconds since 1970


@item_side
def find(
    space: Space | None,
    sources: Sequence[Source],
    *,
    version: int | None = None,
    seen: Sequence[int],
    limit: int,
    only: Condition | None = None,
    steering: Sequence[Steer] = (),
    boosts: Sequence[Condition] = (),
    without: Sequence[UUID] = (),
    beside: Sequence[int] = (),
    nearby: "Nearby | None" = None,
    bare: bool = False,
) -> Found:
    """Candidates of all sources that may be shown, fused by reciprocal rank: one statement.

    only  what all of them must meet. As many are found as there are: the lists of what is new and
          popular then fill the pool, and a search by the index that comes back short is made exact.
    steering  what it mutes is left out; of the rest it is told what it speaks of
    boosts    of each item found it is told which of these are true of it
    without   public ids of items that are left out as what was seen is
    beside    ids of items that are left out too
    nearby    what other lists of the same person found, so that none searches for it again: where
              it has not all, one statement more
    bare      whether ids alone are read, which halves the time; all else of Found is empty then
    """
    muted = not_muted(steering)
    may = Condition(f"{SHOWN}{muted.sql}", muted.params)
    branches, params = [], []
    near = []  # of sources that look near a vector, without a filter: all in one branch
    for number, source in enumerate(sources):
        if source.vector is not None and space is not None and only is None:
            near.append((number, source))
            continue
        if source.vector is not None and space is not None:
            text, given = _nearest_that_pass(space, source, may, only)
        elif source.item_ids is not None:
            text, given = _given(source, may, only)
        elif source.order in ORDERS:
            text, given = _ordered(source, may, only, limit)
        else:
            continue
        branches.append(f"(SELECT item_id, {number}, rank FROM ({text}) listed)")
        params += given
    if near:
        if nearby is None:
            text, given = _nearest(space, near, may)
        else:
            text, given = _near_again(nearby.near(space, near, may, seen), near, may)
        branches.append(f"({text})")
        params += given
    if not branches:
        return _empty(space)
    # Whatever differs from list to list is a value, so that the text comes again.
    weights = "{" + ",".join(f"{source.weight:.6f}" for source in sources) + "}"
    first, before = _matching(space, may, only)
    unwanted = " UNION SELECT id FROM catalog_item WHERE uuid = ANY(%s)" if without else ""
    applies, hold = which_apply(steering), which_hold(boosts)
    given = [
        as_array([*seen, *beside]),
        *([list(without)] if without else []),
        *before,
        *params,
        weights,
    ]
    read = (
        _COLUMNS.format(steers=applies.sql, boosted=hold.sql)
        + " FROM fused f JOIN catalog_item i ON i.id = f.item_id"
        + _JOINS.format(space=space.id if space else 0)
        + " ORDER BY f.score DESC, f.item_id"
    )
    with bound_cursor(reader()) as cursor:
        cursor.execute(
            f"WITH seen AS MATERIALIZED (SELECT unnest(%s::bigint[]) AS id{unwanted}),{first}"
            f" found (item_id, source, rank) AS ({' UNION ALL '.join(branches)}),"
            " fused AS (SELECT f.item_id,"
            # Rounded as reciprocal_rank() is, so that equals are equal however they add up.
            f" round(sum((%s::numeric[])[f.source + 1] / ({CONSTANT} + f.rank)), 12) AS score,"
            " bit_or(1::bigint << f.source) AS sources FROM found f"
            f" GROUP BY f.item_id ORDER BY score DESC, f.item_id LIMIT {int(limit)})"
            + (" SELECT item_id FROM fused ORDER BY score DESC, item_id" if bare else read),
            given if bare else [*given, *applies.params, *hold.params, version],
        )
        if bare:
            ids = np.array([item for (item,) in cursor.fetchall()], dtype=np.int64)
            return replace(_empty(space), ids=ids)
        return _found(cursor.fetchall(), space)


# Matches of a filter, up to which their distances are all computed: of n items the index reads
# NEAREST / share of them to find so many that pass, so it costs as much at the root of n x NEAREST.
EXACT, NEAREST = 5_000, 200
UNSEEN = "NOT IN (SELECT id FROM seen)"
FEW, MANY = "(SELECT are_few FROM counted)", "NOT (SELECT are_few FROM counted)"


def _matching(space: Space | None, may: Condition, only: Condition | None) -> tuple[str, tuple]:
    """What a filter leaves, if that is little: its ids, and its vectors."""
    if only is None:
        return "", ()
    return (
        " exact AS MATERIALIZED (SELECT"
        f" greatest({EXACT}, sqrt({NEAREST}.0 * greatest(reltuples, 0)))::int AS most"
        " FROM pg_class WHERE oid = 'catalog_item'::regclass),"
        " matching AS MATERIALIZED (SELECT i.id, i.published_at, i.created_at FROM catalog_item i"
        f" WHERE {may.sql} AND {only.sql} LIMIT (SELECT most + 1 FROM exact)),"
        " counted AS MATERIALIZED"
        " (SELECT count(*) <= (SELECT most FROM exact) AS are_few FROM matching),"
        " near AS MATERIALIZED (SELECT e.item_id, e.embedding FROM matching m"
        f" JOIN recommender_itemembedding e ON e.item_id = m.id WHERE {FEW}"
        f" AND e.space_id = {int(space.id if space else 0)} AND e.item_id {UNSEEN}),",
        (*may.params, *only.params),
    )


def _nearest(
    space: Space, sources: Sequence[tuple[int, Source]], may: Condition
) -> tuple[str, list]:
    """(item_id, number of the source, rank) of the nearest to each vector, without a filter.

    One branch for all of them: a branch each would be planned each, for longer than it takes.
    """
    distance = f"{space.column} <=> q.vector"
    asked = ", ".join(["(%s::int, %s::halfvec, %s::int)"] * len(sources))
    # No statement of its own: what is looked near is read after it was set.
    asked = (
        f"SELECT asked.* FROM (VALUES {asked}) asked,"
        " (SELECT set_config('hnsw.ef_search', %s, true)) searched OFFSET 0"
    )
    return (
        f"SELECT n.item_id, q.source, n.rank FROM ({asked}) q (source, vector, size),"
        " LATERAL (SELECT item_id, row_number() OVER (ORDER BY distance, item_id) AS rank FROM"
        f" (SELECT e.item_id, {distance} AS distance FROM recommender_itemembedding e"
        " JOIN catalog_item i ON i.id = e.item_id"
        f" WHERE e.space_id = {int(space.id)} AND {may.sql} AND e.item_id {UNSEEN}"
        f" ORDER BY {distance} LIMIT q.size) nearest) n",
        [
            value
            for number, source in sources
            for value in (number, as_text(source.vector), int(source.limit))
        ]
        + [str(ef_search(max(source.limit for _, source in sources))), *may.params],
    )


class Nearby:
    """What was found near each vector for one person, in one transaction.

    The lists of a home screen look near the same vectors; each leaves out what those above it show.
    """

    def __init__(self, slack: int) -> None:
        """slack  how many of those nearest a later list may leave out"""
        self._slack = slack
        self._found: dict[tuple, list[int]] = {}
        self._sizes: dict[tuple, int] = {}  # how many were asked for

    def near(
        self,
        space: Space,
        sources: Sequence[tuple[int, Source]],
        may: Condition,
        seen: Sequence[int],
    ) -> list[list[int]]:
        """Of each source the ids nearest to its vector, of those not seen: one statement for all
        that were not asked for before, none if all were."""
        keys = [(source.vector.tobytes(), tuple(seen)) for _, source in sources]
        new = {
            key: replace(source, limit=source.limit + self._slack)
            for key, (_, source) in zip(keys, sources, strict=True)
            if self._sizes.get(key, 0) < source.limit
        }
        if new:
            text, params = _nearest(space, list(enumerate(new.values())), may)
            with bound_cursor(reader()) as cursor:
                cursor.execute(
                    "WITH seen AS MATERIALIZED (SELECT unnest(%s::bigint[]) AS id)"
                    " SELECT source, array_agg(item_id ORDER BY rank)"
                    f" FROM ({text}) n (item_id, source, rank) GROUP BY source",
                    [as_array(seen), *params],
                )
                found = dict(cursor.fetchall())
            for number, (key, source) in enumerate(new.items()):
                self._found[key], self._sizes[key] = found.get(number, []), source.limit
        return [self._found[key] for key in keys]


def _near_again(
    found: Sequence[Sequence[int]], sources: Sequence[tuple[int, Source]], may: Condition
) -> tuple[str, list]:
    """What _nearest() gives, of ids that were found before."""
    asked = ", ".join(["(%s::int, %s::bigint[], %s::int)"] * len(sources))
    return (
        "SELECT n.item_id, q.source, n.rank"
        f" FROM (VALUES {asked}) q (source, ids, size),"
        " LATERAL (SELECT item_id, row_number() OVER (ORDER BY n) AS rank FROM"
        " (SELECT w.id AS item_id, w.n FROM unnest(q.ids) WITH ORDINALITY w (id, n)"
        f" JOIN catalog_item i ON i.id = w.id WHERE {may.sql} AND w.id {UNSEEN}"
        " ORDER BY w.n LIMIT q.size) nearest) n",
        [
            value
            for ids, (number, source) in zip(found, sources, strict=True)
            for value in (number, as_array(ids), int(source.limit))
        ]
        + [*may.params],
    )


def _nearest_that_pass(
    space: Space, source: Source, may: Condition, only: Condition
) -> tuple[str, list]:
    """(item_id, rank) of the nearest to a vector."""
    vector = as_text(source.vector)
    distance = f"{space.column} <=> %s::halfvec({int(space.dimension)})"
    best = f"LIMIT {int(source.limit)}"
    everything = (
        f"SELECT e.item_id, {distance} AS distance FROM recommender_itemembedding e"
        f" JOIN catalog_item i ON i.id = e.item_id"
        f" WHERE e.space_id = {int(space.id)} AND {may.sql} AND e.item_id {UNSEEN}"
    )
    ranked = "SELECT item_id, row_number() OVER (ORDER BY distance, item_id) AS rank FROM"
    # Among few matches; else by the index; and when that has gone as far as it may, among the rest.
    few = f"SELECT e.item_id, {distance} AS distance FROM near e ORDER BY distance {best}"
    many = f"{everything} AND {only.sql} AND {MANY}"
    given = [vector, *may.params, *only.params, vector]
    return (
        f"WITH by_index AS MATERIALIZED ({many} ORDER BY {distance} {best})"
        f" {ranked} (({few}) UNION ALL SELECT item_id, distance FROM by_index UNION ALL"
        f" ({many} AND (SELECT count(*) FROM by_index) < {int(source.limit)}"
        " AND e.item_id NOT IN (SELECT item_id FROM by_index)"
        f" ORDER BY ({distance}) + 0 {best})) nearest",
        [*given, vector, *given],
    )


def nearest_passing(space: Space, source: Source, only: Condition) -> tuple[str, list]:
    """A statement for the ids of the nearest of one source, as find() looks for them."""
    may = Condition(SHOWN, ())
    first, before = _matching(space, may, only)
    text, params = _nearest_that_pass(space, source, may, only)
    return (
        f"WITH seen AS MATERIALIZED (SELECT 0::bigint AS id WHERE false),{first.rstrip(',')}"
        f" SELECT item_id FROM ({text}) listed ORDER BY rank LIMIT {int(source.limit)}",
        [*before, *params],
    )


def ordered_passing(
    sources: Sequence[Source], only: Condition | None, *, pool: int
) -> tuple[str, list]:
    """A statement for (number, item_id) of each order, best first, as find() lists them for
    anybody."""
    may = Condition(SHOWN, ())
    first, params = _matching(None, may, only)
    parts = []
    for number, source in enumerate(sources):
        text, given = _ordered(source, may, only, pool)
        parts.append(f"(SELECT {number} AS number, item_id, rank FROM ({text}) listed)")
        params = (*params, *given)
    return (
        f"WITH seen AS MATERIALIZED (SELECT 0::bigint AS id WHERE false),{first}"
        f" listed AS ({' UNION ALL '.join(parts)})"
        " SELECT number, item_id FROM listed ORDER BY number, rank",
        [*params],
    )


def _given(source: Source, may: Condition, only: Condition | None) -> tuple[str, list]:
    """(item_id, rank) of given items, which may have gone or been muted since they were kept."""
    passes = all_of([may, only])
    return (
        "SELECT q.id AS item_id, q.n AS rank FROM unnest(%s::bigint[]) WITH ORDINALITY q (id, n)"
        f" JOIN catalog_item i ON i.id = q.id WHERE {passes.sql} AND q.id {UNSEEN}",
        [as_array(source.item_ids), *passes.params],
    )


def little_known(*, latest: int) -> tuple[str, str, str, str]:
    """Those that arrived last, which is not when they were published, for ORDERS.

    latest  how many are looked at: where all are well known, a request must not read the whole
            catalogue to find none
    """
    known = "LEFT JOIN recommender_exposure x ON x.item_id = i.id"
    return (
        "i.id",
        f"coalesce(x.shown, 0) < {FEW_SHOWN:g}",
        f"(SELECT * FROM catalog_item i WHERE {SHOWN} ORDER BY id DESC LIMIT {latest}) i {known}",
        f"matching i {known}",
    )


# By what, of which items, and where they are read: among all, and among few that match.
ORDERS = {
    "popular": (
        "p.score",
        "p.score > 0",
        "recommender_popularity p JOIN catalog_item i ON i.id = p.item_id",
        "matching i JOIN recommender_popularity p ON p.item_id = i.id",
    ),
    "trending": (
        "p.trend",
        "p.trend > 0",
        "recommender_popularity p JOIN catalog_item i ON i.id = p.item_id",
        "matching i JOIN recommender_popularity p ON p.item_id = i.id",
    ),
    "new": (MOMENT, "true", "catalog_item i", "matching i"),
    "little_known": little_known(latest=1_000),
}
FILLERS = ("popular", "new")  # that go on as long as a filter needs


def _ordered(source: Source, may: Condition, only: Condition | None, pool: int) -> tuple[str, list]:
    """(item_id, rank) of the most popular, the newest or the least known."""
    by, who, everything, few = ORDERS[source.order]

    def best(items: str, where: str, limit: int) -> str:
        return (
            f"SELECT i.id AS item_id, {by} AS amount FROM {items} WHERE {where} AND {who}"
            f" AND i.id {UNSEEN} ORDER BY {by} DESC, i.id LIMIT {int(limit)}"
        )

    ranked = "SELECT item_id, row_number() OVER (ORDER BY amount DESC, item_id) AS rank FROM"
    if only is None:
        return f"{ranked} ({best(everything, may.sql, source.limit)}) best", [*may.params]
    limit = max(source.limit, pool) if source.order in FILLERS else source.limit
    among_all = best(everything, f"{may.sql} AND {only.sql} AND {MANY}", limit)
    return f"{ranked} (({best(few, FEW, limit)}) UNION ALL ({among_all})) best", [
        *may.params,
        *only.params,
    ]


CATEGORIES = "ARRAY(SELECT ic.category_id FROM catalog_item_categories ic WHERE ic.item_id = i.id)"
_COLUMNS = (
    " SELECT i.id, f.sources, i.uuid, halfvec_send(e.embedding),"
    f" {CATEGORIES}, {SHARED_TOPICS}, i.title,"
    " coalesce((SELECT c.creator_id FROM catalog_itemcreator c WHERE c.item_id = i.id"
    "   ORDER BY c.position LIMIT 1), -1), {steers}, {boosted},"
    " coalesce(p.score, 0), coalesce(p.trend, 0), coalesce(x.shown, 0),"
    f" coalesce(x.taken, 0), coalesce(x.price, {STEP}),"
    " l.factors, l.stand_in_ids, l.stand_in_weights,"
    " extract(epoch FROM " + MOMENT + ")::float8,"
    " extract(epoch FROM now())::float8"
)


_JOINS = (
    " LEFT JOIN recommender_itemembedding e ON e.item_id = i.id AND e.space_id = {space}"
    " LEFT JOIN recommender_popularity p ON p.item_id = i.id"
    " LEFT JOIN recommender_exposure x ON x.item_id = i.id"
    " LEFT JOIN recommender_learneditem l ON l.item_id = i.id AND l.version_id = %s"
)


def _found(rows: list[tuple], space: Space | None) -> Found:
    if not rows:
        return _empty(space)
    (
        ids,
        sources,
        uuids,
        vectors,
        categories,
        topics,
        titles,
        creators,
        steers,
        boosted,
        *numbers,
        moments,
        now,
    ) = zip(*rows, strict=True)
    popularity, trend, shown, taken, prices, factors, *stand_ins = numbers
    return Found(
        np.array(ids, dtype=np.int64),
        np.array(sources, dtype=np.int64),
        list(uuids),
        from_binary(vectors, space.dimension) if space else np.zeros((len(ids), 1), np.float32),
        list(categories),
        list(topics),
        list(titles),
        np.array(creators, dtype=np.int64),
        list(steers),
        np.array(boosted, dtype=bool).reshape(len(ids), -1),
        np.array(popularity, dtype=np.float32),
        np.array(trend, dtype=np.float32),
        np.array(shown, dtype=np.float64),
        np.array(taken, dtype=np.float64),
        np.array(prices, dtype=np.float64),
        factors_of(factors),
        *stand_ins_of(*stand_ins),
        np.array(moments, dtype=np.float64),
        now[0],
    )


def _empty(space: Space | None) -> Found:
    none = np.zeros(0)
    return Found(
        none.astype(np.int64),
        none.astype(np.int64),
        [],
        np.zeros((0, space.dimension if space else 1), np.float32),
        [],
        [],
        [],
        none.astype(np.int64),
        [],
        np.zeros((0, 0), dtype=bool),
        none.astype(np.float32),
        none.astype(np.float32),
        none,
        none,
        none,
        np.zeros((0, 1), np.float32),
        *stand_ins_of([], []),
        none,
        0.0,
    )
