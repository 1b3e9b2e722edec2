"""Workers are killed and Valkey is away, with real processes: work is late then, and never lost."""

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
import urllib3

from recommender.embeddings.hashing import HashingEncoder
from recsite.local import services
from recsite.local.memory import CHECKOUT
from recsite.local.processes import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ITEMS = 200


class SlowEncoder(BaseHTTPRequestHandler):
    """A model server of OpenAI's form that takes its time, so that a kill falls into the middle."""

    seconds = 0.0
    encoder = HashingEncoder(64)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.seconds)
        rows = self.encoder.encode(body["input"], role="item")
        data = [{"index": n, "embedding": row.tolist()} for n, row in enumerate(rows)]
        answer = json.dumps({"data": data, "model": body["model"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_) -> None:
        pass


class Installation:
    """A data folder with its own servers, and the processes that a test starts."""

    def __init__(self, data, encoder_port: int) -> None:
        self.data, self.port = data, free_port()
        self.running: list[subprocess.Popen] = []
        self.env = environment(
            data,
            EMBEDDING_BACKEND="http",
            EMBEDDING_MODEL="slow",
            ENCODER_URL=f"http://127.0.0.1:{encoder_port}/v1",
        )
        for name in ("DATABASE_URL", "REDIS_URL"):
            self.env.pop(name, None)
        services.start(lambda line: None, data)
        self.manage("migrate", "--verbosity", "0")
        self.http = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=8, retries=False)

    def manage(self, *command: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=CHECKOUT, env=self.env, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def start(self, *command: str) -> subprocess.Popen:
        log = open(self.data / f"{command[0]}-{len(self.running)}.log", "w")  # noqa: SIM115
        process = subprocess.Popen(
            [sys.executable, "-m", *command] if command[0] != "manage.py" else
            [sys.executable, *command],
            cwd=CHECKOUT, env=self.env, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def start_worker(self) -> subprocess.Popen:
        return self.start("celery", "-A", "recsite", "worker", "--concurrency", "1")

    def start_relay(self) -> subprocess.Popen:
        return self.start("manage.py", "relay")

    def start_web(self) -> None:
        self.start(
            "gunicorn", "recsite.wsgi", "--bind", f"127.0.0.1:{self.port}", "--workers", "2",
            "--worker-class", "gthread", "--threads", "4", "--no-control-socket",
        )  # fmt: skip
        wait_until(self.is_ready, 60)

    def is_ready(self) -> bool:
        try:
            return self.http.request("GET", "/health/ready", timeout=2).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def count(self, statement: str) -> int:
        with psycopg.connect(services.addresses(self.data).database_url) as link:
            return link.execute(statement).fetchone()[0]

    def open_jobs(self) -> int:
        return self.count("SELECT count(*) FROM recommender_job WHERE done_at IS NULL")

    def ask(self, method: str, path: str, body=None, token: str = "") -> urllib3.HTTPResponse:
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Token {token}"
        return self.http.request(
            method, f"/api/v1/{path}", body=json.dumps(body), headers=headers, timeout=30
        )

    def close(self) -> None:
        for process in self.running:
            kill(process)
        services.stop(lambda line: None, self.data)


def kill(process: subprocess.Popen) -> None:
    """The whole group at once, as a machine that loses power would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(holds, seconds: float) -> float:
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, f"{holds} did not come true in {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - begun


@pytest.fixture
def site(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowEncoder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:  # root's servers run as another user, who passes through
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o011)
    installation = Installation(tmp_path / "data", server.server_address[1])
    lines = [f'{n},"Kettle {n}",Kitchen' for n in range(ITEMS)]
    (tmp_path / "items.csv").write_text("\n".join(["id,title,categories", *lines]))
    installation.manage("load_catalog", str(tmp_path / "items.csv"), "--format", "csv")
    yield installation
    installation.close()
    server.shutdown()


def test_a_worker_killed_while_it_embeds_loses_no_item(site, monkeypatch):
    monkeypatch.setattr(SlowEncoder, "seconds", 1.0)
    site.start_relay()
    victim = site.start_worker()
    embedded = "SELECT count(*) FROM recommender_itemembedding"
    wait_until(lambda: site.count(embedded) > 0, 60)
    time.sleep(0.5)  # into the next batch
    kill(victim)
    assert 0 < site.count(embedded) < ITEMS
    monkeypatch.setattr(SlowEncoder, "seconds", 0.0)
    site.start_worker()
    took = wait_until(lambda: site.open_jobs() == 0, 150)
    assert took < 120
    assert site.count(embedded) == ITEMS
    assert site.count("SELECT count(*) FROM recommender_job WHERE parked_at IS NOT NULL") == 0
    site.manage("verify_invariants")


def test_with_valkey_away_for_a_minute_feedback_is_kept_and_its_work_is_done_later(site):
    site.manage("embed")
    site.start_web()
    site.start_relay()
    site.start_worker()
    account = {"email": "ann@example.org", "password": secrets.token_urlsafe(12)}
    token = json.loads(site.ask("POST", "auth/register/", account).data)["token"]
    items = json.loads(site.ask("GET", "items/?limit=100", token=token).data)["results"]
    services.stop(lambda line: None, site.data, names=["valkey"])
    gone_at = time.monotonic()

    def post(number: int) -> tuple[str, int, float]:
        time.sleep(max(0.0, gone_at + number * 0.1 - time.monotonic()))
        body = {"id": str(uuid.uuid4()), "item": items[number % 100]["id"], "kind": "view"}
        begun = time.monotonic()
        status = site.ask("POST", "feedback/", body, token).status
        return body["id"], status, time.monotonic() - begun

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, range(500)))
        lists = [site.ask("GET", "recommendations/", token=token).status for _ in range(5)]
    time.sleep(max(0.0, gone_at + 60 - time.monotonic()))
    services.start(lambda line: None, site.data)

    assert {status for _, status, _ in answers} == {201}
    assert lists == [200] * 5
    assert statistics.quantiles([seconds for *_, seconds in answers], n=100)[98] < 2
    wait_until(lambda: site.open_jobs() == 0, 120)
    with psycopg.connect(services.addresses(site.data).database_url) as link:
        kept = {str(row[0]) for row in link.execute("SELECT uuid FROM catalog_feedback")}
    assert kept == {posted for posted, _, _ in answers}
    site.manage("verify_invariants")


def test_a_broker_that_takes_calls_and_never_answers_delays_no_request(site):
    site.manage("embed")
    with socket.create_server(("127.0.0.1", 0)) as mute:  # listens, and never says a word
        site.env["REDIS_URL"] = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
        site.start_web()
        site.start_relay()
        account = {"email": "ann@example.org", "password": secrets.token_urlsafe(12)}
        token = json.loads(site.ask("POST", "auth/register/", account).data)["token"]
        item = json.loads(site.ask("GET", "items/?limit=1", token=token).data)["results"][0]
        slowest = 0.0
        for _ in range(50):
            begun = time.monotonic()
            answer = site.ask("POST", "feedback/", {"item": item["id"], "kind": "view"}, token)
            assert answer.status == 201
            assert site.ask("GET", "recommendations/", token=token).status == 200
            slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 2
