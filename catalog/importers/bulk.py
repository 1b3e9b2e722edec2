"""Write people, items and feedback by the million: COPY to staging tables, then set statements.

A load is one transaction: all of it, with its announcements, or nothing. Rows arrive as text and
are judged in SQL; one that cannot be used is rejected by line and reason, and never stops a load.
What is there already and the same is not written again, so a second load announces nothing.

No INSERT here reads the table it fills: planned while that was empty, it would read it once a row.
What is filled is analysed, so that the next statement is planned with it in mind.

A row that a format hands over begins with its line and a fault, "" or the reason to reject it.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from django.db import OperationalError, connection, transaction
from django.utils.text import slugify

from catalog import services
from catalog.importers.reading import Unusable
from catalog.kept import erased_id_sql
from catalog.models import LOCAL, Category, Feedback
from catalog.signals import feedback_recorded
from catalog.uuid7 import uuid7

CHUNK = 10_000  # ids read at a time
WAIT_SECONDS, RUN_SECONDS = 10, 60  # of a load that somebody waits for, for another and for itself
LOCK = 7_301_190_411  # of pg_advisory_xact_lock: one load at a time
MOST_PARTS = 100  # categories, and creators, of an item

ITEM_FIELDS = {  # as a format names it, and its column
    "title": "title",
    "description": "description",
    "kind": "kind",
    "language": "language",
    "published": "published_at",
    "url": "url",
    "image_url": "image_url",
    "price": "price",
    "currency": "currency",
    "latitude": "latitude",
    "longitude": "longitude",
    "available": "is_available",
    "attributes": "attributes",
}
LISTS = ("categories", "creators")  # distinct names, in order
ANALYSED = {  # of wide tables, what others are joined by: texts would take the most time
    "checked_items": ("line", "id", "reason"),
    "differing_items": ("line",),
    "listed_items": ("item_id",),
    "checked_feedback": ("line", "person", "item_id", "reason"),
}
FEEDBACK_FIELDS = ("person", "item", "kind", "value", "text", "at")


class Busy(Exception):
    """Another load is under way, and nothing of this one was done."""


class Result(NamedTuple):
    """What became of one row."""

    line: int
    id: str | None
    outcome: str  # created, updated, unchanged or refused
    reason: str | None  # of a refusal


@dataclass
class Report:
    """What became of the rows of one file."""

    name: str
    loaded: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: dict[str, tuple[int, int]] = field(default_factory=dict)  # how many, first line
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rejected = sum(count for count, _ in self.rejected.values())
        counts = (
            f"{self.name}: {self.loaded:,} loaded, {self.updated:,} updated,"
            f" {self.unchanged:,} unchanged, {rejected:,} rejected"
        )
        reasons = [
            f"  {count:,} rejected: {reason} (first in line {line:,})"
            for reason, (count, line) in self.rejected.items()
        ]
        return "\n".join([counts, *reasons, *(f"  {note}" for note in self.notes)])


@contextmanager
def load(
    source: str,
    *,
    dry_run: bool = False,
    rejects: Path | None = None,
    say: Callable[[str], object] = lambda _: None,
    is_awaited: bool = False,
) -> Iterator["Load"]:
    """A load in a transaction of its own, which a dry run takes back.

    source      the name of the system that the ids come from
    rejects     where each rejected row is written down
    say         is told of each step
    is_awaited  somebody waits for the answer: the load is small, and gives up where it would wait
    Raises      Unusable, or Busy if it gave up
    """
    if source == LOCAL or not 0 < len(source) <= 50:
        raise Unusable(f"a source is a name of at most 50 characters, and not {LOCAL!r}")
    with ExitStack() as stack:
        writer = None
        if rejects:
            try:
                file = stack.enter_context(rejects.open("w", newline="", encoding="utf-8"))
            except OSError as error:
                raise Unusable(f"{rejects} cannot be written: {error.strerror}") from None
            writer = csv.writer(file)
            writer.writerow(["file", "line", "id", "reason"])
        stack.enter_context(transaction.atomic())
        cursor = stack.enter_context(connection.cursor())
        # Each connection has the limits of a web request.
        limits = dict.fromkeys(
            ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"), "0"
        )
        if is_awaited:
            limits |= {"statement_timeout": f"{RUN_SECONDS}s", "lock_timeout": f"{WAIT_SECONDS}s"}
        # So that the server notices when the process of a long statement is killed.
        limits |= {"work_mem": "64MB", "client_connection_check_interval": "5s"}
        cursor.execute(
            "SELECT set_config(name, value, true)"
            " FROM unnest(%s::text[], %s::text[]) AS given (name, value)",
            [list(limits), list(limits.values())],
        )
        try:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") == "55P03":  # lock_not_available
                raise Busy from None
            raise
        yield Load(cursor, source, writer, say, announces=not dry_run, analyses=not is_awaited)
        if dry_run:
            transaction.set_rollback(True)


class Load:
    """One transaction and its source; each method writes the rows of one file."""

    def __init__(
        self, cursor, source: str, rejects, say, *, announces: bool, analyses: bool
    ) -> None:
        self._cursor, self._source, self._rejects = cursor, source, rejects
        self._say, self._announces, self._analyses = say, announces, analyses

    # --- people ---------------------------------------------------------------------------------

    def people(self, name: str, rows: Iterable[tuple], fields: Sequence[str] = ()) -> Report:
        """Rows (line, fault, id, *fields); the one field is `name`."""
        self._stage("people", ("id", *fields), rows, id="text", name="text")
        self._make(
            "checked_people",
            f"""
            SELECT s.line, s.id, coalesce(s.name, '') AS name, u.id AS user_id,
                false AS is_updated, CASE {BAD_ID}
                WHEN length(s.name) > 100 THEN 'a name longer than 100 characters'
                WHEN coalesce(u.erased_at, gone.erased_at) IS NOT NULL THEN 'this person was erased'
            END AS reason
            FROM staged_people s
            LEFT JOIN catalog_user u ON u.source = %(source)s AND u.external_id = s.id
            LEFT JOIN catalog_user gone ON gone.source = %(source)s
                AND gone.external_id = {erased_id_sql("%(source)s", "s.id")}
            """,
        )
        self._reject_repeated("people")
        report = Report(name)
        report.loaded = self._new_people("SELECT id, name FROM checked_people WHERE reason IS NULL")
        if "name" in fields:
            # The name of a person with an account is theirs.
            report.updated = self._run(
                """
                WITH renamed AS (
                    UPDATE catalog_user u SET name = c.name FROM checked_people c
                    WHERE u.id = c.user_id AND c.reason IS NULL AND u.name <> c.name
                        AND u.kind = 'imported' AND u.email IS NULL
                    RETURNING c.line
                )
                UPDATE checked_people c SET is_updated = true FROM renamed r WHERE c.line = r.line
                """
            )
        return self._finish(report, "people", "id")

    def hide_people(self, name: str, rows: Iterable[tuple]) -> Report:
        """Rows (line, fault, id). Nothing is recommended to who is hidden, nor learned of them.

        Who has an account here is not for another system to hide. A person that is listed again
        stays hidden: show_people brings back.
        """
        return self._show_people(name, rows, is_active=False)

    def show_people(self, name: str, rows: Iterable[tuple]) -> Report:
        """Rows (line, fault, id). Takes hide_people back."""
        return self._show_people(name, rows, is_active=True)

    def _show_people(self, name: str, rows: Iterable[tuple], *, is_active: bool) -> Report:
        self._stage("people", ("id",), rows, id="text", name="text")
        self._make(
            "checked_people",
            f"""
            SELECT s.line, s.id, u.id AS user_id, false AS is_updated, CASE {BAD_ID}
                WHEN u.id IS NULL THEN 'unknown user'
                WHEN u.erased_at IS NOT NULL THEN 'this person was erased'
                WHEN u.kind <> 'imported' OR u.email IS NOT NULL
                    THEN 'this person has an account here'
            END AS reason
            FROM staged_people s
            LEFT JOIN catalog_user u ON u.source = %(source)s AND u.external_id = s.id
            """,
        )
        self._make("new_people", "SELECT '' AS key LIMIT 0")
        self._reject_repeated("people")
        report = Report(name)
        report.updated = self._run(
            """
            WITH changed AS (
                UPDATE catalog_user u SET is_active = %(is_active)s FROM checked_people c
                WHERE u.id = c.user_id AND c.reason IS NULL AND u.is_active <> %(is_active)s
                RETURNING c.line
            )
            UPDATE checked_people c SET is_updated = true FROM changed r WHERE c.line = r.line
            """,
            is_active=is_active,
        )
        return self._finish(report, "people", "id")

    def _new_people(self, query: str) -> int:
        """Make those of the (id, name) the query answers that are not there; how many."""
        self._identify_new("people", "catalog_user", f"SELECT id AS key FROM ({query}) q")
        # The password is unusable, as Django writes it.
        made = self._run(
            f"""
            INSERT INTO catalog_user (uuid, source, external_id, kind, name, password, is_staff,
                is_active, is_superuser, consent_epoch)
            SELECT n.uuid, %(source)s, q.id, 'imported', q.name,
                '!' || replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), false,
                true, false, 0
            FROM ({query}) q JOIN new_people n ON n.key = q.id ORDER BY q.id
            """
        )
        self._analyse("catalog_user", made)
        return made

    # --- items ----------------------------------------------------------------------------------

    def categories(self, names: dict[str, dict[str, str]]) -> None:
        """Make the categories that are not there, by slug; those that are keep their names."""
        there = set(Category.objects.filter(slug__in=names).values_list("slug", flat=True))
        Category.objects.bulk_create(
            (Category(slug=slug, names=names[slug]) for slug in sorted(names.keys() - there)),
            ignore_conflicts=True,
        )

    def items(
        self,
        name: str,
        rows: Iterable[tuple],
        fields: Sequence[str],
        *,
        kind: str = "",
        attributes: Sequence[str] = (),
        hide_missing: bool = False,
    ) -> Report:
        """Rows (line, fault, id, *fields); of an item that is there, only these fields change.

        fields      names in ITEM_FIELDS and LISTS. A listed item is available, unless it says not
        kind        of an item that names none
        attributes  the names that the field `attributes`, an object in JSON, speaks for
        """
        types = dict.fromkeys(ITEM_FIELDS, "text") | dict.fromkeys(LISTS, "text[]")
        self._stage("items", ("id", *fields), rows, id="text", **types)
        self._check_items(kind)
        self._reject_repeated("items")
        written = {"available", *fields} | ({"kind"} if kind else set())
        self._write_items([ITEM_FIELDS[f] for f in ITEM_FIELDS if f in written], list(attributes))
        self._make(
            "listed_items",
            """
            SELECT i.id AS item_id, c.categories, c.creators FROM checked_items c
            JOIN catalog_item i ON i.source = %(source)s AND i.external_id = c.id
            WHERE c.reason IS NULL
            """,
        )
        if "categories" in fields:
            self._write_categories()
        if "creators" in fields:
            self._write_creators()
        report = Report(name)
        report.loaded = self._count("changed_items WHERE is_new")
        report.updated = self._count("changed_items WHERE NOT is_new")
        if hide_missing:
            report.notes.append(self._hide_missing())
        return self._finish_items(report)

    def hide_items(self, name: str, rows: Iterable[tuple]) -> Report:
        """Rows (line, fault, id). Hidden items come back when they are listed again."""
        self._stage("items", ("id",), rows, id="text")
        self._make(
            "checked_items",
            f"""
            SELECT s.line, s.id, CASE {BAD_ID} WHEN i.id IS NULL THEN 'unknown item' END AS reason
            FROM staged_items s
            LEFT JOIN catalog_item i ON i.source = %(source)s AND i.external_id = s.id
            """,
        )
        self._reject_repeated("items")
        self._make("changed_items", "SELECT 0::bigint AS id, false AS is_new LIMIT 0")
        report = Report(name)
        report.updated = self._hide("EXISTS")
        return self._finish_items(report)

    def _finish_items(self, report: Report) -> Report:
        if self._announces:
            for ids in self._chunks("SELECT id FROM changed_items ORDER BY id"):
                services.announce_items([item_id for (item_id,) in ids])
        return self._finish(report, "items", "id")

    def _check_items(self, kind: str) -> None:
        too_many = " OR ".join(f"cardinality(s.{field}) > {MOST_PARTS}" for field in LISTS)
        self._make(
            "checked_items",
            f"""
            SELECT s.line, s.id, s.title, coalesce(s.description, '') AS description,
                coalesce(s.kind, nullif(%(kind)s, ''), 'item') AS kind,
                coalesce(s.language, '') AS language, s.published_at,
                coalesce(s.url, '') AS url, coalesce(s.image_url, '') AS image_url,
                CASE WHEN amount >= 0 AND amount < 9999999999 THEN s.price::numeric(12, 2) END
                AS price, coalesce(upper(s.currency), '') AS currency,
                north AS latitude, east AS longitude,
                coalesce(lower(s.available) IN ({YES}), true) AS is_available,
                coalesce(s.attributes, '{{}}')::jsonb AS attributes, s.categories, s.creators,
            CASE {BAD_ID}
                WHEN s.title IS NULL THEN 'no title'
                WHEN length(s.title) > 500 THEN 'a title longer than 500 characters'
                WHEN length(s.description) > 20000
                    THEN 'a description longer than 20,000 characters'
                WHEN length(s.kind) > 30 THEN 'a kind longer than 30 characters'
                WHEN s.language !~ '^[A-Za-z]{{2,3}}(-[A-Za-z0-9]{{2,8}})?$'
                    THEN 'language is not a code such as en or zh-hans'
                WHEN s.published IS NOT NULL AND s.published_at IS NULL
                    THEN 'published is not a date'
                WHEN s.url !~ %(address)s OR s.image_url !~ %(address)s
                    THEN 'an address that does not begin with http:// or https://'
                WHEN greatest(length(s.url), length(s.image_url)) > 2000
                    THEN 'an address longer than 2,000 characters'
                WHEN s.price IS NOT NULL AND amount IS NULL THEN 'price is not a number'
                WHEN amount < 0 THEN 'price is negative'
                WHEN amount >= 9999999999 THEN 'price has more than 10 digits'
                WHEN s.currency !~* '^[a-z]{{3}}$' THEN 'currency is not a code such as EUR'
                WHEN s.latitude IS NOT NULL AND coalesce(north NOT BETWEEN -90 AND 90, true)
                    THEN 'latitude is not from -90 to 90'
                WHEN s.longitude IS NOT NULL AND coalesce(east NOT BETWEEN -180 AND 180, true)
                    THEN 'longitude is not from -180 to 180'
                WHEN lower(s.available) NOT IN ({YES}, {NO}) THEN 'available is not yes or no'
                WHEN {too_many} THEN 'more than {MOST_PARTS} categories or creators'
                WHEN octet_length(s.attributes) > {services.ATTRIBUTES_BYTES}
                    THEN 'attributes larger than 16 kB'
                WHEN i.removed_at IS NOT NULL THEN 'this item was removed here'
            END AS reason
            FROM (
                SELECT *, {date_of("published")} AS published_at, {number_of("price")} AS amount,
                    {number_of("latitude")} AS north, {number_of("longitude")} AS east
                FROM staged_items
            ) s
            LEFT JOIN catalog_item i ON i.source = %(source)s AND i.external_id = s.id
            """,
            kind=kind,
            address=r"^https?://[^\s[:cntrl:]<>]+$",
        )

    def _write_items(self, columns: list[str], attributes: list[str]) -> None:
        """Insert what is new, update what differs in these columns; changed_items holds the ids."""
        self._identify_new(
            "items", "catalog_item", "SELECT id AS key FROM checked_items WHERE reason IS NULL"
        )
        if attributes:  # those the file does not speak for stay
            self._run(
                """
                UPDATE checked_items c
                SET attributes = (i.attributes - %(attributes)s::text[]) || c.attributes
                FROM catalog_item i
                WHERE i.source = %(source)s AND i.external_id = c.id AND c.reason IS NULL
                """,
                attributes=attributes,
            )
        every = ITEM_FIELDS.values()
        # What is the same is left out here: the conflict below would lock it, which is a write.
        self._make(
            "differing_items",
            f"""
            SELECT coalesce(n.uuid, e.uuid) AS uuid, c.* FROM checked_items c
            LEFT JOIN new_items n ON n.key = c.id
            LEFT JOIN catalog_item e ON e.source = %(source)s AND e.external_id = c.id
            WHERE c.reason IS NULL AND (
                e.id IS NULL OR ({listed("e", columns)}) IS DISTINCT FROM ({listed("c", columns)})
            )
            """,
        )
        self._make("changed_items", "SELECT 0::bigint AS id, false AS is_new LIMIT 0")
        # An updated row was locked before, so has an xmax; a new one has none.
        written = self._run(
            f"""
            WITH written AS (
                INSERT INTO catalog_item AS i (uuid, source, external_id, {", ".join(every)})
                SELECT uuid, %(source)s, id, {", ".join(every)} FROM differing_items ORDER BY line
                ON CONFLICT (source, external_id) DO UPDATE SET
                    ({", ".join(columns)}, updated_at)
                    = ROW ({listed("excluded", columns)}, statement_timestamp())
                RETURNING i.id, xmax = 0
            )
            INSERT INTO changed_items SELECT * FROM written
            """
        )
        self._analyse("catalog_item", written)
        self._run("ANALYZE changed_items")

    def _write_categories(self) -> None:
        self._make("category_slugs", "SELECT '' AS name, '' AS slug LIMIT 0")
        names = "SELECT DISTINCT name FROM listed_items, unnest(categories) AS name ORDER BY name"
        for rows in self._chunks(names):
            slugs = {name: slugify(name, allow_unicode=True) for (name,) in rows}
            self.categories({slug: {"en": name} for name, slug in reversed(slugs.items())})
            self._copy("category_slugs (name, slug)", slugs.items())
        self._run("ANALYZE category_slugs")
        self._make(
            "wanted_categories",
            """
            SELECT l.item_id, k.id AS category_id, min(position) AS position
            FROM listed_items l, unnest(l.categories) WITH ORDINALITY AS named (name, position)
            JOIN category_slugs s USING (name) JOIN catalog_category k USING (slug)
            GROUP BY l.item_id, k.id
            """,
        )
        self._make(
            "new_item_categories",
            """
            SELECT item_id, category_id, position FROM wanted_categories w
            WHERE NOT EXISTS (
                SELECT FROM catalog_item_categories x
                WHERE x.item_id = w.item_id AND x.category_id = w.category_id
            )
            """,
        )
        self._run(
            f"""
            WITH gone AS (
                DELETE FROM catalog_item_categories x USING listed_items l
                WHERE x.item_id = l.item_id AND NOT EXISTS (
                    SELECT FROM wanted_categories w
                    WHERE w.item_id = x.item_id AND w.category_id = x.category_id
                )
                RETURNING x.item_id
            ), come AS (
                INSERT INTO catalog_item_categories (item_id, category_id)
                SELECT item_id, category_id FROM new_item_categories ORDER BY item_id, position
                ON CONFLICT DO NOTHING RETURNING item_id
            ), {note_changed("SELECT item_id FROM gone UNION SELECT item_id FROM come")}
            """
        )

    def _write_creators(self) -> None:
        self._identify_new(
            "creators",
            "catalog_creator",
            "SELECT DISTINCT name AS key FROM listed_items, unnest(creators) AS name",
        )
        self._run(
            """
            INSERT INTO catalog_creator (uuid, source, external_id, name)
            SELECT uuid, %(source)s, key, key FROM new_creators ORDER BY key
            ON CONFLICT (source, external_id) DO NOTHING
            """
        )
        self._make(
            "wanted_creators",
            """
            SELECT wanted.item_id, wanted.creators FROM (
                SELECT l.item_id,
                    array_agg(k.id ORDER BY position) FILTER (WHERE k.id IS NOT NULL) AS creators
                FROM listed_items l
                LEFT JOIN unnest(l.creators) WITH ORDINALITY AS named (name, position) ON true
                LEFT JOIN catalog_creator k
                    ON k.source = %(source)s AND k.external_id = named.name
                GROUP BY l.item_id
            ) wanted
            LEFT JOIN (
                SELECT item_id, array_agg(creator_id ORDER BY position) AS creators
                FROM catalog_itemcreator JOIN listed_items USING (item_id) GROUP BY item_id
            ) present ON present.item_id = wanted.item_id
            WHERE wanted.creators IS DISTINCT FROM present.creators
            """,
        )
        self._run(
            "DELETE FROM catalog_itemcreator x USING wanted_creators w WHERE x.item_id = w.item_id"
        )
        self._run(
            """
            INSERT INTO catalog_itemcreator (item_id, creator_id, position)
            SELECT item_id, creator_id, position - 1
            FROM wanted_creators, unnest(creators) WITH ORDINALITY AS wanted (creator_id, position)
            ORDER BY item_id, position
            """
        )
        self._run(f"WITH {note_changed('SELECT item_id FROM wanted_creators')}")

    def _hide_missing(self) -> str:
        if self._count("checked_items WHERE id IS NULL"):
            return "nothing hidden: a row without a readable id may be of any item"
        if not self._count("checked_items WHERE reason IS NULL"):
            return "nothing hidden: the file lists no item that can be used"
        hidden = self._hide("NOT EXISTS")
        return f"hidden, since the file does not list them: {hidden:,}"

    def _hide(self, listed: str) -> int:
        """Hide the items of which there is a row, or is none; how many were shown."""
        return self._run(
            f"""
            WITH hidden AS (
                UPDATE catalog_item i SET is_available = false, updated_at = statement_timestamp()
                WHERE source = %(source)s AND external_id IS NOT NULL
                    AND is_available AND removed_at IS NULL
                    AND {listed} (SELECT FROM checked_items c WHERE c.id = i.external_id)
                RETURNING id
            )
            INSERT INTO changed_items SELECT id, false FROM hidden
            """
        )

    # --- feedback -------------------------------------------------------------------------------

    def feedback(
        self,
        name: str,
        rows: Iterable[tuple],
        fields: Sequence[str] = FEEDBACK_FIELDS,
        *,
        kind: str = "",
        makes_people: bool = False,
    ) -> list[Report]:
        """Rows (line, fault, *fields).

        A row's id is made of its source, person, item, kind and moment, by which a second load
        knows it. A row without a moment is as of now; then value and text are part of the id.

        kind          of a row that names none
        makes_people  make the people it names, and report on them first; there is no list of them
        """
        self._stage("feedback", fields, rows, **dict.fromkeys(FEEDBACK_FIELDS, "text"))
        self._check_feedback(kind)
        reports = []
        if makes_people:
            self._make(
                "named_people",
                f"""
                SELECT id, '' AS name FROM (
                    SELECT DISTINCT person AS id FROM checked_feedback WHERE reason IS NULL
                ) said
                WHERE NOT EXISTS (
                    SELECT FROM catalog_user gone WHERE gone.source = %(source)s
                    AND gone.external_id = {erased_id_sql("%(source)s", "said.id")}
                )
                """,
            )
            people = Report("people")
            people.loaded = self._new_people("SELECT id, name FROM named_people")
            people.unchanged = self._count("named_people") - people.loaded
            reports.append(people)
        self._identify_feedback()
        report = Report(name)
        report.loaded, replaced = self._write_feedback()
        if replaced:
            report.notes.append(f"opinions that later ones replaced: {replaced:,}")
        if self._announces:
            for ids in self._chunks(f"SELECT DISTINCT user_id FROM {NEW} ORDER BY user_id"):
                feedback_recorded.send(sender=Feedback, user_ids=[user_id for (user_id,) in ids])
        return [*reports, self._finish(report, "feedback", "concat_ws(' ', person, item)")]

    def _check_feedback(self, kind: str) -> None:
        # OFFSET 0 here and below, so that what the inner query computes is computed once.
        self._make(
            "checked_feedback",
            f"""
            SELECT s.line, person, item, i.id AS item_id, s.kind, amount AS value,
                coalesce(text, '') AS text, occurred_at,
            CASE
                WHEN fault <> '' THEN fault
                WHEN person IS NULL THEN 'no user'
                WHEN item IS NULL THEN 'no item'
                WHEN length(person) > 200 THEN 'a user longer than 200 characters'
                WHEN s.kind IS NULL OR s.kind NOT IN ({KINDS})
                    THEN 'kind is not one of {KINDS.replace("'", "")}'
                WHEN s.value IS NOT NULL AND amount IS NULL THEN 'value is not a number'
                WHEN s.kind = 'rating' AND coalesce(amount NOT BETWEEN 0.5 AND 5, true)
                    THEN 'rating is not from 0.5 to 5'
                WHEN s.kind = 'dwell' AND coalesce(amount < 0, true)
                    THEN 'dwell without its seconds'
                WHEN amount NOT BETWEEN -1e9 AND 1e9 THEN 'value is beyond 1,000,000,000'
                WHEN s.kind = 'comment' AND text IS NULL THEN 'comment without a text'
                WHEN length(text) > 5000 THEN 'a text longer than 5,000 characters'
                WHEN s.at IS NOT NULL AND occurred_at IS NULL
                    THEN 'at is neither a date nor Unix seconds'
                WHEN occurred_at > statement_timestamp() THEN 'at is in the future'
                WHEN i.id IS NULL THEN 'unknown item'
                WHEN i.removed_at IS NOT NULL THEN 'this item was removed here'
            END AS reason
            FROM (
                SELECT line, fault, person, item, coalesce(kind, nullif(%(kind)s, '')) AS kind,
                    value, {number_of("value")} AS amount, text, at,
                    {moment_of("at")} AS occurred_at
                FROM staged_feedback OFFSET 0
            ) s
            LEFT JOIN catalog_item i ON i.source = %(source)s AND i.external_id = s.item
            """,
            kind=kind,
        )

    def _identify_feedback(self) -> None:
        """Find each row's person and id, and what is known already or said twice."""
        self._run(
            f"""
            UPDATE checked_feedback c SET reason = coalesce(
                (SELECT CASE
                    WHEN u.erased_at IS NOT NULL THEN 'this person was erased'
                    WHEN NOT u.is_active THEN 'this person is hidden'
                    ELSE 'this person does not agree to personalisation'
                END
                FROM catalog_user u WHERE u.source = %(source)s AND u.external_id IN (
                    c.person, {erased_id_sql("%(source)s", "c.person")}) LIMIT 1),
                'unknown user'
            )
            WHERE reason IS NULL AND NOT EXISTS (
                SELECT FROM catalog_user u WHERE u.source = %(source)s
                AND u.external_id = c.person AND u.erased_at IS NULL AND u.is_active
                AND {services.AGREED}
            )
            """
        )
        # The id is a UUID of version 8, RFC 9562: made by a rule of one's own.
        # Two opinions without a moment would replace each other at every load: the first counts.
        self._make(
            "ready_feedback",
            f"""
            SELECT c.*, f.id IS NULL AS is_new, f.id IS NOT NULL
                    AND (f.value, f.text) IS DISTINCT FROM (c.value, c.text) AS differs,
                row_number() OVER (
                    PARTITION BY c.user_id, c.item_id,
                    CASE WHEN has_moment OR NOT is_opinion THEN c.uuid END ORDER BY c.line
                ) AS nth
            FROM (
                SELECT c.line, u.id AS user_id, c.item_id, c.kind, c.value, c.text,
                    coalesce(c.occurred_at, statement_timestamp()) AS occurred_at,
                    c.occurred_at IS NOT NULL AS has_moment, c.kind IN ({OPINIONS}) AS is_opinion,
                    overlay(overlay(md5(concat_ws(
                        chr(31), %(source)s, c.person, c.item, c.kind,
                        coalesce(
                            extract(epoch FROM c.occurred_at)::text,
                            concat_ws(chr(31), '', c.value, c.text)
                        )
                    )) PLACING '8' FROM 13) PLACING '8' FROM 17)::uuid AS uuid
                FROM checked_feedback c
                JOIN catalog_user u ON u.source = %(source)s AND u.external_id = c.person
                WHERE c.reason IS NULL OFFSET 0
            ) c
            LEFT JOIN catalog_feedback f ON f.user_id = c.user_id AND f.uuid = c.uuid
            """,
        )
        self._run(
            """
            UPDATE checked_feedback c SET reason = CASE
                WHEN r.nth > 1 THEN 'twice in the file for one user, item and moment'
                ELSE 'known from an earlier load with another value or text'
            END
            FROM ready_feedback r WHERE r.line = c.line AND (r.nth > 1 OR r.differs)
            """
        )

    def _write_feedback(self) -> tuple[int, int]:
        """How many rows are new, and how many live opinions they replaced.

        The opinion on an item that happened last is the live one, of equals the one that came last.
        """
        # As a request does: the slot of an opinion has one writer at a time.
        self._run(
            f"""
            SELECT count(*) FROM (
                SELECT id FROM catalog_user WHERE id IN (SELECT user_id FROM {NEW})
                ORDER BY id FOR NO KEY UPDATE
            ) locked
            """
        )
        replaced = self._run(
            f"""
            UPDATE catalog_feedback f SET superseded_at = statement_timestamp()
            FROM (
                SELECT user_id, item_id, max(occurred_at) AS latest FROM {NEW} AND is_opinion
                GROUP BY user_id, item_id
            ) n
            WHERE f.user_id = n.user_id AND f.item_id = n.item_id AND f.occurred_at <= n.latest
                AND {LIVE}
            """
        )
        self._make(
            "later_opinions",
            f"""
            SELECT f.user_id, f.item_id FROM catalog_feedback f
            JOIN (SELECT DISTINCT user_id, item_id FROM {NEW} AND is_opinion) n
                ON f.user_id = n.user_id AND f.item_id = n.item_id
            WHERE {LIVE}
            """,
        )
        # In this order the rows of a person lie together, as they will be read.
        loaded = self._run(
            f"""
            INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, value, text, occurred_at,
                superseded_at, digest)
            SELECT uuid, user_id, item_id, kind, value, text, occurred_at, CASE
                WHEN is_opinion AND (place > 1 OR EXISTS (
                    SELECT FROM later_opinions f
                    WHERE f.user_id = r.user_id AND f.item_id = r.item_id
                )) THEN statement_timestamp()
            END, ''
            FROM (
                SELECT *, row_number() OVER (
                    PARTITION BY user_id, item_id, is_opinion ORDER BY occurred_at DESC, line DESC
                ) AS place
                FROM {NEW}
            ) r
            ORDER BY user_id, occurred_at, line
            """
        )
        return loaded, replaced

    # --- what all of them need ------------------------------------------------------------------

    def _run(self, statement: str, **values: object) -> int:
        self._cursor.execute(statement, {"source": self._source, **values})
        return self._cursor.rowcount

    def _analyse(self, table: str, written: int) -> None:
        """After many rows, for the plans of the next statements; else autovacuum sees to it."""
        if written and self._analyses:
            self._run(f"ANALYZE {table}")

    def _count(self, rows: str) -> int:
        self._run(f"SELECT count(*) FROM {rows}")
        return self._cursor.fetchone()[0]

    def _make(self, table: str, query: str, **values: object) -> None:
        self._run(f"DROP TABLE IF EXISTS pg_temp.{table}")
        self._run(f"CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS {query}", **values)
        columns = ANALYSED.get(table)
        self._run(f"ANALYZE {table} ({', '.join(columns)})" if columns else f"ANALYZE {table}")

    def _copy(self, target: str, rows: Iterable[Sequence]) -> int:
        with self._cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return self._cursor.rowcount

    def _stage(self, what: str, fields: Sequence[str], rows: Iterable[tuple], **types: str) -> None:
        """COPY the rows to staged_…, which has a column of each name in `types`."""
        columns = ", ".join(f"NULL::{type} AS {name}" for name, type in types.items())
        self._make(f"staged_{what}", f"SELECT 0::bigint AS line, '' AS fault, {columns} LIMIT 0")
        read = self._copy(f"staged_{what} (line, fault, {', '.join(fields)})", rows)
        self._run(f"ANALYZE staged_{what} (line)")
        self._say(f"{what}: {read:,} rows read, now checked and written")

    def _chunks(self, query: str) -> Iterator[list[tuple]]:
        """What the query answers, CHUNK rows at a time: memory does not grow with it."""
        self._run(f"DECLARE chunks NO SCROLL CURSOR FOR {query}")
        while True:
            self._run(f"FETCH {CHUNK} FROM chunks")
            rows = self._cursor.fetchall()
            if not rows:
                break
            yield rows
        self._run("CLOSE chunks")

    def _identify_new(self, what: str, table: str, query: str) -> None:
        """Give a public id to each key the query answers that the table lacks: new_… holds them."""
        self._make(
            f"missing_{what}",
            f"""
            SELECT key FROM ({query}) q WHERE NOT EXISTS (
                SELECT FROM {table} WHERE source = %(source)s AND external_id = key
            )
            """,
        )
        self._make(f"new_{what}", "SELECT '' AS key, NULL::uuid AS uuid LIMIT 0")
        for rows in self._chunks(f"SELECT key FROM missing_{what}"):
            self._copy(f"new_{what} (key, uuid)", ((key, uuid7()) for (key,) in rows))
        self._run(f"ANALYZE new_{what}")

    def _reject_repeated(self, what: str) -> None:
        """The first usable row of an id counts."""
        self._run(
            f"""
            UPDATE checked_{what} c SET reason = 'this id is in the file twice'
            FROM (
                SELECT id, min(line) AS first FROM checked_{what} WHERE reason IS NULL
                GROUP BY id HAVING count(*) > 1
            ) r
            WHERE c.id = r.id AND c.reason IS NULL AND c.line > r.first
            """
        )

    def results(self, what: str) -> Iterator[Result]:
        """What became of each row that was written last of people, items or feedback, in order."""
        for rows in self._chunks(f"{RESULTS[what].format(source='%(source)s')} ORDER BY c.line"):
            for row in rows:
                yield Result(*row)

    def _finish(self, report: Report, what: str, key: str) -> Report:
        """Count what is left, and write the rejected rows down."""
        kept = self._count(f"checked_{what} WHERE reason IS NULL")
        report.unchanged = kept - report.loaded - report.updated
        self._run(
            f"SELECT reason, count(*), min(line) FROM checked_{what} WHERE reason IS NOT NULL"
            " GROUP BY reason ORDER BY count(*) DESC, min(line)"
        )
        report.rejected = {reason: (count, line) for reason, count, line in self._cursor.fetchall()}
        if self._rejects and report.rejected:
            for rows in self._chunks(
                f"SELECT line, left({key}, 500), reason FROM checked_{what}"
                " WHERE reason IS NOT NULL ORDER BY line"
            ):
                self._rejects.writerows(
                    (harmless(report.name), line, harmless(key or ""), harmless(reason))
                    for line, key, reason in rows
                )
        return report


