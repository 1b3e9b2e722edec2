"""An installation of a test's own: a data folder, its servers, and real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import urllib3

from recsite.local import services
from recsite.local.memory import CHECKOUT
from recsite.local.processes import environment

# One address asks more often than any person does.
UNLIMITED = {"API_CALLS_A_MINUTE": "0", "API_CALLS_A_MINUTE_FROM_ONE_ADDRESS": "0"}


class Installation:
    """A data folder with its own servers, and the processes that a test starts."""

    def __init__(self, home: Path, **env: str) -> None:
        self.data, self.port = home / "data", free_port()
        self.running: list[subprocess.Popen] = []
        self.env = environment(self.data, **UNLIMITED | env)
        for name in ("DATABASE_URL", "REDIS_URL"):
            self.env.pop(name, None)
        services.start(lambda line: None, self.data)
        self.manage("migrate", "--verbosity", "0")
        self.http = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=8, retries=False)

    def manage(self, *command: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=CHECKOUT, env=self.env, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip

    def start(self, *command: str) -> subprocess.Popen:
        module = [] if command[0].endswith(".py") else ["-m"]
        with (self.data / f"{len(self.running)}.log").open("w") as log:  # the process keeps its own
            process = subprocess.Popen(
                [sys.executable, *module, *command],
                cwd=CHECKOUT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def log_of(self, process: subprocess.Popen) -> Path:
        return self.data / f"{self.running.index(process)}.log"

    def start_worker(self, queue: str | None = None) -> subprocess.Popen:
        """One that takes a queue alone, or all."""
        chosen = ["-Q", queue, "-n", f"{queue}@%h"] if queue else []
        return self.start("celery", "-A", "recsite", "worker", "--concurrency", "1", *chosen)

    def start_relay(self) -> subprocess.Popen:
        return self.start("manage.py", "relay")

    def start_web(self) -> None:
        self.start(
            "gunicorn", "recsite.wsgi", "--bind", f"127.0.0.1:{self.port}", "--workers", "2",
            "--worker-class", "gthread", "--threads", "4", "--keep-alive", "75",
            "--no-control-socket",
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
