"""The person side of a request, and what is kept of a person.

No statement here touches a table of items, so that people can be sharded on their own.
"""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection, transaction

from catalog.services import AGREED, closed_account
from catalog.uuid7 import first_id
from recommender.candidates.signals import kind_weights
from recommender.candidates.silenced import Silenced
from recommender.models import Preference
from recommender.ranking.asked import Wishes
from recommender.ranking.assemble import HISTORY
from recommender.ranking.explain import Explanation
from recommender.ranking.scenario import Scenario
from recommender.ranking.steered import Steer
from recommender.ranking.tuning import Tuning
from recommender.sessions import Page
from recommender.store.calibrations import CALIBRATION, Calibrated, calibrated_of
from recommender.store.comments import SIGN, UNREAD, value_of
from recommender.store.impressions import SIGHTS
from recommender.store.interests import SILENCED, replace_interests, silenced_of
from recommender.store.scenarios import HOME, PLACES, ROW, Place, places_of, scenario_in
from recommender.store.served import SESSION, Session, packed, session_of
from recommender.store.spaces import Space
from recommender.store.sql import EF_SEARCH, LIVE, SCAN_TUPLES, UNWANTED, bound_cursor, from_binary
from recommender.store.weights import CHANGED_WEIGHTS

LATELY = timedelta(days=60)  # the last list is looked for among those; older parts are not read


@dataclass(frozen=True)
class History:
    """Newest live feedback of a person first, as parallel arrays."""

    item_ids: np.ndarray  # (n,) int64
    kinds: list[str]
    values: np.ndarray  # (n,) float64, nan where there is none; of a comment its sign
    moments: np.ndarray  # (n,) float64, seconds since 1970


@dataclass(frozen=True)
class PersonSide:
    """All that a request reads first, most of it by the person."""

    space: Space | None
    version: int | None  # of what was learned, the active one
    history: History
    seen: list[int]
    candidates: list[int]
    tuning: Tuning
    last_shown: list[int]
    weights: np.ndarray  # (kinds,) what each kind of feedback weighs
    unread: bool  # there are comments that no encoder has read
    wishes: Wishes
    steering: list[Steer]
    calibrated: Calibrated | None  # what diversity costs in the scenario
    attributes: dict[str, str]  # of items, with their types: what a filter may ask for
    scenario: Scenario | None  # None: there is none of that slug
    places: list[Place]  # scenarios that may be asked for
    has_category: bool  # the one that was asked for is there
    agrees: bool  # something may be concluded from what the person does
    seen_items: np.ndarray  # (s,) int64 items that came into sight in lists, of late
    sights: np.ndarray  # (s,) how often, faded by time
    silenced: Silenced  # interests that the person switched off
    session: Session | None  # of the page that was asked for, if its first page is there

    def for_other_likes(self) -> "PersonSide":
        """The same of somebody who likes other things; what they saw or muted stays out."""
        return replace(self.without_profile(), version=self.version)

    def without_profile(self) -> "PersonSide":
        """The same of somebody of whom nothing is known; what they saw or muted stays out."""
        return replace(
            self,
            version=None,
            history=history_of(None, None, None, None, None),
            candidates=[],
            wishes=_wishes([], dimension=self.space.dimension if self.space else 1),
            steering=[steer for steer in self.steering if steer.action == "mute"],
        )


AGREES = f"SELECT {AGREED} FROM catalog_user u WHERE u.id = %s"

# The newest live feedback of a user, as one row of arrays: see history_of().
NEWEST = f"""
    SELECT array_agg(item_id), array_agg(kind),
        array_agg(CASE WHEN kind = 'comment' THEN sign ELSE value END),
        array_agg(extract(epoch FROM occurred_at)::float8), array_agg({UNREAD})
    FROM (SELECT f.*, {SIGN} AS sign FROM catalog_feedback f
        WHERE user_id = {{user}} AND {LIVE} ORDER BY occurred_at DESC, id DESC LIMIT %s) newest"""

# In words, with a vector in the active space.
WISHES = """
    SELECT json_agg(json_build_object('id', w.id, 'text', w.text, 'wanted', w.sign = 'wanted',
        'kinds', w.category_ids, 'vector', encode(halfvec_send(w.embedding), 'hex'))
        ORDER BY w.id)::text
    FROM recommender_wish w JOIN recommender_embeddingspace s
        ON s.id = w.space_id AND s.status = 'active' AND s.modality = 'text'
    WHERE w.user_id = %s AND w.removed_at IS NULL AND w.embedding IS NOT NULL"""


