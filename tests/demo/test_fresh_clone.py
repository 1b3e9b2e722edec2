"""What a newcomer gets: a fresh clone in an empty folder, an empty home, the README's commands.

Then, with the web process alone and every worker stopped, what the site promises of its lists.
"""

import json
import os
import socket
import subprocess
import time

import pytest
import urllib3

from recsite.local.memory import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
KEPT = ("PATH", "LANG", "TERM", "PIP_FIND_LINKS", "PIP_CERT", "PIP_INDEX_URL", "PIP_CONSTRAINT")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "home").mkdir()
    done = subprocess.run(
        ["git", "clone", "-q", str(CHECKOUT), str(folder / "medley")], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["HOME"] = str(folder / "home")
    yield folder / "medley", environment
    subprocess.run(
        ["make", "clean", "YES=1"], cwd=folder / "medley", env=environment, capture_output=True
    )


@pytest.fixture(scope="module")
def checked(clone):
    folder, environment = clone
    done = subprocess.run(
        ["make", "demo", "CHECK=1"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_one_command_prints_a_diversified_list(checked):
    lines = checked.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("rank"))
    assert [line.split()[0] for line in lines[first + 1 : first + 21]] == [
        str(rank) for rank in range(1, 21)
    ]
    assert "relevance kept" in checked


def test_a_second_run_repeats_nothing(clone, checked):
    folder, environment = clone
    begun = time.monotonic()
    done = subprocess.run(
        ["make", "demo", "CHECK=1"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "0 vectors written" in done.stdout
    assert time.monotonic() - begun < 90


@pytest.fixture(scope="module")
def api(clone, checked):
    """The API of the demo, served by one web process; no worker, relay or encoder runs."""
    folder, environment = clone
    python = str(folder / ".venv/bin/python")
    services = [python, "-m", "recsite.local.services"]
    subprocess.run([*services, "start"], cwd=folder, env=environment, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    web = subprocess.Popen(
        [python, "-m", "gunicorn", "recsite.wsgi", "--bind", f"127.0.0.1:{port}",
         "--no-control-socket"],
        cwd=folder, env=environment,
    )  # fmt: skip
    http = urllib3.HTTPConnectionPool(
        "127.0.0.1", port, retries=urllib3.Retry(30, backoff_factor=0.3)
    )
    code = "from recsite.local.services import data_folder; print(data_folder())"
    data = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    ).stdout.strip()
    with open(f"{data}/demo-accounts.txt") as lines:
        passwords = {line.split()[0]: line.split()[1] for line in lines}

    def ask(method: str, path: str, body=None, token: str = "") -> dict:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Token {token}"} if token else {}
        )
        answer = http.request(
            method, f"/api/v1/{path}", body=json.dumps(body) if body else None, headers=headers
        )
        assert answer.status < 300, answer.data
        return json.loads(answer.data)

    email = "demo@medley.example"
    token = ask("POST", "auth/login/", {"email": email, "password": passwords[email]})["token"]
    newcomer = {"email": "new@medley.example", "password": passwords[email], "consent": True}
    other = ask("POST", "auth/register/", newcomer)["token"]
    yield lambda method, path, body=None, who="demo": ask(
        method, path, body, token if who == "demo" else other
    )
    web.terminate()
    web.wait(20)
    subprocess.run([*services, "stop"], cwd=folder, env=environment, check=True)


def ids(answer: dict) -> list[str]:
    return [row["item"]["id"] for row in answer["results"]]


def test_two_people_are_shown_different_lists(api):
    mine, theirs = (ids(api("GET", "recommendations/", who=who)) for who in ("demo", "other"))
    assert len(mine) == len(theirs) == 20
    assert len(set(mine) - set(theirs)) >= 5


def test_more_diversity_is_reported_as_more_distance_and_less_relevance(api):
    close, varied = (api("GET", f"recommendations/?diversity={d}")["diversity"] for d in (0, 0.7))
    assert close["relevance_kept"] > 0.97  # less than 1 only where a creator has its share
    assert varied["relevance_kept"] < close["relevance_kept"]
    assert varied["vector_distance"] > close["vector_distance"]
    assert varied["category_distance"] > close["category_distance"]
    assert varied["largest_category_share"] <= close["largest_category_share"]


def test_a_like_of_something_else_changes_the_list_and_its_undo_restores_it(api):
    before = ids(api("GET", "recommendations/"))
    found = [row["id"] for row in api("GET", "search/?q=romance&limit=50")["results"]]
    outside = next(item for item in found if item not in before)
    given = api("POST", "feedback/", {"item": outside, "kind": "like"})
    after = ids(api("GET", "recommendations/"))
    assert outside not in after
    assert len(set(after) - set(before)) >= 2
    api("DELETE", f"feedback/{given['id']}/")
    assert ids(api("GET", "recommendations/")) == before
