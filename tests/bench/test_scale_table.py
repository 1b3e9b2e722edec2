"""What the table of sizes says of raw numbers, and a catalogue that is kept."""

import psycopg
import pytest
from django.db import connection

from bench import readme, site
from bench.scale import report
from bench.scale.prepare import FILTERS

NAMES = ("list", "candidates", "plain", "one scenario", "four scenarios")


def numbers(items: int, *, ms: float = 20.0, recall: float = 0.99, missing: int = 0) -> dict:
    """A site whose lists take so long, whose statement takes 10 ms and a plain search 4."""
    took = dict.fromkeys([*NAMES, *(f"list {name}" for name in FILTERS)], [ms])
    took |= {"candidates": [10.0], "plain": [4.0], "one client, load": [ms]}
    took |= {"clients, load": [ms, 5 * ms]}
    return {
        "items": items,
        "ef_search": "120",
        "pool": 200,
        "index": items / 1000,
        "table": items / 500,
        "took": took,
        "rates": {"clients": [30.0], "candidates": [100.0], "plain": [400.0]},
        "recall": dict.fromkeys(["plain", "pool", *FILTERS], recall),
        "missing": dict.fromkeys(FILTERS, missing),
        "memory": {"web": 230.0, "first": 200.0, "last": 211.0, "requests": 20_000},
    }


def run_of(*sites: dict) -> dict:
    return {"command": "make x", "begun": "2026-01-02", "machine": "2 cores", "sites": sites}


def said(*runs: dict) -> dict[tuple[str, str], list[str]]:
    """The cells of each line behind what it is about and its items."""
    lines = report.table(runs).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {(line[0].split(",")[0], line[1]): line[2:] for line in cells if len(line) == 7}


def test_a_row_is_met_up_to_its_aim_and_missed_beyond():
    within, beyond = said(run_of(numbers(10, ms=25.0))), said(run_of(numbers(10, ms=25.1)))
    about = "GET recommendations (pool 200 → 20)", "10"
    assert within[about][2:] == ["2.50", "≤ 2.5 ×", "met"]
    assert beyond[about][2:] == ["2.51", "≤ 2.5 ×", "MISSED"]
    memory = within["memory of the web processes after 20", "10"]
    assert memory[2:] == ["1.05", "≤ 1.05 ×", "MISSED"]  # 211 / 200 is 1.055


def test_what_is_fast_and_finds_too_little_is_missed():
    assert said(run_of(numbers(10)))["a filter of 1 %", "10"][-1] == "met"
    for less in ({"recall": 0.94}, {"missing": 1}):
        assert said(run_of(numbers(10, **less)))["a filter of 1 %", "10"][-1] == "MISSED"


def test_a_million_stands_beside_the_small_catalogue_of_its_own_run():
    small, large = numbers(10_000, ms=20.0), numbers(100_000, ms=30.0)
    again, million = numbers(10_000, ms=22.0), numbers(1_000_000, ms=45.0)
    rows = said(run_of(small, large), run_of(again, million))
    assert rows["p50 at 1", "1,000,000"] == [  # cut at the comma of the number
        "45.0 ms", "p50 at 10,000: 22.0 ms", "2.05", "≤ 2 ×", "MISSED",
    ]  # fmt: skip
    assert rows["p50 at 100", "100,000"][2:] == ["1.50", "", ""]
    assert rows["GET recommendations (pool 200 → 20)", "10,000"][0] == "20.0 ms"


def test_pictures_have_a_mark_for_each_size():
    drawn = report.pictures([run_of(numbers(10_000), numbers(1_000_000))])
    assert drawn.keys() == {"p50", "recall", "memory"}
    assert all(">10,000<" in svg and ">1,000,000<" in svg for svg in drawn.values())


def test_rows_of_another_part_are_those_of_its_table(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("<!-- a -->\n| x | y |\n|---|---|\n| 1 | 2 |\n\nSaid.\n<!-- end -->\n| 3 |\n")
    assert readme.rows("a", file) == [["1", "2"]]
    assert readme.rows("b", file) == []


@pytest.mark.django_db(transaction=True)
def test_a_catalogue_is_kept_once_it_is_whole_and_made_anew_if_it_is_not():
    made = []

    def half(url: str) -> None:
        made.append(url)
        raise KeyboardInterrupt

    def whole(url: str) -> None:
        made.append(url)
        with psycopg.connect(url) as link:
            link.execute("CREATE TABLE kept ()")

    name = f"{connection.settings_dict['NAME']}_kept"
    try:
        with pytest.raises(KeyboardInterrupt):
            site.kept_database(name, half)
        url = site.kept_database(name, whole)
        assert site.kept_database(name, whole) == url
        assert made == [url, url]
        with psycopg.connect(url) as link:
            assert link.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
