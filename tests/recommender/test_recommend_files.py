"""`manage.py recommend_files`: files in, lists out, and no trace of it in the site's database."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from catalog.models import Feedback, Item, User
from recommender.store import scratch
from recsite.local.memory import CHECKOUT

pytestmark = pytest.mark.django_db(transaction=True)  # a transaction would keep us from leaving

PEOPLE, ITEM_NUMBERS = range(1, 9), range(1, 13)
HAD = {(person, item) for person in PEOPLE for item in range(1, 9) if item - person not in (0, 1)}


def rows(header: str, *columns) -> str:
    """CSV of HAD; each column takes person, item and the number of the row."""
    lines = (
        ",".join(str(column(person, item, n)) for column in columns)
        for n, (person, item) in enumerate(sorted(HAD))
    )
    return "\n".join([header, *lines, ""])


USER, ITEM = (lambda person, item, n: f"u{person}"), (lambda person, item, n: f"i{item}")
TRAIN = rows(
    "user,item,rating,ts",
    USER,
    ITEM,
    lambda person, item, n: 5 if (person + item) % 2 else 1,
    lambda person, item, n: 1_000_000_000 + n,
)
ITEMS = "item,title,genres,text\n" + "".join(
    f"i{n},Film {n},{genres},A story of {subject}\n"
    for n in ITEM_NUMBERS
    for genres, subject in [("Drama|Crime", "love") if n % 2 else ("Comedy", "war")]
)


@pytest.fixture
def lists(tmp_path, settings):
    """Run the command on files given as text: rows by person, what it said, its line of JSON."""
    settings.DATA_FOLDER = tmp_path / "data"

    def lists(*options, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        given = [part for name in files for part in (f"--{name}", str(tmp_path / f"{name}.csv"))]
        out, told = tmp_path / "lists.csv", io.StringIO()
        with nothing_left():
            call_command(
                "recommend_files", *given, "--out", str(out), *options,
                stdout=io.StringIO(), stderr=told,
            )  # fmt: skip
        found: dict[str, list[dict]] = {}
        for row in csv.DictReader(out.open()):
            found.setdefault(row["user"], []).append(row)
            assert int(row["rank"]) == len(found[row["user"]])
        *said, last = told.getvalue().splitlines()
        return found, said, json.loads(last)

    return lists


@contextmanager
def nothing_left():
    """The site's database stays as it is, and no scratch database stays."""
    before, others = site(), scratch_databases()
    try:
        yield
    finally:
        assert site() == before
        assert scratch_databases() <= others


def site():
    return connection.settings_dict["NAME"], [t.objects.count() for t in (User, Item, Feedback)]


def scratch_databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall() if name.startswith(scratch.PREFIX)}


def items_of(shown: list[dict]) -> list[str]:
    return [row["item"] for row in shown]


def is_falling(shown: list[dict]) -> bool:
    scores = [float(row["score"]) for row in shown]
    return scores == sorted(scores, reverse=True)


def test_everybody_gets_what_they_do_not_have_most_relevant_first(lists):
    found, said, told = lists("--k", "4", train=TRAIN, items=ITEMS)
    assert found.keys() == {f"u{person}" for person in PEOPLE}
    for user, shown in found.items():
        assert len(set(items_of(shown))) == 4
        assert not {(user, item) for item in items_of(shown)} & {(f"u{p}", f"i{i}") for p, i in HAD}
        assert is_falling(shown)
    assert said[:3][-1].startswith("feedback: 49 rows read")
    assert (told["people"], told["items"], told["events"], told["rows"]) == (8, 12, 49, 32)
    steps = {"reading", "import", "embedding", "learning", "lists"}
    assert {f"{step}_seconds" for step in steps} <= told.keys()


def test_diversity_gives_up_relevance(lists):
    plain, varied = (
        sum(
            float(row["score"])
            for shown in lists("--k", "4", "--diversity", d, train=TRAIN, items=ITEMS)[0].values()
            for row in shown
        )
        for d in ("0", "1")
    )
    assert varied < plain


