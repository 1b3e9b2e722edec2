"""Somebody who used everything is erased while a worker stands still in the middle of learning of
them: nothing is left, and nothing comes back when the worker goes on. With real processes."""

import json
import os
import signal
import time
import uuid

import psycopg
import pytest
import redis
import urllib3

from recsite.local import services
from tests.faults.installation import Installation, kill, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WORDS = {name: f"zq{name}sentinel" for name in (
    "mail", "name", "guest", "wish", "comment", "search", "device", "late", "pass",
)}  # fmt: skip
PASSWORD = f"{WORDS['pass']} and more"
KINDS = ("view", "like", "dislike", "save", "share", "purchase", "hide")


@pytest.fixture
def site(home):
    installation = Installation(
        home, EMBEDDING_BACKEND="hashing", EMBEDDING_MODEL="hashing", EMAIL_HOST="",
        NEW_ACCOUNT_HOURS="0",
    )  # fmt: skip
    lines = [f'{n},"Kettle {n}",Kitchen' for n in range(40)]
    (home / "items.csv").write_text("\n".join(["id,title,categories", *lines]))
    crowd = [f"{user},{item},like" for user in range(5) for item in range(10)]
    (home / "feedback.csv").write_text("\n".join(["user,item,kind", *crowd]))
    (home / "people.csv").write_text("\n".join(["id", *map(str, range(5))]))
    installation.manage("load_catalog", str(home), "--format", "csv", "--source", "shop")
    installation.manage("embed")
    installation.manage("train")
    yield installation
    for process in installation.running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGCONT)
    installation.close()


def ask(site: Installation, method: str, path: str, body=None, token: str = "") -> dict:
    """The answer, of a client that calls itself by one of the words."""
    headers = {"Content-Type": "application/json", "User-Agent": WORDS["device"]}
    if token:
        headers["Authorization"] = f"Token {token}"
    answer = site.http.request(
        method, f"/api/v1/{path}", body=json.dumps(body), headers=headers, timeout=30
    )
    assert answer.status < 300, (method, path, answer.status, answer.data)
    return json.loads(answer.data or "{}") if b"{" in answer.data[:2] else {"body": answer.data}


def use_everything(site: Installation) -> tuple[str, str]:
    """A guest who became a member and left no feature out: the token, and the person's id."""
    guest = ask(site, "POST", "auth/guest/")["token"]
    ask(site, "PATCH", "me/", {"consent": True}, guest)
    ask(site, "POST", "me/wishes/", {"text": f"{WORDS['guest']} kettle"}, guest)
    account = {"email": f"{WORDS['mail']}@example.org", "password": PASSWORD, "consent": True}
    token = ask(site, "POST", "auth/register/", account | {"name": WORDS["name"]}, guest)["token"]
    ask(site, "POST", "auth/login/", {"email": account["email"], "password": PASSWORD})
    items = [row["id"] for row in ask(site, "GET", "items/?limit=30", token=token)["results"]]
    for kind, item in zip(KINDS, items, strict=False):
        ask(site, "POST", "feedback/", {"item": item, "kind": kind}, token)
    said = {"item": items[8], "kind": "comment", "text": f"I love it, {WORDS['comment']}"}
    ask(site, "POST", "feedback/", said, token)
    ask(site, "POST", "feedback/", {"item": items[9], "kind": "rating", "value": 4.5}, token)
    ask(site, "POST", "feedback/", {"item": items[10], "kind": "dwell", "value": 9}, token)
    ask(site, "POST", "me/wishes/", {"text": f"{WORDS['wish']} kettle"}, token)
    steer = {"action": "more", "kind": "category", "target": "kitchen"}
    ask(site, "POST", "me/steering/", steer, token)
    ask(site, "PATCH", "me/", {"diversity": 0.7}, token)
    ask(site, "GET", f"search/?q={WORDS['search']}", token=token)
    served = ask(site, "GET", "recommendations/", token=token)
    ask(site, "POST", "impressions/", {"list": served["id"], "positions": [1, 2]}, token)
    ask(site, "POST", "me/export/", None, token)
    return token, ask(site, "GET", "me/", token=token)["id"]


def database(site: Installation) -> dict[str, str]:
    """Each table with all its rows, as a dump has them."""
    with psycopg.connect(services.addresses(site.data).database_url) as link:
        tables = link.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
            " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        found = {}
        for (table,) in tables:
            with link.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                found[table] = b"".join(rows).decode(errors="replace")
        return found


