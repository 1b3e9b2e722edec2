"""Where an installation of a test lies."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that root's servers, which run as another user, may pass through.

    Not pytest's: that one is closed to others again whenever another pytest begins.
    """
    with tempfile.TemporaryDirectory(prefix="medley-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
