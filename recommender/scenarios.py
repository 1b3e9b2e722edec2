"""Edit scenarios: check what the admin or a file says of them, load files and write them.

A file is loaded whole or not at all. What it does not name stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import combinations
from pathlib import Path

import yaml
from django.core.exceptions import ValidationError
from django.db.models import Field as Column
from django.utils.translation import gettext as _

from recommender import store
from recommender.diversity import STRATEGIES
from recommender.filtering.expression import FilterError, parse
from recommender.filtering.fields import Field, fields_with
from recommender.models import Scenario, ScenarioPin
from recommender.ranking.scenario import ABOUT_AN_ITEM, AROUND, HEAVIEST, SOURCES

MOST, MOST_BOOSTS, MOST_PINS = 100, 20, 50
LONGEST_NAME = 60
PRESETS = {path.stem: path for path in sorted((Path(__file__).parent / "presets").glob("*.yaml"))}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field of a scenario."""

    field: str  # empty of the whole
    what: str | FilterError  # in words, or of an expression, for serializers.filter_fault


# --- what may be written ------------------------------------------------------------------------


def faults_of(row: Scenario, declared: Mapping[str, Field]) -> list[Fault]:
    """What the columns themselves cannot refuse; an empty list if it can be used."""
    return [
        *_faults_of_names(row.names),
        *_faults_of_sources(row),
        *_faults_of_expressions(row, declared),
        *_faults_together(row),
    ]


def _faults_of_names(names: object) -> Iterator[Fault]:
    is_right = isinstance(names, dict) and all(
        isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_NAME
        for pair in names.items()
        for text in pair
    )
    if not is_right:
        text = _("Names are texts of at most %(most)d characters by language.")
        yield Fault("names", text % {"most": LONGEST_NAME})


def _faults_of_sources(row: Scenario) -> Iterator[Fault]:
    if not isinstance(row.sources, dict):
        yield Fault("sources", _("Sources are numbers by name."))
        return
    is_about = row.kind in ABOUT_AN_ITEM
    may = AROUND if is_about else [name for name in SOURCES if name not in AROUND]
    for name, says in row.sources.items():
        if name not in may:
            text = _("The kind “%(kind)s” has no source “%(name)s”; it has: %(known)s.")
            facts = {"kind": row.kind, "name": name, "known": ", ".join(may)}
            yield Fault("sources", text % facts)
        elif not _is_number(says, 0, HEAVIEST):
            text = _("What “%(name)s” says is a number from 0 to %(most)g.")
            yield Fault("sources", text % {"name": name, "most": HEAVIEST})
    if row.sources and not any(row.sources.values()):
        yield Fault("sources", _("At least one source must say something."))


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _faults_of_expressions(row: Scenario, declared: Mapping[str, Field]) -> Iterator[Fault]:
    if row.filter:
        yield from _faults_in("filter", row.filter, declared)
    boosts = row.boosts
    if not isinstance(boosts, list) or len(boosts) > MOST_BOOSTS:
        yield Fault("boosts", _("Boosts are a list of at most %(most)d.") % {"most": MOST_BOOSTS})
        return
    for boost in boosts:
        if not (
            isinstance(boost, dict)
            and boost.keys() == {"if", "strength"}
            and isinstance(boost["if"], str)
            and _is_number(boost["strength"], -1, 1)
        ):
            text = _("A boost is {“if”: an expression, “strength”: a number from -1 to 1}.")
            yield Fault("boosts", text)
        else:
            yield from _faults_in("boosts", boost["if"], declared)


def _faults_in(field: str, text: str, declared: Mapping[str, Field]) -> Iterator[Fault]:
    try:
        parse(text, declared)
    except FilterError as error:
        yield Fault(field, error)


def _faults_together(row: Scenario) -> Iterator[Fault]:
    if row.strategy and row.strategy not in STRATEGIES:
        text = _("There is no strategy “%(name)s”; there are: %(known)s.")
        yield Fault("strategy", text % {"name": row.strategy, "known": ", ".join(STRATEGIES)})
    if (row.exploration or 0) + (row.rotation or 0) > 1:
        yield Fault("rotation", _("More places change or are explored than a list has."))
    if row.kind == Scenario.Kind.CATEGORY and row.max_per_category is not None:
        text = _("The whole list is of one category, so that it cannot have few of it.")
        yield Fault("max_per_category", text)


