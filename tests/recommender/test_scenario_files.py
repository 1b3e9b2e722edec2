"""`manage.py scenarios`: a file is loaded whole or not at all, and what is wrong is named."""

import re
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from recommender.models import Scenario, ScenarioPin
from recommender.recommend import recommend
from recommender.scenarios import PRESETS, dump
from tests.factories import make_item

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "scenarios.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def scenarios(*args, **options) -> str:
    out = StringIO()
    call_command("scenarios", *args, stdout=out, stderr=out, skip_checks=False, **options)
    return out.getvalue()


def refused(*args, **options) -> str:
    """What is named of what is wrong."""
    err = StringIO()
    with pytest.raises(CommandError):
        call_command(
            "scenarios", *args, stderr=err, stdout=StringIO(), skip_checks=False, **options
        )
    return err.getvalue()


FILE = """
scenarios:
  - slug: fresh
    names: {en: Fresh, zh: 新鲜}
    kind: fresh
    half_life_days: 7
    filter: price < 20 and language = "zh"
    boosts:
      - {if: 'category = "drama"', strength: 0.3}
    budget: 0.02
    max_per_creator: 2
    pins:
      - {item: "shop:k1", place: 3, from: 2026-01-01, until: 2026-02-01T12:00:00Z, label: picked}
"""


def test_a_file_makes_scenarios_and_a_dump_of_them_loads_as_nothing_new(write):
    kettle = make_item("kettle", source="shop", external_id="k1")
    assert scenarios("load", write(FILE)) == "created: fresh\n"
    fresh = Scenario.objects.get()
    assert (fresh.kind, fresh.half_life_days, fresh.budget) == ("fresh", 7, 0.02)
    assert fresh.names == {"en": "Fresh", "zh": "新鲜"}
    pin = ScenarioPin.objects.get()
    assert (pin.item, pin.place, pin.label) == (kettle, 3, "picked")
    assert (pin.starts_at.isoformat(), pin.ends_at.isoformat()) == (
        "2026-01-01T00:00:00+00:00",
        "2026-02-01T12:00:00+00:00",
    )
    text = scenarios("dump")
    assert yaml.safe_load(text)["scenarios"][0]["pins"][0]["item"] == "shop:k1"
    assert scenarios("load", write(text)) == "same: fresh\n"
    assert scenarios("load", write(text.replace("0.02", "0.05"))) == "changed: fresh\n"
    assert Scenario.objects.get().budget == 0.05
    assert Scenario.objects.get().pk == fresh.pk


def test_a_dry_run_says_what_would_be_done_and_does_nothing(write):
    said = scenarios("load", write("scenarios: [{slug: home}]"), "--dry-run")
    assert said == "created: home\nnothing was written\n"
    assert not Scenario.objects.exists()


def test_what_a_file_does_not_name_stays(write):
    Scenario.objects.create(slug="other")
    scenarios("load", write("scenarios: [{slug: home}]"))
    assert set(Scenario.objects.values_list("slug", flat=True)) == {"home", "other"}


