"""The demo's own part: what it would run, what it prints, and that it leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsite.local import demo, memory, services

ACCOUNTS = "demo@medley.example one person\noperator@medley.example two operator\n"


@pytest.fixture(autouse=True)
def _an_environment_that_says_nothing(monkeypatch):
    for name in ("PORT", "EMBEDDING_MODEL", "EMBEDDING_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_the_next_command(taken, monkeypatch):
    monkeypatch.setenv("PORT", str(taken))
    message = f"port {taken} is taken: make demo PORT={taken + 1}"
    for check in (False, True):
        with pytest.raises(demo.Failure, match=message):
            demo.site_port(may_move=check)


def test_a_check_moves_from_a_taken_port_that_nobody_asked_for(taken, monkeypatch):
    monkeypatch.setattr(demo, "PORT", taken)
    moved = demo.site_port(may_move=True)
    assert moved != taken
    assert services.is_free(moved)
    with pytest.raises(demo.Failure, match="is taken"):
        demo.site_port(may_move=False)


@pytest.mark.parametrize("port", ["0", "65536", "eight"])
def test_a_wrong_port_is_refused(port, monkeypatch):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(demo.Failure, match="use a number"):
        demo.site_port(may_move=True)


def names(commands: list[tuple[str, list[str]]]) -> list[str]:
    return [command[0] for _, command in commands]


def test_the_steps_come_in_the_order_of_the_data(tmp_path):
    commands = demo.set_up_commands(tmp_path, check=False)
    assert names(commands) == [
        "migrate",
        "install_model",
        "scenarios",
        "load_demo",
        "embed",
        "learn",
    ]


def test_a_check_loads_two_thousand_films(tmp_path):
    commands = [command for _, command in demo.set_up_commands(tmp_path, check=True)]
    assert ["load_demo", "--films", "2000"] in commands


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({}, ["install_model"]),
        ({"EMBEDDING_MODEL": "all-MiniLM-L6-v2"}, ["install_model", "all-MiniLM-L6-v2"]),
        ({"EMBEDDING_MODEL": "made-before"}, None),
        ({"EMBEDDING_MODEL": "/"}, None),
        ({"EMBEDDING_BACKEND": "http"}, None),
    ],
)
def test_a_model_is_installed_only_where_it_is_named_and_missing(
    tmp_path, monkeypatch, variables, command
):
    (tmp_path / "models" / "made-before").mkdir(parents=True)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    commands = [c for _, c in demo.set_up_commands(tmp_path, check=True) if "install" in c[0]]
    assert commands == ([command] if command else [])


def test_the_welcome_names_the_address_and_both_accounts(tmp_path):
    (tmp_path / "demo-accounts.txt").write_text(ACCOUNTS)
    box = demo.welcome(8001, demo.accounts(tmp_path))
    assert "http://127.0.0.1:8001/" in box
    assert "demo@medley.example  one" in box
    assert "operator@medley.example  two" in box
    assert len({len(line) for line in box.splitlines()}) == 1


@pytest.mark.parametrize("text", ["", "demo@medley.example\n", "demo@medley.example one person\n"])
def test_missing_accounts_are_a_failure_that_names_the_file(tmp_path, text):
    (tmp_path / "demo-accounts.txt").write_text(text)
    with pytest.raises(demo.Failure, match=r"demo-accounts\.txt"):
        demo.accounts(tmp_path)


def row(rank: int, title: str = "Alien (1979)") -> dict:
    item = {"title": title, "categories": [{"name": "Horror"}, {"name": "Sci-Fi"}]}
    reason = {"kind": "similar", "text": "because you liked Aliens"}
    return {"rank": rank, "item": item, "relevance": 0.87, "reason": reason}


def test_the_table_shows_rank_title_categories_relevance_and_reason():
    lines = demo.table([row(1), row(2, "A very long title " * 5)]).splitlines()
    assert lines[0].split() == ["rank", "title", "categories", "relevance", "reason"]
    assert re.split(r"  +", lines[1]) == [
        "1", "Alien (1979)", "Horror, Sci-Fi", "0.87", "because you liked Aliens",
    ]  # fmt: skip
    assert lines[1].index("Horror") == lines[2].index("Horror")


def test_an_item_without_a_reason_is_shown_with_none():
    assert demo.table([row(1) | {"reason": None}]).endswith("0.87")


# --- A small site in place of ours --------------------------------------------------------------

SITE = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

ROWS = json.loads(os.environ["ROWS"])

class Site(BaseHTTPRequestHandler):
    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/health/ready":
            self.answer(200, {})
        elif self.headers["Authorization"] != "Token abc":
            self.answer(401, {"title": "who is there"})
        else:
            self.answer(200, {"results": ROWS, "diversity": {"distinct_categories": 9}})

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        right = sent == {"email": "demo@medley.example", "password": "one"}
        self.answer(200 if right else 403, {"token": "abc"})

    def log_message(self, *arguments):
        print("a line of the log", flush=True)

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Site).serve_forever()
"""
SERVE = """
import os, sys
from pathlib import Path
from recsite.local import demo
from recsite.local.processes import Ended, raise_when_ended

data, port, check = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "check"
demo.CHECKOUT = data
raise_when_ended()
try:
    demo.serve(dict(os.environ, PORT=str(port)), data, port, check)
except Ended as ended:
    sys.exit(ended.exit_status)
except demo.Failure as failure:
    sys.exit(f"demo: {failure}")
"""


