"""Everything that must hold before a change is kept: `make test`, and with --all `make test-all`.

It has a data folder and servers of its own, so a demo that runs from the same checkout goes on.
"""

import argparse
import secrets
import signal
import sys
import time

from recsite.local import services
from recsite.local.browser import browser_environment
from recsite.local.processes import (
    Ended,
    environment,
    raise_when_ended,
    run,
    say,
    step,
    undisturbed,
)

MANAGE = [sys.executable, "manage.py"]
PARALLEL = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]


def checks(everything: bool, here: services.Addresses) -> list[tuple[list[str], dict[str, str]]]:
    """Each command with what it needs in its environment, in the order in which they run."""
    production = {
        "DATABASE_URL": here.database_url,
        "REDIS_URL": here.redis_url,
        "DEBUG": "False",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "example.org",
    }
    # A file stays with one process. What is slow loads the machine or measures it: one at a time.
    tests = [(["pytest", "-q", "-m", "not slow", *PARALLEL], {})]
    if everything:
        tests.append((["pytest", "-q", "-m", "slow"], {}))
    return [
        (["ruff", "check", "."], {}),
        (["ruff", "format", "--check", "."], {}),
        (["lint-imports"], {}),
        ([*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], production),
        ([*MANAGE, "makemigrations", "--check", "--dry-run"], {}),
        *tests,
    ]


def run_checks(everything: bool) -> int:
    """The exit status of the first check that fails, or 0."""
    data = services.data_folder() / "test"
    todo = checks(everything, services.addresses(data))
    began = time.monotonic()
    started = []
    with services.sole_use(data):
        try:
            with step(1, len(todo) + 2, "a browser for the browser tests"):
                browser = browser_environment()
                say(" ".join(f"{name}={value}" for name, value in browser.items()))
            # Undisturbed, or what was started would be unknown.
            with step(2, len(todo) + 2, f"services in {data}"), undisturbed():
                started = services.start(say, data)
            for number, (command, more) in enumerate(todo, start=3):
                said = " ".join(command).removeprefix(f"{sys.executable} ")
                with step(number, len(todo) + 2, said):
                    env = environment(data, **browser, **more)
                    status = run(command, env=env, end_with=signal.SIGINT)
                if status != 0:
                    print(f"FAILED: {' '.join(command)}", file=sys.stderr)
                    return 1
        finally:
            with undisturbed():
                services.stop(lambda line: None, data, started)
    print(f"all checks passed in {time.monotonic() - began:.0f} s")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="the slow tests too")
    everything = parser.parse_args().all
    raise_when_ended()
    try:
        return run_checks(everything)
    except Ended as ended:
        return ended.exit_status
    except RuntimeError as failure:
        print(f"checks: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