def faults_of_pins(pins: Sequence[ScenarioPin]) -> list[Fault]:
    """Two at one place, or one item twice, at the same time."""
    found = []
    if len(pins) > MOST_PINS:
        found.append(Fault("pins", _("There are at most %(most)d pins.") % {"most": MOST_PINS}))
    for one, other in combinations(pins[:MOST_PINS], 2):
        if not _overlap(one, other):
            continue
        if one.place == other.place:
            text = _("Two pins are at place %(place)d at the same time.") % {"place": one.place}
            found.append(Fault("pins", text))
        if one.item_id == other.item_id:
            text = _("“%(item)s” is pinned twice at the same time.") % {"item": one.item}
            found.append(Fault("pins", text))
    return found


def _overlap(one: ScenarioPin, other: ScenarioPin) -> bool:
    return _before(one.starts_at, other.ends_at) and _before(other.starts_at, one.ends_at)


def _before(start: datetime | None, end: datetime | None) -> bool:
    return start is None or end is None or start < end


# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A fault with where it stands."""

    where: str  # "2 (fresh)", or a slug
    fault: Fault


@dataclass(frozen=True)
class Loaded:
    """What a file did, or would do; nothing if anything in it is wrong."""

    created: list[str]
    changed: list[str]
    same: list[str]
    wrong: list[Wrong]


COLUMNS: dict[str, Column] = {
    column.name: column for column in Scenario._meta.concrete_fields if column.name != "id"
}
KEYS = (*COLUMNS, "pins")
PIN_KEYS = {"item": "item", "place": "place", "from": "starts_at", "until": "ends_at"}
PIN_KEYS |= {"label": "label"}


def load(text: str, *, dry_run: bool = False, only_missing: bool = False) -> Loaded:
    """Create and change scenarios as a file says; each of its entries is the whole of one.

    only_missing  leaves as they are those that are there
    """
    try:
        entries = _entries(text)
    except ValueError as error:
        return Loaded([], [], [], [Wrong(_("the file"), Fault("", str(error)))])
    declared = fields_with(store.declared())
    items = store.items_called(list(_named_items(entries)))
    there = {row.slug: _entry(row, row.pins.all()) for row in store.scenario_rows()}
    rows, wrong, slugs = [], [], set()
    created, changed, same = [], [], []
    for number, entry in enumerate(entries, start=1):
        slug = entry.get("slug") if isinstance(entry, dict) else None
        row, pins, faults = _read(entry, declared, items)
        if slug in slugs:
            faults.append(Fault("slug", _("It is in the file twice.")))
        slugs.add(str(slug))
        where = f"{number} ({slug})" if slug else str(number)
        wrong += [Wrong(where, fault) for fault in faults]
        if faults:
            continue
        rows.append((row, pins))
        if row.slug not in there:
            created.append(row.slug)
        elif only_missing or there[row.slug] == _entry(row, pins):
            same.append(row.slug)
        else:
            changed.append(row.slug)
    if wrong:
        return Loaded([], [], [], wrong)
    if not dry_run:
        store.put_scenarios([pair for pair in rows if pair[0].slug not in same])
    return Loaded(created, changed, same, [])


def _entries(text: str) -> list:
    """Raises ValueError for a text that is no file of scenarios."""
    try:
        data = yaml.load(text, Loader=_Strict)  # a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(_("It cannot be read: %(why)s") % {"why": error}) from None
    entries = data.get("scenarios") if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(entries, list) or not 0 < len(entries) <= MOST:
        raise ValueError(
            _("It begins with “scenarios:”, and a list of 1 to %(most)d follows.") % {"most": MOST}
        )
    return entries


