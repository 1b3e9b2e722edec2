"""What docs/filters.md says of fields, examples and limits is so."""

import re
from pathlib import Path

import pytest

from recommender.filtering.expression import DEEPEST, LONGEST, MOST_VALUES, FilterError, parse
from recommender.filtering.fields import FIELDS, fields_with
from recommender.serializers import FILTER_FAULTS

TEXT = (Path(__file__).parents[2] / "docs/filters.md").read_text()
DECLARED = fields_with({"pages": "number", "in-colour": "boolean"})
EXAMPLES = re.findall(r"^    (.+)$", TEXT.split("## Fields")[0], re.MULTILINE)
ROWS = re.findall(r"^\| (`.+?) \| (\w+) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_used(example):
    assert parse(example, DECLARED)


def test_every_field_stands_in_the_table_with_its_type():
    told = {name: kind for names, kind in ROWS for name in re.findall(r"`([a-z_]+)`", names)}
    assert len(EXAMPLES) == 6
    assert told == {name: field.type.value for name, field in FIELDS.items()}


def test_the_limits_and_codes_are_told():
    assert f"{LONGEST:,} characters, {MOST_VALUES} values" in TEXT
    assert f"`not` {DEEPEST} deep" in TEXT
    assert all(f"`{code}`" in TEXT for code in FILTER_FAULTS)
    with pytest.raises(FilterError, match="unknown_field at character 1"):
        parse("prize < 1", FIELDS)