def test_what_is_there_may_be_kept_as_it_is():
    Scenario.objects.create(slug="home", diversity=0.9)
    assert "same: home" in scenarios("load", "--missing", "--preset", "video")
    assert Scenario.objects.get(slug="home").diversity == 0.9


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("{slug: a, halflife: 3}", "1 (a): halflife: There is no such key; known are: slug"),
        ("{slug: 'a b'}", "1 (a b): slug: "),
        ("{names: {en: x}}", "1: slug: This field cannot be blank."),
        ("{slug: a, kind: best}", "1 (a): kind: Value 'best' is not a valid choice."),
        ("{slug: a, names: [x]}", "1 (a): names: Names are texts"),
        ("{slug: a, diversity: 2}", "1 (a): diversity: "),
        ("{slug: a, diversity: .nan}", "1 (a): "),
        ("{slug: a, diversity: 0.1, budget: 0.1}", "a diversity or a budget, not both"),
        ("{slug: a, strategy: best}", "strategy: There is no strategy “best”; there are: mmr"),
        ("{slug: a, filter: prize < 3}", "filter: At character 1: There is no field “prize”"),
        ("{slug: a, boosts: [{if: prize < 3, strength: 1}]}", "boosts: At character 1: "),
        ("{slug: a, boosts: [{if: price < 3, strength: 2}]}", "boosts: A boost is"),
        ("{slug: a, boosts: [{if: price < 3}]}", "boosts: A boost is"),
        ("{slug: a, boosts: {if: price < 3}}", "boosts: Boosts are a list"),
        ("{slug: a, sources: {interests: 1}}", "sources: The kind “personal” has no source"),
        ("{slug: a, sources: {near: 1}}", "sources: The kind “personal” has no source “near”"),
        ("{slug: a, kind: similar, sources: {new: 1}}", "it has: near, beside"),
        ("{slug: a, sources: {new: -1}}", "sources: What “new” says is a number"),
        ("{slug: a, sources: {new: yes}}", "sources: What “new” says is a number"),
        ("{slug: a, sources: {new: 0}}", "sources: At least one source"),
        ("{slug: a, exploration: 0.6, rotation: 0.6}", "rotation: More places"),
        ("{slug: a, kind: category, max_per_category: 3}", "max_per_category: The whole list"),
        ("{slug: a, pins: [{place: 1}]}", "pins.item: There is no item “”"),
        ("{slug: a, pins: [{item: 'shop:none', place: 1}]}", "no item “shop:none”"),
        ("{slug: a, pins: [{item: 'shop:k', place: 0}]}", "pins.place: "),
        ("{slug: a, pins: [{item: 'shop:k', place: 1, from: soon}]}", "pins.starts_at: "),
        (
            "{slug: a, pins: [{item: 'shop:k', place: 1, from: 2026-02-01, until: 2026-01-01}]}",
            "pins: It ends before it starts.",
        ),
        (
            "{slug: a, pins: [{item: 'shop:k', place: 1}, {item: 'shop:l', place: 1}]}",
            "pins: Two pins are at place 1 at the same time.",
        ),
        (
            "{slug: a, pins: [{item: 'shop:k', place: 1}, {item: 'shop:k', place: 2}]}",
            "pins: “kettle” is pinned twice at the same time.",
        ),
        ("{slug: ok}, {slug: ok}", "2 (ok): slug: It is in the file twice."),
        ("{slug: a, slug: b}", "“slug” stands twice"),
        ("5", "1: A scenario is a mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_row_and_nothing_is_loaded(write, entry, told):
    make_item("kettle", source="shop", external_id="k")
    make_item("lamp", source="shop", external_id="l")
    path = write(f"scenarios: [{entry}, {{slug: fine}}]")
    for command in ("load", "check"):
        assert told in refused(command, path)
    assert not Scenario.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["", "scenarios: 5", "scenarios: []", "- slug: a", "{", "scenarios: !!python/name:os.system"],
)
def test_what_is_no_file_of_scenarios_is_refused(write, text):
    assert "the file: " in refused("load", write(text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        scenarios("load", str(tmp_path / "none.yaml"))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="UTF-8"):
        scenarios("load", str(tmp_path / "bytes.yaml"))


def test_a_check_finds_what_stopped_being_right():
    Scenario.objects.create(slug="old", filter="attr:gone = 1")
    assert "old: filter: At character 1: There is no field “attr:gone”" in refused("check")
    Scenario.objects.all().delete()
    assert scenarios("check") == "all can be used\n"


@pytest.mark.parametrize("name", ["news", "shop", "social", "travel", "video"])
def test_each_preset_can_be_loaded_and_gives_lists(name):
    make_item("kettle", categories=["kitchen"])
    scenarios("load", "--preset", name)
    assert scenarios("load", "--preset", name).startswith("same: home")
    for row in Scenario.objects.all():
        assert set(row.names) == {"en", "zh"}
    kinds = set(Scenario.objects.values_list("kind", flat=True))
    assert {"personal", "fresh", "trending", "because", "category"} <= kinds
    assert len(recommend(None, scenario="home").results) == 1
    assert len(recommend(None, scenario="fresh").results) == 1


def test_the_presets_are_these():
    assert list(PRESETS) == ["news", "shop", "social", "travel", "video"]


def test_a_site_without_scenarios_dumps_none():
    assert dump() == "scenarios: []\n"


def test_the_example_of_the_documentation_can_be_loaded(write):
    text = (Path(__file__).parents[2] / "docs/scenarios.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.+?)```", text, re.DOTALL)
    assert scenarios("load", write(example)) == "created: fresh\n"