def test_candidates_alone_are_shown_and_nothing_that_a_bad_row_names(lists):
    """Purchases without times; an item that no file describes; somebody with a bad row alone."""
    bad = ",i1\nu1,\nu1,i11\nu1,i11,5\n"
    found, said, told = lists(
        train=rows("USER,Item", USER, ITEM) + "u9,unheard of\n" + bad,
        valid="item,shop,user\ni12,x,u1\ni1,x,v\n",
        items=ITEMS,
        candidates="item\n" + "".join(f"i{n}\n" for n in (1, 9, 10, 11, 12)) + "nowhere\n",
    )
    assert sorted(items_of(found["u1"])) == ["i1", "i10", "i9", "nowhere"]
    assert sorted(items_of(found["u9"])) == ["i1", "i10", "i11", "i12", "i9", "nowhere"]
    assert sorted(items_of(found["v"])) == ["i10", "i11", "i12", "i9", "nowhere"]
    assert told["people"] == len(found) == 10
    assert "rows that cannot be used as they are: 3" in said
    assert "  train.csv line 52: no user" in said
    assert "10 people have fewer than 20 rows: nothing else may be recommended" in said


def test_candidates_that_nobody_touched_are_ordered_by_what_was_learned_of_others(lists):
    new = "".join(f"n{n},Film {n},,A story of {'war' if n % 2 else 'love'}\n" for n in range(4))
    candidates = "item\n" + "".join(f"n{n}\n" for n in range(4))
    found, said, _ = lists(train=TRAIN, items=ITEMS + new, candidates=candidates)
    assert all(sorted(items_of(shown)) == ["n0", "n1", "n2", "n3"] for shown in found.values())
    assert "nothing was trained" not in said


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"train": TRAIN}, "items.csv cannot be read: No such file"),
        ({"train": "user;item\n", "items": ITEMS}, "does not separate its cells by commas"),
        ({"train": "", "items": ITEMS}, "the file is empty"),
        ({"train": TRAIN, "items": ITEMS, "candidates": "id\n"}, "no column item"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_message_and_status_2(tmp_path, files, says):
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    given = [f"--{name}={tmp_path / name}.csv" for name in {"train", "items", *files}]
    (tmp_path / "lists.csv").write_text("of yesterday")
    with nothing_left(), pytest.raises(CommandError, match=says) as refused:
        call_command("recommend_files", *given, "--out", str(tmp_path / "lists.csv"))
    assert refused.value.returncode == 2
    assert (tmp_path / "lists.csv").read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["lists.csv", *(f"{name}.csv" for name in files)]
    )


@pytest.mark.parametrize("options", [["--k", "0"], ["--k", "101"], ["--diversity", "1.5"]])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(CommandError, match="use"):
        call_command("recommend_files", "--train=t", "--items=i", "--out=o", *options)


def test_what_is_read_is_not_overwritten(tmp_path):
    (tmp_path / "train.csv").write_text(TRAIN)
    path = str(tmp_path / "train.csv")
    with pytest.raises(CommandError, match="would overwrite"):
        call_command("recommend_files", "--train", path, "--items", path, "--out", path)
    assert (tmp_path / "train.csv").read_text() == TRAIN


# --- In a process of its own --------------------------------------------------------------------


@pytest.fixture
def process(tmp_path):
    """Begin the command in a folder with files; the site is the database of the tests."""
    (tmp_path / "train.csv").write_text(TRAIN)
    (tmp_path / "items.csv").write_text(ITEMS)
    here = connection.settings_dict
    tests = f"{here['USER']}:{here['PASSWORD']}@{here['HOST']}:{here['PORT']}/{here['NAME']}"
    process = subprocess.Popen(
        [sys.executable, CHECKOUT / "manage.py", "recommend_files",
         "--train=train.csv", "--items=items.csv", "--out=lists.csv"],
        cwd=tmp_path,
        env=os.environ | {
            "DATABASE_URL": f"postgresql://{tests}",
            "MEDLEY_DATA": str(tmp_path / "data"),
            "EMBEDDING_BACKEND": "hashing",
            "DJANGO_SETTINGS_MODULE": "recsite.settings",
        },
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()


def test_a_new_process_too_leaves_the_site_as_it_is(tmp_path, process):
    """Nothing has been connected yet there, and the first connection once led back to the site."""
    with nothing_left():
        said, told = process.communicate()
    assert (process.returncode, said) == (0, "47 rows for 8 people in lists.csv\n"), told
    assert len((tmp_path / "lists.csv").read_text().splitlines()) == 48


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_its_database(tmp_path, process, number):
    with nothing_left():
        others = scratch_databases()
        while scratch_databases() <= others:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        said, told = process.communicate()
    assert (process.returncode, said) == (130, "")
    assert told.endswith("ended; the scratch database is gone\n")
    assert "Traceback" not in told
    assert not list(tmp_path.glob("*lists.csv*"))
