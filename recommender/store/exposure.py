"""How many people items were shown to, counted apart from requests, and what came of exploring."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from catalog.uuid7 import first_id
from recommender.evaluation import metrics
from recommender.ranking.explore import FEW_SHOWN, HALF_LIFE_DAYS
from recommender.ranking.floor import MOST, STEP
from recommender.store.crowd import replace
from recommender.store.scenarios import HOME
from recommender.store.sql import LIVE, SHOWN, of_counted

DAY = 86_400.0
BACK_DAYS = 4 * HALF_LIFE_DAYS  # what lies further back would count next to nothing

# Each person counts once an item, by the last list that had it; a visitor counts once a list, and
# who does not count in what is learned for all, not at all. Where it was told what of a list came
# into sight, only that was shown.
_PAIRS = """
    WITH pairs AS MATERIALIZED (
        SELECT l.user_id, item_id,
            max(power(2, -extract(epoch FROM now() - l.served_at)::float8 / %s)) AS weight
        FROM recommender_served l LEFT JOIN recommender_seenplaces s ON s.list_id = l.id,
            unnest(l.item_ids) WITH ORDINALITY AS t (item_id, place)
        WHERE l.id >= %s AND (l.user_id IS NULL OR {counted})
            AND (s.list_id IS NULL OR t.place = ANY(s.places))
        GROUP BY l.user_id, CASE WHEN l.user_id IS NULL THEN l.id END, item_id)"""


def _pairs() -> str:
    return _PAIRS.format(counted=of_counted("l"))


@dataclass(frozen=True)
class Showings:
    """What people were shown of late; a showing fades with its age."""

    items: np.ndarray  # (n,) int64
    shown: np.ndarray  # (n,) float64 people, each counted 1 down to 0
    # Who of these gave feedback on the item: (a,) people, items and what the showing counts.
    answers: tuple[np.ndarray, np.ndarray, np.ndarray]


def since(days: float) -> UUID:
    """The least id that a list served so many days ago can have."""
    return first_id(datetime.now(UTC) - timedelta(days=days))


def showings() -> Showings:
    """Count over the lists of the last BACK_DAYS. Reads tables of people alone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            f"{_pairs()} SELECT NULL, item_id, sum(weight) FROM pairs GROUP BY item_id"
            " UNION ALL SELECT p.user_id, p.item_id, p.weight FROM pairs p WHERE EXISTS ("
            "   SELECT 1 FROM catalog_feedback f"
            f"  WHERE f.user_id = p.user_id AND f.item_id = p.item_id AND {LIVE})",
            [HALF_LIFE_DAYS * DAY, since(BACK_DAYS)],
        )
        # 0 is nobody's id
        rows = np.array(
            [(person or 0, item, weight) for person, item, weight in cursor.fetchall()],
            dtype=[("person", "i8"), ("item", "i8"), ("weight", "f8")],
        )
    of_item, answers = rows[rows["person"] == 0], rows[rows["person"] != 0]
    return Showings(
        of_item["item"],
        of_item["weight"],
        (answers["person"], answers["item"], answers["weight"]),
    )


def put_exposure(item_ids: np.ndarray, shown: np.ndarray, taken: np.ndarray) -> None:
    """Put the records of items in place of all former ones; what has a price keeps a record."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT item_id FROM recommender_exposure WHERE price IS NOT NULL")
        priced = np.array([item for (item,) in cursor.fetchall()], dtype=np.int64)
    others = np.setdiff1d(priced, item_ids)
    nothing = np.zeros(len(others))
    replace(
        "exposure",
        np.concatenate([item_ids, others]),
        "counted_at",
        shown=np.concatenate([shown, nothing]),
        taken=np.concatenate([taken, nothing]),
    )


@dataclass(frozen=True)
class Day:
    """The catalogue after a day of lists, for its prices to be set."""

    items: np.ndarray  # (n,) int64 all that may be shown
    prices: np.ndarray  # (n,) float64 that held on that day
    shown: np.ndarray  # (n,) int64 people that each was shown to


def day_of_lists() -> Day | None:
    """The last day; None while prices were set less than a day ago, so that no list counts twice.

    Tables of people and of items are read one after the other.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT max(priced_at) > now() - interval '1 day' FROM recommender_exposure")
        if cursor.fetchone()[0]:
            return None
        cursor.execute(
            f"{_pairs()} SELECT item_id, count(*) FROM pairs GROUP BY item_id",
            [HALF_LIFE_DAYS * DAY, since(1)],
        )
        people = dict(cursor.fetchall())
        cursor.execute(
            "SELECT i.id, coalesce(x.price, %s) FROM catalog_item i"
            f" LEFT JOIN recommender_exposure x ON x.item_id = i.id WHERE {SHOWN}",
            [STEP],
        )
        rows = np.array(cursor.fetchall(), dtype=[("item", "i8"), ("price", "f8")])
    items = rows["item"]
    shown = np.array([people.get(item, 0) for item in items.tolist()], dtype=np.int64)
    return Day(items, rows["price"], shown)