STEERING = """
    SELECT json_agg(json_build_object('id', uuid, 'action', action, 'kind', kind,
        'target', target_id) ORDER BY id)::text
    FROM recommender_steering WHERE user_id = %s"""


# What a person said something about stays away for ever, or for so many days.
SEEN = f"""
    SELECT array_agg(DISTINCT item_id) FROM catalog_feedback, (SELECT coalesce(%s::float8,
        (SELECT again_after_days FROM recommender_scenario WHERE slug = %s AND is_active)
    )) AS again (after_days)
    WHERE user_id = %s AND {LIVE} AND ({UNWANTED} OR after_days IS NULL
        OR occurred_at > now() - after_days * interval '1 day')"""


def person_side(
    user_id: int | None,
    *,
    history: int = HISTORY,
    scenario: str | Scenario = HOME.slug,
    category: str | None = None,
    page: Page | None = None,
    durable: bool = True,
) -> PersonSide:
    """The person, by the rules of a place. A scenario itself is one that is not saved yet.

    page     which of a session is asked for, unless it is the first
    durable  whether the rest of the transaction waits for the disk. Of what was served alone a
             crash may take back the last moments; an outer transaction waits as it would have

    One statement; and the settings of the vector search for the rest of the transaction.

    What is found is put in order of distance afterwards; in strict order the index would drop
    what it comes upon late, which costs a filtered search the more.
    """
    unsaved = scenario if isinstance(scenario, Scenario) else None
    slug = None if unsaved else scenario
    again = unsaved and unsaved.again_after_days
    place = unsaved.slug if unsaved else scenario
    now = datetime.now(UTC)
    lately = first_id(now - LATELY), first_id(now + timedelta(days=1))
    pages = (page.root, page.id, page.id, page.root, user_id) if page else ()
    waits = durable or connection.savepoint_ids
    commit = "current_setting('synchronous_commit')" if waits else "'off'"
    with bound_cursor(connection) as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
            f" set_config('hnsw.ef_search', '{EF_SEARCH}', true),"
            f" set_config('hnsw.max_scan_tuples', '{SCAN_TUPLES}', true),"
            f" set_config('synchronous_commit', {commit}, true),"
            " (SELECT ARRAY[id, dimension] FROM recommender_embeddingspace"
            "   WHERE status = 'active' AND modality = 'text'),"
            " (SELECT id FROM recommender_modelversion WHERE status = 'active'),"
            " h.items, h.kinds, h.opinions, h.moments, h.texts,"
            f" ({AGREES}),"
            f" ({SEEN}),"
            " (SELECT item_ids FROM recommender_candidates WHERE user_id = %s),"
            " (SELECT row_to_json(p)::text FROM recommender_preference p WHERE user_id = %s),"
            " (SELECT item_ids FROM recommender_served WHERE user_id = %s"
            "   AND id >= %s AND id < %s ORDER BY id DESC LIMIT 1),"
            f" ({CHANGED_WEIGHTS}), ({WISHES}), ({STEERING}), ({SILENCED}), ({CALIBRATION}),"
            " (SELECT json_object_agg(name, type)::text FROM catalog_attribute),"
            f" ({ROW}), ({PLACES}), EXISTS (SELECT 1 FROM catalog_category WHERE slug = %s),"
            f" s.items, s.sights, ({SESSION if page else 'NULL'})"
            f" FROM ({NEWEST.format(user='%s')}) AS h (items, kinds, opinions, moments, texts),"
            f" ({SIGHTS}) AS s (items, sights)",
            [
                *[user_id, again, slug, *[user_id] * 4, *lately, *[user_id] * 3, place],
                *[slug, category, *pages, user_id, history],
                *[settings.IMPRESSION_HALF_LIFE_DAYS, user_id],
            ],
        )
        (
            *_,
            space,
            version,
            items,
            kinds,
            values,
            moments,
            texts,
            agrees,
            seen,
            candidates,
            tuned,
            shown,
            changed,
            wishes,
            steering,
            silenced,
            calibration,
            attributes,
            row,
            places,
            has_category,
            seen_items,
            sights,
            session,
        ) = cursor.fetchone()
    if not agrees:  # what was said is kept and not shown again, and nothing is concluded from it
        items = kinds = values = moments = texts = candidates = wishes = None
        seen_items = sights = None
    steers = [Steer(**row | {"id": UUID(row["id"])}) for row in json.loads(steering or "[]")]
    return PersonSide(
        space=Space(*space) if space else None,
        version=version,
        history=history_of(items, kinds, values, moments, texts),
        seen=seen or [],
        candidates=candidates or [],
        tuning=_tuning(json.loads(tuned or "{}")),
        last_shown=shown or [],
        weights=kind_weights(json.loads(changed)),
        unread=any(text is not None for text in texts or []),
        wishes=_wishes(json.loads(wishes or "[]"), dimension=space[1] if space else 1),
        steering=[steer for steer in steers if agrees or steer.action == "mute"],
        calibrated=calibrated_of(calibration),
        attributes=json.loads(attributes or "{}"),
        scenario=unsaved or scenario_in(row, scenario),
        places=places_of(places),
        has_category=has_category,
        agrees=bool(agrees),
        seen_items=np.array(seen_items or [], dtype=np.int64),
        sights=np.array(sights or [], dtype=np.float64),
        silenced=silenced_of(silenced, space[1] if space else 1),
        session=session_of(session),
    )


