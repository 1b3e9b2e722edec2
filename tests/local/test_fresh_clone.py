"""A stranger's first minutes: a copy of the checkout, an empty home, one command."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from recsite.local import memory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def clone():
    """What git knows or would add, as it is now, in a folder that every user may enter."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=memory.CHECKOUT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    with tempfile.TemporaryDirectory(prefix="medley-clone-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for path in filter(None, listed.stdout.split("\0")):
            if (memory.CHECKOUT / path).is_file():
                (folder / "medley" / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(memory.CHECKOUT / path, folder / "medley" / path)
        (folder / "home").mkdir()
        yield folder


def make_demo(clone: Path) -> tuple[str, float]:
    ours = (*memory.PORT_VARIABLES.values(), "PORT", "MEDLEY_DATA", "DATABASE_URL", "REDIS_URL")
    model = ("EMBEDDING_MODEL", "EMBEDDING_BACKEND", "VIRTUAL_ENV", "DJANGO_SETTINGS_MODULE")
    env = {k: v for k, v in os.environ.items() if k not in (*ours, *model)}
    began = time.monotonic()
    done = subprocess.run(
        ["make", "demo", "CHECK=1"],
        cwd=clone / "medley",
        env=env | {"HOME": str(clone / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout, time.monotonic() - began


def test_one_command_leads_to_a_list_and_the_second_time_in_seconds(clone):
    first, _ = make_demo(clone)
    second, seconds = make_demo(clone)
    for output in (first, second):
        assert re.findall(r"^(\d+) ", output, re.MULTILINE) == [str(n + 1) for n in range(20)]
        assert "diversity of this list" in output
    assert "Installing" in first
    assert "Installing" not in second
    assert seconds < 90
    here = str(clone)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        assert here not in command