@pytest.fixture
def serve(tmp_path):
    """Start the supervisor over a small site and a worker that forks; end it if a test did not."""
    runs = []

    def start(mode: str, *, rows: int = 20, others: str = "") -> subprocess.Popen:
        (tmp_path / "site.py").write_text(SITE)
        (tmp_path / "demo-accounts.txt").write_text(ACCOUNTS)
        (tmp_path / "Procfile").write_text(
            f"web: {sys.executable} site.py\n"
            # A child that ignores the request, and has let go of the output that is watched.
            "worker: (trap '' TERM; exec sleep 62.5 > /dev/null 2>&1) & sleep 62.5\n"
            f"{others}"
        )
        run = subprocess.Popen(
            [sys.executable, "-c", SERVE, tmp_path, str(services.choose_port()), mode],
            cwd=memory.CHECKOUT,
            env=os.environ | {"ROWS": json.dumps([row(n + 1) for n in range(rows)])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.poll() is None:
            run.terminate()
            run.communicate(timeout=20)


def left_in(folder: Path) -> list[str]:
    """The programs that still work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == str(folder):
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue
    return found


def wait_for(output, text: str) -> None:
    for line in output:
        if text in line:
            return
    pytest.fail(f"{text!r} never came")


def test_a_check_prints_the_list_and_its_diversity_and_leaves_no_process(serve, tmp_path):
    output, _ = (run := serve("check")).communicate(timeout=60)
    assert run.returncode == 0, output
    assert output.count("because you liked Aliens") == 20
    assert re.search(r"distinct categories +9\n", output)
    assert "a line of the log" not in output
    assert "a line of the log" in (tmp_path / "demo.log").read_text()
    assert left_in(tmp_path) == []


def test_a_short_list_fails_the_check_with_what_was_shown(serve, tmp_path):
    output, _ = (run := serve("check", rows=19)).communicate(timeout=60)
    assert run.returncode == 1
    assert "showed 19 items instead of 20" in output
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_process_ends_with_the_demo(serve, tmp_path, number):
    run = serve("serve")
    wait_for(run.stdout, "Medley is ready")
    assert sorted(left_in(tmp_path))[-2:] == ["sleep", "sleep"]
    run.send_signal(number)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == (130 if number == signal.SIGINT else 143), output
    assert left_in(tmp_path) == []


def test_a_signal_in_the_first_moment_ends_every_process_too(serve, tmp_path):
    run = serve("serve", others="".join(f"more{n}: sleep 62.5\n" for n in range(20)))
    wait_for(run.stdout, "started")
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 130, output
    assert left_in(tmp_path) == []


def test_a_process_that_ends_by_itself_ends_the_others_and_is_a_failure(serve, tmp_path):
    run = serve("serve", others="relay: sleep 1; exit 3\n")
    began = time.monotonic()
    output, _ = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "a process ended by itself" in output
    assert "relay stopped (rc=3)" in output
    assert time.monotonic() - began < 20
    assert left_in(tmp_path) == []
