"""Workers are killed and Valkey is away, with real processes: work is late then, and never lost."""

import json
import secrets
import socket
import statistics
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from recommender.embeddings.hashing import HashingEncoder
from recsite.local import services
from tests.faults.installation import Installation, kill, wait_until

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


@pytest.fixture
def site(home):
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowEncoder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    installation = Installation(
        home,
        EMBEDDING_BACKEND="http",
        EMBEDDING_MODEL="slow",
        ENCODER_URL=f"http://127.0.0.1:{server.server_address[1]}/v1",
    )
    lines = [f'{n},"Kettle {n}",Kitchen' for n in range(ITEMS)]
    (home / "items.csv").write_text("\n".join(["id,title,categories", *lines]))
    installation.manage("load_catalog", str(home / "items.csv"), "--format", "csv")
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
    account = {"email": "ann@example.org", "password": secrets.token_urlsafe(12), "consent": True}
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
        account = {
            "email": "ann@example.org",
            "password": secrets.token_urlsafe(12),
            "consent": True,
        }
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
