"""Scenarios: read with the person side of a request, edited in the admin and from files.

No statement here touches a table of people.
"""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from catalog.models import Item
from recommender.diversity import Limits
from recommender.diversity.features import Shares
from recommender.filtering.expression import FilterError, parse
from recommender.filtering.fields import Field
from recommender.models import Scenario as Row
from recommender.models import ScenarioPin
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Rules
from recommender.ranking.scenario import Boost, Pin, Scenario, Site, rules_of
from recommender.store.calibrations import Calibrated, newest_calibration
from recommender.store.filters import NOTHING, Condition, condition_of

log = logging.getLogger(__name__)
HOME = Scenario()  # where there is no row of it

# Of a slug: its row, with the pins of this moment.
ROW = """
    SELECT (to_jsonb(s) || jsonb_build_object('pins', (
        SELECT jsonb_agg(jsonb_build_object('item', item_id, 'place', place, 'label', label)
            ORDER BY place, id)
        FROM recommender_scenariopin WHERE scenario_id = s.id
        AND (starts_at IS NULL OR starts_at <= now()) AND (ends_at IS NULL OR ends_at > now())
    )))::text
    FROM recommender_scenario s WHERE s.slug = %s AND s.is_active"""
PLACES = """
    SELECT json_agg(json_build_object('slug', slug, 'names', names, 'kind', kind)
        ORDER BY position, id)::text
    FROM recommender_scenario WHERE is_active"""


@dataclass(frozen=True)
class Place:
    """A scenario as it is known outside."""

    slug: str
    names: Mapping[str, str]
    kind: str


def place_of(scenario: Scenario) -> Place:
    return Place(scenario.slug, scenario.names, scenario.kind)


def places_of(text: str | None) -> list[Place]:
    """From PLACES: what may be asked for; the home that is built in where there is no row of it."""
    rows = [Place(**row) for row in json.loads(text or "[]")]
    return rows if any(row.slug == HOME.slug for row in rows) else [place_of(HOME), *rows]


def scenario_in(text: str | None, slug: str) -> Scenario | None:
    """From ROW of a slug; None if there is no such scenario."""
    if text is None:
        return HOME if slug == HOME.slug else None
    values = json.loads(text)
    pins = [Pin(**pin) for pin in values.pop("pins") or []]
    return scenario_of(values, pins)


def scenario_of(values: Mapping, pins: Sequence[Pin] = ()) -> Scenario:
    """From the columns of a row, saved or not."""
    return Scenario(
        **{name: values[name] for name in _SAME},
        strategy=values["strategy"] or None,
        boosts=tuple(Boost(boost["if"], float(boost["strength"])) for boost in values["boosts"]),
        limits=Limits(**{f.name: values[f.name] for f in fields(Limits)}),
        pins=tuple(pins),
    )


_SAME = tuple(
    f.name for f in fields(Scenario) if f.name not in ("strategy", "boosts", "limits", "pins")
)


def scenario_called(slug: str) -> Scenario | None:
    """As a request would read it now; None if there is no such scenario."""
    row = Row.objects.filter(slug=slug, is_active=True).first()
    if row is None:
        return HOME if slug == HOME.slug else None
    return scenario_of(vars(row), pins_now(row.pins.order_by("place", "id")))


def pins_now(pins: Iterable[ScenarioPin]) -> list[Pin]:
    """Those whose time it is."""
    now = timezone.now()
    return [
        Pin(pin.item_id, pin.place, pin.label)
        for pin in pins
        if (pin.starts_at is None or pin.starts_at <= now)
        and (pin.ends_at is None or pin.ends_at > now)
    ]


def site_rules(calibrated: Calibrated | None = None) -> Site:
    """What was measured, and what the settings say, where nobody else does."""
    return Site(
        settings.DEFAULT_DIVERSITY,
        calibrated.strategy if calibrated else settings.DEFAULT_STRATEGY,
        settings.MAX_PER_CREATOR,
        settings.EXPLORATION_SHARE,
        similarity=Shares(**settings.SIMILARITY_WEIGHTS),
        curve=calibrated.curve if calibrated else None,
    )


def rules_of_scenario(slug: str, *, limit: int, model: Model) -> Rules:
    """The rules of a list for somebody who asks for nothing else: what an evaluation replays.

    Raises KeyError for a slug of no active scenario
    """
    scenario = scenario_called(slug)
    if scenario is None:
        raise KeyError(slug)
    return rules_of(scenario, site_rules(newest_calibration(slug)), limit=limit, model=model)


# --- what a scenario lets pass ------------------------------------------------------------------


def what_passes(scenario: Scenario, fields: Mapping[str, Field]) -> Condition | None:
    """The filter of a scenario; if it cannot be used any more, nothing passes."""
    if not scenario.filter:
        return None
    return _condition(scenario, scenario.filter, fields) or NOTHING


def boosts_of(scenario: Scenario, fields: Mapping[str, Field]) -> tuple[Scenario, list[Condition]]:
    """A scenario with the boosts that can be used, and the condition of each."""
    found = [(boost, _condition(scenario, boost.when, fields)) for boost in scenario.boosts]
    kept = [(boost, condition) for boost, condition in found if condition]
    boosts = tuple(boost for boost, _ in kept)
    return replace(scenario, boosts=boosts), [condition for _, condition in kept]


def _condition(scenario: Scenario, text: str, fields: Mapping[str, Field]) -> Condition | None:
    """None for what is no longer right: an attribute was declared anew or is gone."""
    try:
        return condition_of(parse(text, fields))
    except FilterError as error:
        log.error("scenario %s: %s", scenario.slug, error)
        return None


# --- editing ------------------------------------------------------------------------------------


def active_places() -> list[Place]:
    """What may be asked for, in the order of showing."""
    rows = Row.objects.filter(is_active=True).values("slug", "names", "kind")
    return places_of(json.dumps(list(rows)))


def scenario_rows() -> list[Row]:
    """All of them, with their pins and the items of these."""
    return list(Row.objects.prefetch_related("pins__item"))


def items_called(names: Sequence[str]) -> dict[str, int]:
    """Name → id of the items known by these, each a public id or `source:external id`."""
    uuids, others = {}, {}
    for name in names:
        try:
            uuids[UUID(name)] = name
        except ValueError:
            source, _, external_id = name.partition(":")
            others[source, external_id] = name
    known = Q(uuid__in=list(uuids))
    for source, external_id in others:
        known |= Q(source=source, external_id=external_id)
    rows = Item.objects.filter(known).values_list("id", "uuid", "source", "external_id")
    found = {}
    for id, uuid, source, external_id in rows:
        for name in (uuids.get(uuid), others.get((source, external_id))):
            if name is not None:
                found[name] = id
    return found


def put_scenarios(rows: Sequence[tuple[Row, Sequence[ScenarioPin]]]) -> None:
    """Keep each, with these pins and no others, in the place of the one that has its slug."""
    with transaction.atomic():
        ids = dict(
            Row.objects.filter(slug__in=[row.slug for row, _ in rows]).values_list("slug", "id")
        )
        for row, pins in rows:
            row.pk = ids.get(row.slug)
            row.save(force_update=row.pk is not None)
            ScenarioPin.objects.filter(scenario=row).delete()
            for pin in pins:
                pin.scenario = row
            ScenarioPin.objects.bulk_create(pins)
