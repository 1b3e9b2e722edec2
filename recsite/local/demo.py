"""The whole site on this machine, in the foreground, until Ctrl-C: `make demo`.

Every step is a management command that does nothing when nothing is to do, so a second run starts
in seconds. With --check it asks the running site for one list, prints it, and ends.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from recsite.local import services
from recsite.local.memory import CHECKOUT
from recsite.local.processes import (
    Ended,
    environment,
    raise_when_ended,
    run,
    say,
    step,
    undisturbed,
)

PORT = 8000
CHECK_FILMS = 2000
LIST_LENGTH = 20
READY_TIMEOUT_SECONDS = 180
REQUEST_TIMEOUT_SECONDS = 30
PERSON = "demo@medley.example"
OPERATOR = "operator@medley.example"


class Failure(Exception):
    """The demo cannot go on; its text says why, and where there is a remedy, which."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="print one list, then end")
    check = parser.parse_args().check
    raise_when_ended()
    try:
        demo(check)
    except Ended as ended:
        print("ended", flush=True)
        return ended.exit_status
    except (Failure, RuntimeError) as failure:
        print(f"\ndemo: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


def demo(check: bool) -> None:
    """Set up what is missing, then serve. Raises Ended; Failure or RuntimeError say why not."""
    data = services.data_folder()
    with services.sole_use(data):
        port = site_port(may_move=check)
        commands = set_up_commands(data, check)
        last = len(commands) + 2
        started: list[str] = []
        try:
            # Undisturbed, or what was started would be unknown.
            with step(1, last, f"PostgreSQL and Valkey in {data}"), undisturbed():
                started = services.start(say, data)
            if not services.is_free(services.addresses(data).encoder_port):
                services.move_port("encoder", data)
            env = environment(data, PORT=str(port))
            # Set-up has the machine to itself: a second core halves the time of the vectors.
            alone = {"TORCH_THREADS": str(os.cpu_count() or 1)} | env
            for number, (what, command) in enumerate(commands, start=2):
                with step(number, last, what):
                    status = run([sys.executable, "manage.py", *command], env=alone)
                if status != 0:
                    raise Failure(f"`manage.py {shlex.join(command)}` ended with status {status}")
            print(f"[{last}/{last}] processes of the Procfile", flush=True)
            serve(env, data, port, check)
        finally:
            with undisturbed():
                services.stop(print, data, started)


def site_port(may_move: bool) -> int:
    """PORT, else 8000; a check that names no port takes a free one where 8000 is taken."""
    asked = os.environ.get("PORT", "")
    if asked and not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 65_535):
        raise Failure(f"PORT={asked!r}: use a number from 1 to 65535")
    port = int(asked or PORT)
    if services.is_free(port):
        return port
    if may_move and not asked:
        return services.choose_port()
    raise Failure(f"port {port} is taken: make demo PORT={port + 1}")


def set_up_commands(data: Path, check: bool) -> list[tuple[str, list[str]]]:
    films = ["--films", str(CHECK_FILMS)] if check else []
    commands = [
        ("tables", ["migrate", "--no-input", "--verbosity", "0"]),
        ("the lists of the site", ["scenarios", "load", "--preset", "video", "--missing"]),
        ("films and their ratings", ["load_demo", *films]),
        ("a vector for every film", ["embed"]),
        ("interests, neighbours, popularity", ["learn"]),
    ]
    commands[1:1] = [("the language model", command) for command in model_commands(data)]
    return commands


def model_commands(data: Path) -> list[list[str]]:
    """The command that installs the model, if one is needed and not given as a folder."""
    model = os.environ.get("EMBEDDING_MODEL", "")
    is_folder = model and (Path(model).is_dir() or (data / "models" / model).is_dir())
    if os.environ.get("EMBEDDING_BACKEND", "transformers") != "transformers" or is_folder:
        return []
    return [["install_model", *filter(None, [model])]]


# --- The processes ------------------------------------------------------------------------------


class Supervisor(Manager):
    """Honcho's, which also survives an early signal, and ends what outlives its parent."""

    def terminate(self) -> None:
        # A process whose number is not known yet cannot be ended yet.
        if self._all_started():
            super().terminate()
        else:
            later = threading.Timer(0.1, self.terminate)
            later.daemon = True
            later.start()

    def end_stragglers(self) -> None:
        """Each process leads a group; a pool's children may outlive a leader that was killed."""
        for process in self._processes.values():
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.killpg(process["pid"], signal.SIGKILL)

    @property
    def is_ending(self) -> bool:
        return self._terminating


