"""Lists for files from outside, on a machine with nothing set up: `make lists`.

Starts what is missing, runs `manage.py recommend_files`, and stops what it has started.
"""

import os
import signal
import sys
from pathlib import Path

from recsite.local import services
from recsite.local.demo import model_commands
from recsite.local.processes import Ended, environment, raise_when_ended, run, undisturbed

WRONG_INPUT = 2
VARIABLES = {  # of make, with the option that each stands for
    "TRAIN": "--train",
    "VALID": "--valid",
    "ITEMS": "--items",
    "CANDIDATES": "--candidates",
    "OUT": "--out",
    "K": "--k",
    "DIVERSITY": "--diversity",
}
NEEDED = ("TRAIN", "ITEMS", "OUT")
READ = ("TRAIN", "VALID", "ITEMS", "CANDIDATES")
USAGE = (
    "make lists TRAIN=train.csv [VALID=valid.csv] ITEMS=items.csv [CANDIDATES=candidates.csv]"
    " OUT=lists.csv [K=20] [DIVERSITY=0]"
)


def main() -> int:
    given = {name: value for name in VARIABLES if (value := os.environ.get(name))}
    if wrong := problem(given):
        print(f"lists: {wrong}\n{USAGE}", file=sys.stderr)
        return WRONG_INPUT
    raise_when_ended()
    try:
        return make_lists(given)
    except Ended as ended:
        return ended.exit_status
    except RuntimeError as failure:
        print(f"lists: {failure}", file=sys.stderr)
        return 1


def problem(given: dict[str, str]) -> str:
    """What is wrong with the files, "" if nothing: asked before minutes of set-up."""
    if missing := [name for name in NEEDED if name not in given]:
        return f"{' and '.join(missing)} not given"
    absent = [given[name] for name in READ if name in given and not Path(given[name]).is_file()]
    return f"no file {', '.join(absent)}" if absent else ""


def make_lists(given: dict[str, str]) -> int:
    """The exit status of the first command that fails, or 0. Raises Ended; RuntimeError."""
    data = services.data_folder()
    with services.sole_use(data):
        started: list[str] = []
        try:
            # Undisturbed, or what was started would be unknown.
            with undisturbed():
                started = services.start(tell, data)
            # Every core for vectors alone: threads of numpy would only wait for each other.
            env = {"TORCH_THREADS": str(os.cpu_count() or 1)} | environment(data)
            for command in [*model_commands(data), ["recommend_files", *options(given)]]:
                status = run(
                    [sys.executable, "manage.py", *command], env=env, end_with=signal.SIGINT
                )
                if status != 0:
                    return status
            return 0
        finally:
            with undisturbed():
                services.stop(lambda line: None, data, started)


def options(given: dict[str, str]) -> list[str]:
    """What the command is given; paths from here, since it runs in the checkout."""
    numbers = ("K", "DIVERSITY")
    return [
        part
        for name, value in given.items()
        for part in (VARIABLES[name], value if name in numbers else str(Path(value).resolve()))
    ]


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
