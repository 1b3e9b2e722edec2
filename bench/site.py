"""The site as benches need it: a database of its own, its web processes, and their memory."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import urllib3
from honcho.environ import parse_procfile

from recsite.local.memory import CHECKOUT

READY_SECONDS = 60


@contextlib.contextmanager
def scratch_database() -> Iterator[str]:
    """A database of its own beside the one of the site, dropped in the end.

    Before Django is loaded, whose settings take the address from the environment once.
    """
    from recsite.local import services

    admin = os.environ.get("DATABASE_URL") or services.addresses().database_url
    name = f"medley_bench_{os.getpid()}"
    with psycopg.connect(admin, autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}")
    parts = urlsplit(admin)
    os.environ["DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{name}"))
    try:
        yield os.environ["DATABASE_URL"]
    finally:
        with psycopg.connect(admin, autocommit=True) as link:
            link.execute(f"DROP DATABASE {name} WITH (FORCE)")


def kept_database(name: str, fill: Callable[[str], None]) -> str:
    """The address of a database that was filled once and is kept; one half filled is made anew.

    fill  is given the address
    """
    from recsite.local import services

    admin = os.environ.get("DATABASE_URL") or services.addresses().database_url
    url = urlunsplit(urlsplit(admin)._replace(path=f"/{name}"))
    with psycopg.connect(admin, autocommit=True) as link:
        kept = link.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s"
            " AND shobj_description(oid, 'pg_database') = 'filled'",
            [name],
        ).fetchone()
        if not kept:
            link.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            link.execute(f"CREATE DATABASE {name}")
            fill(url)
            link.execute(f"COMMENT ON DATABASE {name} IS 'filled'")
    return url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def web(port: int, command: str = "", **environment: str) -> Iterator[subprocess.Popen]:
    """The web processes as the Procfile starts them, without limits on calls; or by a command."""
    command = command or parse_procfile((CHECKOUT / "Procfile").read_text()).processes["web"]
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=CHECKOUT,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PORT": str(port),
            "LOG_LEVEL": "WARNING",
            "GUNICORN_CMD_ARGS": "--log-level warning",
            "DATABASE_POOL": "True",
            "API_CALLS_A_MINUTE": "0",
            "API_CALLS_A_MINUTE_FROM_ONE_ADDRESS": "0",
        }
        | environment,
    )
    try:
        _wait_until_ready(process, port)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(process: subprocess.Popen, port: int) -> None:
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, retries=False)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", "/health/ready").status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the web processes are not ready after {READY_SECONDS} s")


def workers(parent: int) -> list[int]:
    """Ids of the processes below one: those that answer; itself if there are none."""
    below = [
        int(pid)
        for pid in os.listdir("/proc")
        if pid.isdigit() and _status(pid).get("PPid") == str(parent)
    ]
    return below or [parent]


def megabytes(parent: int) -> float:
    """Resident memory of all workers."""
    return sum(int(_status(str(pid))["VmRSS"].split()[0]) for pid in workers(parent)) / 1024


def _status(pid: str) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status") as lines:
            return {line.split(":")[0]: line.split(":", 1)[1].strip() for line in lines}
    except OSError:
        return {}
