"""`make lists`: what it refuses before minutes of set-up, and what it hands on."""

import os
import subprocess
import sys

import pytest

from recsite.local import lists
from recsite.local.memory import CHECKOUT


@pytest.fixture
def files(tmp_path):
    """TRAIN, ITEMS and OUT in a folder whose name no shell would leave alone."""
    folder = tmp_path / "it's $HOME"
    folder.mkdir()
    for name in ("train", "items"):
        (folder / f"{name}.csv").write_text("")
    return {name: str(folder / f"{name.lower()}.csv") for name in ("TRAIN", "ITEMS", "OUT")}


def make(**variables) -> subprocess.CompletedProcess:
    given = [f"{name}={value.replace('$', '$$')}" for name, value in variables.items()]
    unset = {name: value for name, value in os.environ.items() if name not in lists.VARIABLES}
    return subprocess.run(
        ["make", "-o", "setup", "lists", f"PY={sys.executable}", *given],
        cwd=CHECKOUT, env=unset, capture_output=True, text=True,
    )  # fmt: skip


def test_what_is_missing_is_named_with_how_to_call_it(files):
    done = make(TRAIN=files["TRAIN"])
    assert done.returncode == 2
    assert "lists: ITEMS and OUT not given\nmake lists TRAIN=" in done.stderr


def test_a_file_that_is_not_there_is_named_whatever_its_name(files):
    absent = files["TRAIN"].replace("train", "valid")
    done = make(**files, VALID=absent)
    assert done.returncode == 2
    assert f"lists: no file {absent}\n" in done.stderr


def test_each_variable_becomes_an_option_and_paths_do_not_depend_on_the_folder(
    files, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert lists.problem(files) == ""
    assert lists.options({"TRAIN": "a.csv", "OUT": "/b.csv", "K": "5", "DIVERSITY": "0.3"}) == [
        "--train", str(tmp_path / "a.csv"), "--out", "/b.csv", "--k", "5", "--diversity", "0.3",
    ]  # fmt: skip