def serve(env: dict[str, str], data: Path, port: int, check: bool) -> None:
    """Run the Procfile until a signal, the end of the check, or the end of any process."""
    procfile = parse_procfile((CHECKOUT / "Procfile").read_text())
    log = data / "demo.log"
    with open(log, "w") if check else contextlib.nullcontext(sys.stdout) as output:
        supervisor = Supervisor(Printer(output))
        for name, command in procfile.processes.items():
            supervisor.add_process(name, command, env=env, cwd=str(CHECKOUT))
        failures: list[str] = []
        finished = threading.Event()

        def look() -> None:
            try:
                wait_until_ready(port, lambda: supervisor.is_ending)
                if check:
                    print_one_list(port, accounts(data)[PERSON])
                    finished.set()
                else:
                    print(welcome(port, accounts(data)), flush=True)
            except Failure as failure:
                failures.append(str(failure))
            if failures or check:
                supervisor.terminate()

        threading.Thread(target=look, daemon=True).start()
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        try:
            supervisor.loop()  # SIGINT and SIGTERM are its own from here on
        finally:
            with undisturbed():
                supervisor.end_stragglers()
    raise_when_ended()
    ended_by = {130: signal.SIGINT, 143: signal.SIGTERM}.get(supervisor.returncode)
    if finished.is_set():
        return
    if ended_by and not failures:
        raise Ended(ended_by)
    reason = failures[0] if failures else "a process ended by itself, so the others were ended too"
    if check:
        last_lines = log.read_text(errors="replace").splitlines()[-30:]
        reason = "\n".join([reason, f"last lines of {log}:", *last_lines])
    raise Failure(reason)


def accounts(data: Path) -> dict[str, str]:
    """The password of each demo account by its e-mail, as load_demo wrote them down."""
    path = data / "demo-accounts.txt"
    try:
        found = {line.split()[0]: line.split()[1] for line in path.read_text().splitlines() if line}
    except (OSError, IndexError) as error:
        raise Failure(f"{path} does not tell the accounts: {error}") from None
    if missing := {PERSON, OPERATOR} - found.keys():
        raise Failure(f"{path} has no {', '.join(sorted(missing))}")
    return found


def welcome(port: int, passwords: dict[str, str]) -> str:
    site = f"http://127.0.0.1:{port}"
    lines = [
        f"Medley is ready   {site}/",
        f"a person          {PERSON}  {passwords[PERSON]}",
        f"an operator       {OPERATOR}  {passwords[OPERATOR]}",
        f"admin, API        {site}/{os.environ.get('ADMIN_PATH', 'operate/')}  {site}/api/docs/",
        "Ctrl-C ends it",
    ]
    width = max(map(len, lines))
    edge = "─" * (width + 2)
    return "\n".join([f"┌{edge}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{edge}┘"])


# --- The check ----------------------------------------------------------------------------------


def wait_until_ready(port: int, is_ending: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    answer = "nothing answered"
    while time.monotonic() < deadline and not is_ending():
        try:
            ask(port, "/health/ready")
        except Failure as failure:
            answer = str(failure)
            time.sleep(0.3)
        else:
            return
    if not is_ending():
        raise Failure(f"not ready after {READY_TIMEOUT_SECONDS} s: {answer}")


def ask(port: int, path: str, *, token: str = "", body: dict | None = None) -> dict:
    """The JSON of a 200; everything else is a Failure with the status and the answer's start."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Accept": "application/json", "Content-Type": "application/json"}
        | ({"Authorization": f"Token {token}"} if token else {}),
    )
    # Without a proxy: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT_SECONDS) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        start = error.read(500).decode(errors="replace")
        raise Failure(f"{path} answered {error.code}: {start}") from None
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {error}") from None


def print_one_list(port: int, password: str) -> None:
    login = ask(port, "/api/v1/auth/login/", body={"email": PERSON, "password": password})
    path = f"/api/v1/recommendations/?limit={LIST_LENGTH}"
    answer = ask(port, path, token=login["token"])
    rows = answer.get("results", [])
    print(table(rows), flush=True)
    print("diversity of this list:")
    for name, value in answer.get("diversity", {}).items():
        print(f"  {name.replace('_', ' '):<28} {value}")
    sys.stdout.flush()
    if len(rows) != LIST_LENGTH:
        raise Failure(f"{path} showed {len(rows)} items instead of {LIST_LENGTH}")


def table(rows: list[dict]) -> str:
    """Rank, title, categories, relevance and reason, one line each."""
    widths = {"rank": 4, "title": 38, "categories": 30, "relevance": 9, "reason": 60}
    lines = ["  ".join(name.ljust(width) for name, width in widths.items()).rstrip()]
    for row in rows:
        names = ", ".join(category["name"] for category in row["item"]["categories"])
        reason = row["reason"]["text"] if row["reason"] else ""
        cells = [row["rank"], row["item"]["title"], names, row["relevance"], reason]
        short = [
            textwrap.shorten(str(cell), width, placeholder="…").ljust(width)
            for cell, width in zip(cells, widths.values(), strict=True)
        ]
        lines.append("  ".join(short).rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
