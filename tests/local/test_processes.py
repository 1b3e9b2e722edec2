"""Programs that are run for a while: none outlives its run, however it is asked to end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsite.local import memory, processes
from recsite.local.processes import Ended, environment, raise_when_ended, run, undisturbed

A_CHILD_THAT_STAYS = "sleep 61.5 & echo $! > {file}; {then}"


@pytest.fixture
def handlers():
    """Give pytest its own signal handlers back."""
    before = {number: signal.getsignal(number) for number in processes.ENDINGS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def stays_alive(pid: int) -> bool:
    """A signalled process is gone once the machine finds the time to end it."""
    deadline = time.monotonic() + 5
    while is_alive(pid):
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False


def is_alive(pid: int) -> bool:
    try:
        return "(sleep) Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_the_exit_status_comes_back():
    assert run(["sh", "-c", "exit 7"], env=dict(os.environ)) == 7


def test_what_a_program_leaves_behind_is_ended(tmp_path):
    script = A_CHILD_THAT_STAYS.format(file=tmp_path / "pid", then="exit 0")
    assert run(["sh", "-c", script], env=dict(os.environ)) == 0
    assert not stays_alive(int((tmp_path / "pid").read_text()))


def test_what_ignores_the_request_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE_SECONDS", 0.2)
    script = "trap '' TERM; " + A_CHILD_THAT_STAYS.format(file=tmp_path / "pid", then="wait")
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", script], env=dict(os.environ), timeout_seconds=0.5)
    assert not stays_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("number", processes.ENDINGS, ids=lambda number: number.name)
def test_a_request_to_end_reaches_the_program_and_its_children(tmp_path, number):
    script = A_CHILD_THAT_STAYS.format(file=tmp_path / "pid", then="wait")
    code = (
        "import os, sys; from recsite.local.processes import *; raise_when_ended()\n"
        "try: run(['sh', '-c', sys.argv[1]], env=dict(os.environ))\n"
        "except Ended as ended: sys.exit(ended.exit_status)"
    )
    runner = subprocess.Popen([sys.executable, "-c", code, script], cwd=memory.CHECKOUT)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    runner.send_signal(number)
    assert runner.wait(20) == 128 + number
    assert not stays_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.usefixtures("handlers")
def test_a_request_to_end_waits_for_what_must_be_complete():
    raise_when_ended()
    done = []

    def be_interrupted_in_the_middle():
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("complete")

    with pytest.raises(Ended) as ended:
        be_interrupted_in_the_middle()
    assert done == ["complete"]
    assert ended.value.exit_status == 130


def test_children_find_our_programs_first_and_the_folder_by_its_whole_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin")
    env = environment(tmp_path, PORT="8001")
    assert env["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"
    assert env["MEDLEY_DATA"] == str(tmp_path)
    assert env["PORT"] == "8001"


def test_one_thread_a_process_unless_somebody_decided_otherwise(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert environment(tmp_path)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert environment(tmp_path)["OMP_NUM_THREADS"] == "8"