def sides_of_places(
    side: PersonSide, user_id: int | None, slugs: Sequence[str]
) -> list[PersonSide]:
    """The same person by the rules of each of several places: one statement for all of them."""
    if not slugs:
        return []
    one = f"SELECT %s::int AS n, ({CALIBRATION}), ({ROW}), ({SEEN})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{' UNION ALL '.join([one] * len(slugs))} ORDER BY n",
            [
                value
                for number, slug in enumerate(slugs)
                for value in (number, slug, slug, None, slug, user_id)
            ],
        )
        rows = cursor.fetchall()
    return [
        replace(
            side,
            calibrated=calibrated_of(calibration),
            scenario=scenario_in(row, slug),
            seen=seen or [],
        )
        for slug, (_, calibration, row, seen) in zip(slugs, rows, strict=True)
    ]


def history_of(
    items: list | None,
    kinds: list | None,
    values: list | None,
    moments: list | None,
    texts: list | None,
) -> History:
    """From a row of NEWEST, whose columns are None where there is no feedback."""
    return History(
        np.array(items or [], dtype=np.int64),
        kinds or [],
        # None becomes nan
        np.array([*map(value_of, values or [], texts or [])], dtype=np.float64),
        np.array(moments or [], dtype=np.float64),
    )


def _wishes(said: list[dict], *, dimension: int) -> Wishes:
    return Wishes(
        [wish["text"] for wish in said],
        from_binary([bytes.fromhex(wish["vector"]) for wish in said], dimension),
        np.array([wish["wanted"] for wish in said], dtype=bool),
        [wish["kinds"] for wish in said],
        [wish["id"] for wish in said],
    )


def _tuning(row: dict) -> Tuning:
    return Tuning(**{f.name: row[f.name] for f in fields(Tuning) if f.name in row})


def put_interests(
    space: Space,
    user_id: int,
    vectors: np.ndarray,
    weights: Sequence[float],
    words: Sequence[dict],
    *,
    agreed: bool,
) -> None:
    """Replace the interests of a person, unless they were erased or changed their mind meanwhile.

    agreed  whether they did to personalisation when what was learned was read
    """
    with transaction.atomic():
        if not _still(user_id, agreed):
            return
        replace_interests(space.id, user_id, vectors, weights, words)


def put_candidates(user_id: int, item_ids: Sequence[int], *, agreed: bool) -> None:
    """Replace the candidates of a person, as put_interests does."""
    with transaction.atomic(), connection.cursor() as cursor:
        if _still(user_id, agreed):
            cursor.execute(
                "INSERT INTO recommender_candidates (user_id, item_ids) VALUES (%s, %s)"
                " ON CONFLICT (user_id) DO UPDATE SET item_ids = excluded.item_ids,"
                " refreshed_at = now()",
                [user_id, [int(item) for item in item_ids]],
            )