class _Strict(yaml.SafeLoader):
    """A key that stands twice is a slip, not the last of two."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _value in node.value]
        twice = [key for number, key in enumerate(keys) if key in keys[:number]]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"“{twice[0]}” stands twice", node.start_mark
            )
        return super().construct_mapping(node, deep)


def _named_items(entries: list) -> Iterator[str]:
    for entry in entries:
        pins = entry.get("pins") if isinstance(entry, dict) else None
        for pin in pins if isinstance(pins, list) else []:
            if isinstance(pin, dict) and "item" in pin:
                yield str(pin["item"])


def _read(
    entry: object, declared: Mapping[str, Field], items: Mapping[str, int]
) -> tuple[Scenario, list[ScenarioPin], list[Fault]]:
    row, pins = Scenario(), []
    if not isinstance(entry, dict):
        return row, pins, [Fault("", _("A scenario is a mapping that begins with “slug:”."))]
    faults = _unknown(entry, KEYS)
    for name in COLUMNS.keys() & entry.keys():
        value = entry[name]
        if value is not None or COLUMNS[name].null:
            setattr(row, name, value)
    faults += _unclean(row)
    if not faults:
        faults += faults_of(row, declared)
    listed = entry.get("pins") or []
    if not isinstance(listed, list) or not all(isinstance(pin, dict) for pin in listed):
        faults.append(Fault("pins", _("Pins are a list of mappings with “item” and “place”.")))
        return row, pins, faults
    for pin in listed:
        found, of_pin = _read_pin(pin, items)
        pins.append(found)
        faults += of_pin
    return row, pins, faults or faults_of_pins(pins)


def _read_pin(pin: dict, items: Mapping[str, int]) -> tuple[ScenarioPin, list[Fault]]:
    name = str(pin.get("item", ""))
    row = ScenarioPin(item_id=items.get(name), **_set(pin, ("place", "label")))
    row.starts_at, row.ends_at = _moment(pin.get("from")), _moment(pin.get("until"))
    faults = [Fault(f"pins.{f.field}", f.what) for f in _unknown(pin, tuple(PIN_KEYS))]
    if row.item_id is None:
        text = _("There is no item “%(name)s”: name a public id, or “source:external id”.")
        faults.append(Fault("pins.item", text % {"name": name}))
    faults += [
        Fault(f"pins.{fault.field}".rstrip("."), fault.what)
        for fault in _unclean(row, exclude=["scenario", "item"])
    ]
    return row, faults


def _set(values: dict, names: Sequence[str]) -> dict:
    return {name: values[name] for name in names if values.get(name) is not None}


def _moment(value: object) -> object:
    """A day begins at midnight in UTC; what is no moment is left for the column to refuse."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value


def _unknown(entry: dict, known: Sequence[str]) -> list[Fault]:
    text = _("There is no such key; known are: %(known)s.") % {"known": ", ".join(known)}
    return [Fault(str(key), text) for key in entry if key not in known]


def _unclean(row: Scenario | ScenarioPin, *, exclude: Sequence[str] = ()) -> list[Fault]:
    """What the columns refuse, and their constraints."""
    try:
        row.full_clean(exclude=exclude, validate_unique=False)
    except ValidationError as error:
        return [
            Fault("" if name == "__all__" else name, text)
            for name, texts in error.message_dict.items()
            for text in texts
        ]
    return []


def check() -> list[Wrong]:
    """What of all that is saved cannot be used: fields may be gone since."""
    declared = fields_with(store.declared())
    return [
        Wrong(row.slug, fault)
        for row in store.scenario_rows()
        for fault in [*faults_of(row, declared), *faults_of_pins(row.pins.all())]
    ]


def dump() -> str:
    """All scenarios, as a file that load() reads."""
    entries = [_entry(row, row.pins.all()) for row in store.scenario_rows()]
    return yaml.safe_dump({"scenarios": entries}, allow_unicode=True, sort_keys=False, width=100)


def _entry(row: Scenario, pins: Sequence[ScenarioPin]) -> dict:
    """What differs from a new scenario."""
    entry = {"slug": row.slug} | {
        name: getattr(row, name)
        for name, column in COLUMNS.items()
        if getattr(row, name) != column.get_default()
    }
    if pins:
        entry["pins"] = [
            {"item": _name_of(pin), "place": pin.place}
            | _set({"from": pin.starts_at, "until": pin.ends_at}, ("from", "until"))
            | ({"label": str(pin.label)} if pin.label != ScenarioPin.Label.PROMOTED else {})
            for pin in sorted(pins, key=lambda pin: (pin.place, pin.item_id))
        ]
    return entry | {"kind": str(row.kind)}


def _name_of(pin: ScenarioPin) -> str:
    if pin.item.external_id:
        return f"{pin.item.source}:{pin.item.external_id}"
    return str(pin.item.uuid)