def harmless(cell: str) -> str:
    """The cell so that no spreadsheet computes it.

    >>> harmless("=1+1"), harmless("a film")
    ("'=1+1", 'a film')
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


# --- pieces of SQL ------------------------------------------------------------------------------

KINDS = ", ".join(f"'{kind}'" for kind in Feedback.Kind.values)
OPINIONS = ", ".join(f"'{kind}'" for kind in Feedback.OPINIONS)
LIVE = f"f.kind IN ({OPINIONS}) AND f.retracted_at IS NULL AND f.superseded_at IS NULL"
YES, NO = "'true', 't', 'yes', 'y', '1'", "'false', 'f', 'no', 'n', '0'"
NEW = "ready_feedback WHERE is_new AND nth = 1"
OUTCOME = """CASE WHEN c.reason IS NOT NULL THEN 'refused' WHEN {created} THEN 'created'
    WHEN {updated} THEN 'updated' ELSE 'unchanged' END, c.reason"""
RESULTS = {
    "people": f"""
        SELECT c.line, c.id, {OUTCOME.format(created="n.key IS NOT NULL", updated="c.is_updated")}
        FROM checked_people c LEFT JOIN new_people n ON n.key = c.id""",
    "items": f"""
        SELECT c.line, c.id, {OUTCOME.format(created="n.is_new", updated="n.id IS NOT NULL")}
        FROM checked_items c
        LEFT JOIN catalog_item i ON i.source = {{source}} AND i.external_id = c.id
        LEFT JOIN changed_items n ON n.id = i.id""",
    "feedback": f"""
        SELECT c.line, concat_ws(' ', c.person, c.item),
            {OUTCOME.format(created="r.is_new AND r.nth = 1", updated="false")}
        FROM checked_feedback c LEFT JOIN ready_feedback r ON r.line = c.line""",
}
BAD_ID = """
    WHEN fault <> '' THEN fault
    WHEN s.id IS NULL THEN 'no id'
    WHEN length(s.id) > 200 THEN 'an id longer than 200 characters'"""
NUMBER = r"^[+-]?\d*\.?\d+([eE][+-]?\d+)?$"
SECONDS = r"^\d{9,11}(\.\d+)?$"
ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)?)?$"


def number_of(text: str) -> str:
    """The text as a finite number, else NULL."""
    # Alone, pg_input_is_valid lets NaN and Infinity through; alone, the pattern lets 1e999.
    return (
        f"CASE WHEN {text} ~ '{NUMBER}' AND pg_input_is_valid({text}, 'float8')"
        f" THEN {text}::float8 END"
    )


def moment_of(text: str, or_else: str = "") -> str:
    """ISO 8601, in UTC where it names no zone, or Unix seconds, as a moment, else NULL."""
    # The patterns keep 'now' and 'infinity' out, and what no datetime of Python can hold.
    return (
        f"CASE WHEN {text} ~ '{SECONDS}' THEN to_timestamp({text}::float8) {or_else}"
        f" WHEN {text} ~ '{ISO}' AND {text} !~ '^(0001-01-01|9999-12-31)'"
        f" AND pg_input_is_valid({text}, 'timestamptz') THEN {text}::timestamptz END"
    )


def date_of(text: str) -> str:
    """A year alone, else as moment_of."""
    return moment_of(
        text,
        rf"WHEN {text} ~ '^[12]\d\d\d$' THEN make_timestamptz({text}::int, 1, 1, 0, 0, 0, 'UTC')",
    )


def listed(row: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{row}.{column}" for column in columns)


def note_changed(item_ids: str) -> str:
    """Behind WITH: these items changed, too, unless they are noted already."""
    return f"""
        touched AS (
            UPDATE catalog_item SET updated_at = statement_timestamp()
            WHERE id IN ({item_ids})
                AND NOT EXISTS (SELECT FROM changed_items c WHERE c.id = catalog_item.id)
            RETURNING id
        )
        INSERT INTO changed_items SELECT id, false FROM touched
        """
