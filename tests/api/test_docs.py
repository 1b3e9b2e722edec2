"""docs/api.md is used as it is written: each call is made, and each answer compared.

`UPDATE_DOCS=1 pytest tests/api/test_docs.py` writes the answers that the system gives now.
"""

import json
import os
import re
import shlex
from pathlib import Path
from string import Template

import pytest
from django.test import Client

from catalog.models import Category
from recommender import understand
from tests.api import contract
from tests.factories import embed_and_learn, make_item

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
CALL = re.compile(r"```bash\n(curl .*?)\n```\n(?:\n```json\n(.*?)```\n)?", re.DOTALL)


@pytest.fixture
def catalogue(db) -> None:
    films = {
        "Solaris": ("Andrei Tarkovsky", "drama", "slow ships and a sea that thinks"),
        "Silent Running": ("Douglas Trumbull", "drama", "a gardener among slow ships"),
        "Playtime": ("Jacques Tati", "comedy", "a man lost in glass"),
        "Stalker": ("Andrei Tarkovsky", "drama", "a walk through the Zone"),
    }
    for title, (creator, category, text) in films.items():
        make_item(title, description=text, categories=[category], creator=creator, language="en",
                  url="https://example.org/")  # fmt: skip
    Category.objects.filter(slug="drama").update(names={"en": "Drama", "zh": "剧情"})
    embed_and_learn()
    understand.understand_everything()


def call(command: str, known: dict[str, str]):
    """Make the call of a line of curl, with what the reader would have put in."""
    words = shlex.split(Template(command).substitute(known))[1:]
    method, address, body, headers = None, "", None, {}
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            body = words.pop(0)
        elif word == "-H":
            name, _colon, value = words.pop(0).partition(": ")
            headers[name] = value
        else:
            address = word
    method = method or ("POST" if body else "GET")
    return Client().generic(
        method, address, body or "", headers.pop("Content-Type", ""), headers=headers
    )


def learn(known: dict[str, str], answer: dict) -> None:
    """What the page tells the reader to take along."""
    known |= {"TOKEN": answer["token"]} if "token" in answer else {}
    if "scenario" in answer and answer["results"]:
        known |= {"LIST": answer["id"], "ITEM": answer["results"][0]["item"]["id"]}


def shape(value: object) -> object:
    """Names and kinds of values, and of a list its first entry: what a client relies on."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items() if name != "counts"}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and value is not True else type(value).__name__
    )


@pytest.mark.django_db
def test_each_call_of_the_page_answers_as_the_page_says(catalogue):
    text, known = PAGE.read_text(), {"SITE": ""}
    stale, parts, end = [], [], 0
    for found in CALL.finditer(text):
        answer = call(found[1], known)
        assert answer.status_code < 300 or "limit=1000" in found[1], (found[1], answer.content)
        said = answer.json()
        learn(known, said)
        if found[2] is None:
            continue
        try:
            is_fresh = shape(json.loads(found[2])) == shape(said)
        except ValueError:
            is_fresh = False
        if not is_fresh:
            stale.append(found[1])
            said |= {"token": "rec_…"} if "token" in said else {}
            shown = json.dumps(said, indent=1, ensure_ascii=False)
            shown = shown.replace("http://testserver", "https://medley.example")
            parts += [text[end : found.start(2)], shown, "\n"]
            end = found.end(2)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text("".join(parts) + text[end:])
    else:
        assert stale == []


def test_the_page_shows_every_resource():
    text = PAGE.read_text()
    paths = {path.split("/")[3] for path in contract.schema()["paths"]}
    assert [part for part in sorted(paths) if f"/api/v1/{part}/" not in text] == []


def test_what_compares_answers_sees_a_field_that_came_or_went():
    assert shape({"a": [1, 2], "b": None}) == shape({"a": [3.5], "b": None})
    for other in ({"a": [1]}, {"a": ["1"], "b": None}, {"a": [1], "b": None, "c": 1}):
        assert shape(other) != shape({"a": [1], "b": None})