def put_prices(item_ids: np.ndarray, prices: np.ndarray) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "INSERT INTO recommender_exposure (item_id, shown, taken, price, priced_at)"
            " SELECT f.item_id, 0, 0, f.price, now()"
            " FROM unnest(%s::bigint[], %s::real[]) AS f (item_id, price)"
            " JOIN catalog_item i ON i.id = f.item_id"
            " ON CONFLICT (item_id) DO UPDATE"
            " SET price = excluded.price, priced_at = excluded.priced_at",
            [item_ids.tolist(), prices.tolist()],
        )


def forget_prices() -> None:
    """A floor that is set later begins anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE recommender_exposure SET price = NULL, priced_at = NULL WHERE price IS NOT NULL"
        )


@dataclass(frozen=True)
class Priced:
    """What the floor of exposure does now."""

    items: int  # of the catalogue
    above_0: int  # that are worth more for it
    at_most: int  # whose price has gone as far as it may
    highest: float  # price


def priced() -> Priced:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE price > 0),"
            " count(*) FILTER (WHERE price >= %s::real), coalesce(max(price), 0)"
            " FROM (SELECT coalesce(x.price, %s) AS price FROM catalog_item i"
            f" LEFT JOIN recommender_exposure x ON x.item_id = i.id WHERE {SHOWN}) p",
            [MOST, STEP],
        )
        return Priced(*cursor.fetchone())


@dataclass(frozen=True)
class Measured:
    """What little known items got of the lists of some days."""

    lists: int
    places: int
    given: int  # places given away to little known items
    items: int  # that got one
    answered: int  # places given away that somebody answered with feedback
    others_answered: int  # of the other places
    little_known: int  # items of the catalogue, now
    available: int  # items of the catalogue


def measured(days: float) -> Measured:
    """What exploring came to; feedback counts where it names the list."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "WITH shown AS MATERIALIZED (SELECT l.id, t.item_id,"
            " coalesce(l.report->'explored' @> to_jsonb(t.rank), false) AS is_given"
            " FROM recommender_served l,"
            "   unnest(l.item_ids) WITH ORDINALITY AS t (item_id, rank)"
            " WHERE l.id >= %s),"
            " answered AS (SELECT DISTINCT served_id, item_id FROM catalog_feedback"
            f"  WHERE served_id >= %s AND {LIVE})"
            " SELECT count(DISTINCT s.id), count(*), count(*) FILTER (WHERE is_given),"
            " count(DISTINCT s.item_id) FILTER (WHERE is_given),"
            " count(a.item_id) FILTER (WHERE is_given),"
            " count(a.item_id) FILTER (WHERE NOT is_given)"
            " FROM shown s LEFT JOIN answered a"
            "   ON a.served_id = s.id AND a.item_id = s.item_id",
            [since(days)] * 2,
        )
        of_lists = cursor.fetchone()
        cursor.execute(
            "SELECT count(*) FILTER (WHERE coalesce(x.shown, 0) < %s), count(*)"
            " FROM catalog_item i LEFT JOIN recommender_exposure x ON x.item_id = i.id"
            f" WHERE {SHOWN}",
            [FEW_SHOWN],
        )
        return Measured(*of_lists, *cursor.fetchone())


@dataclass(frozen=True)
class Spread:
    """How the places of lists are spread over the catalogue, and how far people's lists differ."""

    coverage: float  # share of the items of the catalogue that stood in a list
    gini: float  # 0 evenly, towards 1 on few items
    people: int  # whose newest lists were compared
    in_common: float  # mean share of a list that two people's have in common


COMPARED = 1_000  # people whose newest lists are compared, always the same while they are there


def spread(days: float) -> Spread:
    """Of the lists of the last days; people are compared by their newest of the scenario "home",
    which is the one made for a person."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT item_id, count(*) FROM recommender_served l, unnest(l.item_ids) AS item_id"
            " WHERE l.id >= %s GROUP BY item_id",
            [since(days)],
        )
        shown = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
        cursor.execute(
            "SELECT (SELECT l.item_ids FROM recommender_served l WHERE l.id >= %s"
            "   AND l.user_id = p.user_id AND l.scenario = %s ORDER BY l.id DESC LIMIT 1)"
            " FROM (SELECT DISTINCT l.user_id FROM recommender_served l WHERE l.id >= %s"
            f"   AND l.scenario = %s AND l.user_id IS NOT NULL AND {of_counted('l')}) p"
            " ORDER BY md5(p.user_id::text) LIMIT %s",
            [since(days), HOME.slug, since(days), HOME.slug, COMPARED],
        )
        lists = [np.array(items, dtype=np.int64) for (items,) in cursor.fetchall() if items]
        cursor.execute(f"SELECT i.id FROM catalog_item i WHERE {SHOWN}")
        there = np.array([item for (item,) in cursor.fetchall()], dtype=np.int64)
    shown = shown[np.isin(shown[:, 0], there)]
    places = np.repeat(shown[:, 0], shown[:, 1])
    return Spread(
        metrics.coverage(places, len(there)),
        metrics.gini(places, len(there)),
        len(lists),
        metrics.mean_overlap(lists),
    )
