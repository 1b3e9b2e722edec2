"""docs/security.md names tests that are there, for each promise."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`( ⏳)?", PAGE)
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "promise" not in line]


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name", "mark"), NAMED)
def test_a_test_that_is_named_is_there(path, name, mark):
    assert name in functions(ROOT / path)


def test_each_promise_has_a_test():
    assert len(ROWS) > 25
    assert [row for row in ROWS if "::test_" not in row] == []


def test_what_runs_by_make_test_all_alone_is_marked():
    for path, name, mark in NAMED:
        text = (ROOT / path).read_text()
        test = functions(ROOT / path)[name]
        marks = " ".join(map(ast.unparse, test.decorator_list))
        whole = re.search(r"^pytestmark = .*$", text, re.MULTILINE)
        is_slow = "mark.slow" in marks + (whole[0] if whole else "")
        assert is_slow is bool(mark), f"{path}::{name}"
