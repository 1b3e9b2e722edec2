"""Run other programs, say how long each took, and leave none of them behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from recsite.local.memory import CHECKOUT

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 15


class Ended(BaseException):
    """Somebody asked the whole run to end; not an Exception, so that nothing takes it for one."""

    def __init__(self, signal_number: int):
        self.exit_status = 128 + signal_number


def raise_when_ended() -> None:
    """Let Ctrl-C, a kill and a closed terminal all raise Ended."""

    def end(signal_number, frame):
        raise Ended(signal_number)

    for number in ENDINGS:
        signal.signal(number, end)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put off a request to end until what is inside is complete."""
    asked: list[int] = []
    # A function, not SIG_IGN, which programs started meanwhile would inherit.
    before = {n: signal.signal(n, lambda number, frame: asked.append(number)) for n in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise Ended(asked[0])


def environment(data: Path, **more: str) -> dict[str, str]:
    """What every child gets: the programs of this virtual environment, one data folder."""
    programs = str(Path(sys.executable).parent)
    quiet = "ignore:You're running the worker with superuser privileges"
    fixed = {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "MEDLEY_DATA": str(data),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), quiet])),
        "TOKENIZERS_PARALLELISM": "false",
    }
    # One thread a process: workers and web processes share the cores.
    return {"OMP_NUM_THREADS": "1"} | dict(os.environ) | fixed | more


def run(
    command: list[str],
    *,
    env: dict[str, str],
    end_with: signal.Signals = signal.SIGTERM,
    timeout_seconds: float | None = None,
) -> int:
    """Run a program in the checkout, and return its exit status, once all it started has ended.

    It has a session of its own: Ctrl-C reaches it through us, as `end_with`. A program over its
    time raises subprocess.TimeoutExpired.
    """
    child = subprocess.Popen(
        command, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return child.wait(timeout_seconds)
    finally:
        with undisturbed():
            _end_session(child, end_with)


def _end_session(child: subprocess.Popen, end_with: signal.Signals) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, end_with)
        while True:
            child.poll()
            os.killpg(child.pid, signal.SIGKILL if time.monotonic() > deadline else 0)
            time.sleep(0.05)


def say(line: str) -> None:
    print(f"      {line}", flush=True)


@contextlib.contextmanager
def step(number: int, of: int, what: str) -> Iterator[None]:
    """Print a numbered line before, and the time it took after."""
    print(f"[{number}/{of}] {what}", flush=True)
    began = time.monotonic()
    yield
    say(f"{time.monotonic() - began:.1f} s")
