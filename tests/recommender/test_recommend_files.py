"""`manage.py recommend_files`: files in, lists out, and no trace of it in the site's database."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.db import connection

from catalog.models import Feedback, Item, User
from recommender.store import scratch
from recsite.local.memory import CHECKOUT

pytestmark = pytest.mark.django_db(transaction=True)  # a transaction would keep us from leaving

TRAIN = "user,item,rating,ts\n" + "".join(
    f"{user},{item},{rating},{1_000_000_000 + 10 * n}\n"
    for n, (user, item, rating) in enumerate(
        (user, item, 5 if (user + item) % 2 else 1)
        for user in range(1, 9)
        for item in range(1, 9)
        if item not in (user, user + 1)
    )
)
ITEMS = "item,title,genres,text\n" + "".join(
    f"{n},Film {n},{'Drama|Crime' if n % 2 else 'Comedy'},A story of {'love' if n % 2 else 'war'}\n"
    for n in range(1, 13)
)


@pytest.fixture
def lists(tmp_path, settings):
    """Run the command on files given as text: (list by person, what it said, its last line)."""
    settings.DATA_FOLDER = tmp_path / "data"

    def lists(k=3, out="lists.csv", diversity=None, **files):
        paths = {name: tmp_path / f"{name}.csv" for name in files}
        for name, text in files.items():
            paths[name].write_text(text)
        told = io.StringIO()
        arguments = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
        arguments += ["--out", str(tmp_path / out), "--k", str(k)]
        arguments += ["--diversity", str(diversity)] if diversity is not None else []
        before = state()
        try:
            call_command("recommend_files", *arguments, stdout=io.StringIO(), stderr=told)
        finally:
            assert state() == before
        rows = list(csv.DictReader((tmp_path / out).open()))
        found: dict[str, list[str]] = {}
        for row in rows:
            found.setdefault(row["user"], []).append(row["item"])
            assert int(row["rank"]) == len(found[row["user"]])
        *said, last = told.getvalue().splitlines()
        return found, "\n".join(said), json.loads(last)

    return lists


def state():
    """What is in the site's database, and which databases there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database ORDER BY 1")
        databases = [name for (name,) in cursor.fetchall() if name.startswith(scratch.PREFIX)]
    tables = User, Item, Feedback
    return databases, connection.settings_dict["NAME"], [t.objects.count() for t in tables]


def test_everybody_gets_what_they_do_not_have_best_first(lists):
    found, _, told = lists(train=TRAIN, items=ITEMS)
    had = {}
    for row in csv.DictReader(io.StringIO(TRAIN)):
        had.setdefault(row["user"], set()).add(row["item"])
    assert found.keys() == had.keys()
    for user, shown in found.items():
        assert len(shown) == len(set(shown)) == 3
        assert not had[user] & set(shown)
    assert (told["people"], told["items"], told["events"], told["rows"]) == (8, 12, 49, 24)
    assert {"import_seconds", "embedding_seconds", "learning_seconds", "lists_seconds"} <= set(told)


def test_a_process_of_its_own_leaves_the_site_as_it_is(
    tmp_path, django_db_setup, django_db_blocker
):
    """In a new process nothing has been connected yet, which once led back to the site."""
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "items.csv").write_text(ITEMS)
    before = state()
    done = manage(tmp_path, "--train", "train.csv", "--items", "items.csv", "--out", "out.csv")
    assert state() == before
    assert (done.returncode, done.stdout) == (0, "47 rows for 8 people in out.csv\n"), done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 48


def manage(folder, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, CHECKOUT / "manage.py", "recommend_files", *arguments],
        cwd=folder, env=environment(folder), capture_output=True, text=True,
    )  # fmt: skip


def environment(folder) -> dict[str, str]:
    """So that the site is the database of the tests, and vectors need no model."""
    here = connection.settings_dict
    site = f"{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT']}/{here['NAME']}"
    return os.environ | {
        "DATABASE_URL": f"postgresql://{site}",
        "MEDLEY_DATA": str(folder / "data"),
        "EMBEDDING_BACKEND": "hashing",
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
    }
