"""What a newcomer gets: a fresh clone in an empty folder, an empty home, the README's commands.

Then, with the web process alone and every worker stopped, what the site promises of its lists.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import urllib3

from recsite.local import memory
from recsite.local.memory import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]
NOT_KEPT = {
    *memory.PORT_VARIABLES.values(), "PORT", "MEDLEY_DATA", "DATABASE_URL", "REDIS_URL",
    "EMBEDDING_MODEL", "EMBEDDING_BACKEND", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE",
}  # fmt: skip


@pytest.fixture(scope="module")
def clone():
    """What git knows or would add, as it is now, in a folder that every user may enter."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    with tempfile.TemporaryDirectory(prefix="medley-clone-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for path in filter(None, listed.stdout.split("\0")):
            if (CHECKOUT / path).is_file():
                (folder / "medley" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / path, folder / "medley" / path)
        (folder / "home").mkdir()
        environment = {name: value for name, value in os.environ.items() if name not in NOT_KEPT}
        yield folder / "medley", environment | {"HOME": str(folder / "home")}


def make_demo(clone) -> str:
    folder, environment = clone
    done = subprocess.run(
        ["make", "demo", "CHECK=1"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def checked(clone) -> str:
    return make_demo(clone)


def test_one_command_prints_a_diversified_list(checked):
    lines = checked.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("rank"))
    assert [line.split()[0] for line in lines[first + 1 : first + 21]] == [
        str(rank) for rank in range(1, 21)
    ]
    assert "relevance kept" in checked


def test_a_second_run_repeats_nothing_and_leaves_no_process(clone, checked):
    begun = time.monotonic()
    output = make_demo(clone)
    assert time.monotonic() - begun < 90
    assert "Installing" in checked
    assert "Installing" not in output
    assert "0 vectors written" in output
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        assert str(clone[0]) not in command


def test_one_command_makes_lists_for_files(clone, checked, tmp_path):
    folder, environment = clone
    files = tmp_path / "somebody's files"
    files.mkdir()
    (files / "train.csv").write_text(
        "user,item,ts\n"
        + "".join(f"u{n},{n + i},{100 * n + i}\n" for n in range(9) for i in range(4))
    )
    (files / "items.csv").write_text("item,title\n" + "".join(f"{n},Film {n}\n" for n in range(12)))
    done = subprocess.run(
        ["make", "lists", f"TRAIN={files}/train.csv", f"ITEMS={files}/items.csv",
         f"OUT={files}/lists.csv", "K=5"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    assert f"45 rows for 9 people in {files}/lists.csv" in done.stdout
    assert len((files / "lists.csv").read_text().splitlines()) == 46
    assert json.loads(done.stderr.splitlines()[-1])["texts_encoded"] > 12


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
        # Equal lists are expected of equal states, so no place goes by chance.
        cwd=folder, env=environment | {"EXPLORATION_SHARE": "0", "ROTATION": "0"},
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