def people_learned_of(after: int, *, limit: int) -> list[int]:
    """The next people, by id, of whom candidates are kept: all of whom anything was learned."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT user_id FROM recommender_candidates WHERE user_id > %s"
            " ORDER BY user_id LIMIT %s",
            [after, limit],
        )
        return [user for (user,) in cursor.fetchall()]


def _still(user_id: int, agreed: bool) -> bool:
    """Whether a person is there and of the same mind; if so, that holds until the commit.

    What was learned need not wait for the disk: the job is closed by a commit that does, and a
    crash before that leaves it to be done again. An outer transaction waits as it would have.
    """
    commit = "1" if connection.savepoint_ids else "set_config('synchronous_commit', 'off', true)"
    with connection.cursor() as cursor:
        # The lock that consent is changed under, so whoever did has committed before the next read.
        cursor.execute(
            f"SELECT {commit} FROM catalog_user WHERE id = %s AND erased_at IS NULL"
            " FOR NO KEY UPDATE",
            [user_id],
        )
        return cursor.fetchone() is not None and agrees(user_id) == agreed


def agrees(user_id: int) -> bool:
    """Whether something may be concluded from what a person says."""
    with connection.cursor() as cursor:
        cursor.execute(AGREES, [user_id])
        row = cursor.fetchone()
    return bool(row and row[0])


def lock_person(user_id: int) -> bool:
    """One writer at a time until the commit; False if the account is closed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM catalog_user WHERE id = %s AND erased_at IS NULL AND is_active"
            " FOR NO KEY UPDATE",
            [user_id],
        )
        return cursor.fetchone() is not None


def put_preference(user_id: int, tuning: Tuning) -> None:
    """Set all of it; what has a check in the database is refused outside its range."""
    columns = [field.name for field in fields(Tuning)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO recommender_preference (user_id, {', '.join(columns)})"
            f" VALUES (%s{', %s' * len(columns)}) ON CONFLICT (user_id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in columns),
            [user_id, *astuple(tuning)],
        )


def tuning_of(user_id: int | None) -> Tuning:
    """What a person set; the defaults of somebody who set nothing."""
    return _tuning(Preference.objects.filter(pk=user_id).values().first() or {})


def set_by(user_id: int) -> tuple[Tuning, bool]:
    """What a person set, and whether they agree to personalisation: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT row_to_json(p)::text FROM recommender_preference p WHERE user_id = %s),"
            f" ({AGREES})",
            [user_id, user_id],
        )
        tuned, agrees = cursor.fetchone()
    return _tuning(json.loads(tuned or "{}")), bool(agrees)


@dataclass(frozen=True)
class NewList:
    """A list as it is kept when it is served."""

    id: UUID
    scenario: str
    settings: dict
    item_ids: Sequence[int]
    relevance: Sequence[float]
    propensity: Sequence[float]
    report: dict
    explanation: Explanation


def put_served(user_id: int | None, lists: Sequence[NewList]) -> bool:
    """Keep what was served, under the ids that feedback names: one statement.

    False if one is kept under its id already: another request for the same page was first.
    Raises Refused if the person was erased since the request began.
    """
    row = "(%s::uuid, %s, %s::jsonb, %s::bigint[], %s::real[], %s::real[], %s::jsonb, %s::bytea)"
    # Under the lock that erasing waits for.
    whose = "id FROM catalog_user WHERE id = %s AND erased_at IS NULL FOR KEY SHARE"
    person = [] if user_id is None else [user_id]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH person AS MATERIALIZED"
            f" (SELECT {whose if person else 'NULL::bigint AS id'})"
            " INSERT INTO recommender_served"
            " (user_id, id, scenario, settings, item_ids, relevance, propensity, report,"
            "  explanation)"
            f" SELECT person.*, made.* FROM person, (VALUES {', '.join([row] * len(lists))}) made"
            " ON CONFLICT (id) DO NOTHING",
            [*person, *(value for kept in lists for value in _columns_of(kept))],
        )
        if cursor.rowcount == len(lists):
            return True
        if person:
            cursor.execute("SELECT 1 FROM catalog_user WHERE id = %s AND erased_at IS NULL", person)
            if cursor.fetchone() is None:
                raise closed_account()
    return False


def _columns_of(kept: NewList) -> list:
    return [
        kept.id,
        kept.scenario,
        json.dumps(kept.settings),
        list(kept.item_ids),
        [round(float(score), 4) for score in kept.relevance],
        [float(chance) for chance in kept.propensity],
        json.dumps(kept.report),
        packed(kept.explanation),
    ]
