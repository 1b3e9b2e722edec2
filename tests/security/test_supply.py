"""What is installed is new enough and as it was required, and no secret is in the repository."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from django.db import connection
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
# The first versions without a known hole that matters here.
FLOORS = {
    "Django": "5.2.8",  # CVE-2025-64459, by _connector in a filter
    "djangorestframework": "3.16",
    "torch": "2.10",  # GHSA-63cw-57p8-fm3p, by weights_only
    "pillow": "12.2",
    "urllib3": "2.6",
    "gunicorn": "23.0",  # smuggled requests
}
SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    r"\bsk-[A-Za-z0-9_-]{20,}",
    r"\bxox[abpr]-[A-Za-z0-9-]{10,}",
    r"\b(?:rec|srv)_[A-Za-z0-9_-]{32,}",  # our own
    r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}",
    r"://[^/\s:@$%{<]+:[^/\s:@$%{<*…]{8,}@(?!127\.|localhost)[\w-]+\.\w",
    r"(?i)(?:secret_?key|api_?key|access_?token|password)[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/_=-]{32,}[\"']",
)


@pytest.mark.parametrize("package", FLOORS)
def test_a_package_is_not_older_than_its_last_hole(package):
    assert Version(version(package)) >= Version(FLOORS[package])


@pytest.mark.django_db
def test_pgvector_is_not_older_than_its_last_hole():
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        assert Version(cursor.fetchone()[0]) >= Version("0.8.4")


def test_every_requirement_is_pinned_and_is_what_is_installed():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            line = line.partition("#")[0].strip()
            if not line or line.startswith("-r "):
                continue
            found = re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.+-]+)(?:\s*;.*)?", line)
            assert found, f"{name}: {line} is not pinned"
            if ";" not in line:
                assert Version(version(found[1])).public == Version(found[2]).public, line


def secrets_in(text: str) -> list[str]:
    return [found[0] for pattern in SECRETS for found in re.finditer(pattern, text)]


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "rec_" + "0f" * 32,
        "SECRET_KEY = '" + "a1B2" * 10 + "'",
        "postgresql://medley:" + "correcthorse@db.example.org/x",
    ],
)
def test_what_looks_for_secrets_finds_them(text):
    assert secrets_in(f"before {text} after")


def test_no_secret_is_in_a_tracked_file():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    if not paths:
        pytest.skip("this is no checkout")
    found = {}
    for path in paths:
        if path.suffix not in (".png", ".mo", ".svg") and path.is_file():
            found[str(path.relative_to(ROOT))] = secrets_in(path.read_text(errors="replace"))
    assert {name: secrets for name, secrets in found.items() if secrets} == {}
