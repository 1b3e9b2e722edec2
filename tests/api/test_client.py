"""A typed client is generated from the schema, and the example of the docs runs with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import embed_and_learn, make_item

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, **extra: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | extra,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_example_runs_with_the_client_that_the_schema_gives(live_server, tmp_path):
    for n in range(8):
        make_item(f"Slow ship {n}", description="science fiction", creator=f"Ann {n}")
    embed_and_learn()
    schema, client = tmp_path / "openapi.json", tmp_path / "medley_client"
    made = run("manage.py", "spectacular", "--format", "openapi-json", "--file", schema)
    assert made.returncode == 0, made.stderr
    made = run(
        *("-m", "openapi_python_client", "generate", "--path", schema, "--output-path", client),
        *("--meta", "none", "--config", "docs/examples/client.yaml"),
    )
    assert made.returncode == 0, made.stderr
    assert "WARNING" not in made.stdout + made.stderr  # of an operation that is left out
    done = run("docs/examples/client.py", live_server.url, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    *lines, refusal = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5"]
    assert all("Slow ship" in line for line in lines)
    assert refusal.startswith("limit: ")
