"""What the import contracts in pyproject.toml cannot see."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_QUERY = {
    "recommender/jobs.py",
    "recommender/models.py",
    "recommender/admin.py",
    "catalog/services.py",
    "catalog/guests.py",
    "catalog/server_keys.py",
    "catalog/pictures/keep.py",
    "catalog/erasing.py",
    "catalog/exporting.py",
    "catalog/kept.py",
    "catalog/queries.py",
    "catalog/models.py",
    "catalog/admin.py",
    "catalog/accounts.py",
    "catalog/limits.py",
    "catalog/session_store.py",  # as the library's own does
    "recommender/querysets.py",
}
FOLDERS_THAT_QUERY = ("recommender/store/", "catalog/importers/")
FILES = [
    path
    for app in ("catalog", "recommender", "recsite")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_memory_writes_queries(path):
    name = str(path.relative_to(ROOT))
    if name not in MAY_QUERY and not name.startswith(FOLDERS_THAT_QUERY):
        text = path.read_text()
        assert ".objects" not in text
        assert "cursor.execute" not in text or name in {"recsite/checks.py", "recsite/health.py"}


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "recsite.settings"},
        capture_output=True,
        text=True,
    )


def test_a_web_process_does_not_load_torch():
    done = run(
        "import sys, recsite.wsgi; from django.urls import get_resolver;"
        "get_resolver().url_patterns;"
        "print([m for m in ('torch', 'transformers', 'jieba', 'pandas') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_import_contracts_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