def in_valkey(site: Installation) -> dict[str, str]:
    found, url = {}, services.addresses(site.data).redis_url
    for number in range(3):
        link = redis.Redis.from_url(url.rsplit("/", 1)[0] + f"/{number}")
        for key in link.scan_iter():
            found[f"valkey {number} {key!r}"] = repr(key) + repr(link.dump(key))
    return found


def in_files(site: Installation) -> dict[str, str]:
    """Logs, media, models: all files but the tables and the queue that are asked above, and but the
    folder that stands in for the mailboxes of people where no mail server is set."""
    outside = site.data / "mail"
    kept = [p for p in site.data.rglob("*") if p.is_file() and outside not in p.parents]
    of_servers = [path for path in kept if path.name in ("PG_VERSION", "valkey.conf")]
    folders = {path.parent for path in of_servers}
    return {
        str(path.relative_to(site.data)): path.read_bytes().decode(errors="replace")
        for path in kept
        if not any(folder in path.parents for folder in folders) or path.suffix == ".log"
    }


def traces(site: Installation, words: list[str]) -> dict[str, list[str]]:
    places = database(site) | in_valkey(site) | in_files(site)
    return {
        place: found
        for place, text in places.items()
        if (found := [word for word in words if word.lower() in text.lower()])
    }


def test_nothing_is_left_and_nothing_comes_back(site):
    site.start_web()
    site.start_relay()
    worker = site.start_worker()
    token, person = use_everything(site)
    wait_until(lambda: site.open_jobs() == 0, 120)
    words = [*WORDS.values(), person, token]
    found = traces(site, words)
    assert {"catalog_user", "catalog_feedback", "recommender_wish", "catalog_token"} <= set(found)
    assert not {place for place in found if not place.startswith(("catalog_", "recommender_"))}
    audit_id = site.count("SELECT id FROM catalog_user WHERE email IS NOT NULL")
    download = ask(site, "GET", "me/export/", token=token)["download"]
    assert WORDS["device"] not in download
    kill(worker)

    stopped = site.start("tests/privacy/slow_worker.py", str(site.data))
    item = ask(site, "GET", "items/?limit=40", token=token)["results"][20]["id"]
    like = {"id": str(uuid.uuid4()), "item": item, "kind": "comment", "text": WORDS["late"]}
    ask(site, "POST", "feedback/", like, token)
    wait_until((site.data / "has-read").exists, 60)
    os.killpg(stopped.pid, signal.SIGSTOP)
    assert not (site.data / "goes-on").exists()

    begun = time.monotonic()
    receipt = ask(site, "DELETE", "me/", {"password": PASSWORD}, token)
    assert site.ask("GET", "me/", token=token).status == 401
    assert site.ask("GET", "recommendations/", token=token).status == 401
    account = {"email": f"{WORDS['mail']}@example.org", "password": PASSWORD}
    assert site.ask("POST", "auth/login/", account).status == 401
    gone = urllib3.request("GET", download, headers={"Authorization": f"Token {token}"})
    assert gone.status == 401
    site.start_worker()
    erasure = f"erasures/{receipt['id']}/"
    wait_until(lambda: ask(site, "GET", erasure)["state"] == "erased", 60)
    assert time.monotonic() - begun < 60
    assert traces(site, words) == {}

    os.killpg(stopped.pid, signal.SIGCONT)
    wait_until((site.data / "goes-on").exists, 60)
    wait_until(lambda: site.open_jobs() == 0, 120)
    time.sleep(2)
    assert traces(site, words) == {}
    assert left_of(site, audit_id) == {"catalog_user": 1, "catalog_erasure": 1}
    counts = ask(site, "GET", erasure)["counts"]
    assert counts["catalog.Feedback"] == len(KINDS) + 4
    site.manage("verify_invariants")


def left_of(site: Installation, audit_id: int) -> dict[str, int]:
    """Rows by which the person is still known, by a foreign key or a bare id."""
    with psycopg.connect(services.addresses(site.data).database_url) as link:
        columns = link.execute(
            "SELECT DISTINCT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND (column_name IN ('user_id', 'person_id')"
            " OR (table_name, column_name) = ('catalog_user', 'id'))"
            " AND table_name NOT LIKE 'recommender_served\\_%'"
        ).fetchall()
        found = {}
        for table, column in columns:
            count = link.execute(
                f"SELECT count(*) FROM {table} WHERE {column} = %s", [audit_id]
            ).fetchone()[0]
            if count:
                found[table] = count
        jobs = "SELECT count(*) FROM recommender_job WHERE key = %s AND kind = ANY(%s)"
        of_person = ["learn", "wish", "comment", "relearn"]
        if count := link.execute(jobs, [audit_id, of_person]).fetchone()[0]:
            found["recommender_job"] = count
    return found
