"""A process that is set up weakly does not start; what is served says how it may be used."""

import json
import os
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as ours
from django.test import Client

ROOT = Path(__file__).parents[2]
KEY = "".join(string.ascii_letters[n * 7 % 52] for n in range(64))  # of no installation
SERVICES = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PATH": os.environ["PATH"],
}
GOOD = {"SECRET_KEY": KEY, "ALLOWED_HOSTS": "medley.example"}
TELL = (
    "import json, recsite.wsgi; from django.conf import settings as s; print(json.dumps({n:"
    " getattr(s, n) for n in ('SESSION_COOKIE_NAME', 'CSRF_COOKIE_NAME', 'LANGUAGE_COOKIE_NAME',"
    " 'SESSION_COOKIE_SECURE', 'CSRF_COOKIE_SECURE', 'SESSION_COOKIE_HTTPONLY', 'SITE_URL',"
    " 'STAFF_TWO_FACTOR', 'SECURE_HSTS_SECONDS', 'SECRET_KEY_FALLBACKS', 'PASSWORD_HASHERS')}))"
)


def start(code: str = "import recsite.wsgi", **change: str) -> subprocess.CompletedProcess:
    """A web process of production."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=SERVICES | GOOD | change, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "x" * 64),
        ("SECRET_KEY", "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz0123456789"),
        ("SECRET_KEY_FALLBACKS", f"{KEY},short"),
        ("DEBUG", "True"),
        ("DEBUG", "yes"),
        ("ALLOWED_HOSTS", ""),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "medley.example,*"),
        ("ALLOWED_HOSTS", ".example"),
        ("DATABASE_URL", "mysql://x"),
        ("TRUSTED_PROXIES", "-1"),
    ],
)
def test_a_weak_setting_stops_the_start_and_is_named(name, value):
    done = start(**{name: value})
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert name in done.stderr.splitlines()[-1]


def test_production_has_strict_cookies_and_wants_codes():
    done = start(TELL, SECRET_KEY_FALLBACKS=KEY[::-1])
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "SESSION_COOKIE_NAME": "__Host-session",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "LANGUAGE_COOKIE_NAME": "__Host-language",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SITE_URL": "https://medley.example",
        "STAFF_TWO_FACTOR": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECRET_KEY_FALLBACKS": [KEY[::-1]],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.Argon2PasswordHasher"],
    }


@pytest.mark.parametrize("address", ["/sign-in/", "/api/v1/items/", "/api/docs/", "/operate/"])
def test_a_wrong_host_is_refused(db, address):
    answer = Client().get(address, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize(
    "address", ["/sign-in/", "/api/v1/items/", "/api/docs/", "/api/schema/", f"/{ours.ADMIN_PATH}"]
)
def test_every_answer_says_how_a_browser_may_use_it(db, address):
    answer = Client().get(address)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "object-src 'none'" in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]


def test_the_page_of_the_api_has_no_script_or_style_of_its_own(db):
    page = Client().get("/api/docs/").content.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert "<style" not in page
    assert "https://" not in page
    [script] = re.findall(r'src="(/api/docs/[^"]*)"', page)
    assert Client().get(script)["Content-Type"].startswith("application/javascript")
