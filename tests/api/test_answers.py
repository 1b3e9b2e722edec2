"""What every answer has: an id, who may keep it, gzip where that is safe. And what is logged."""

import gzip
import json
import logging
from datetime import date, timedelta
from uuid import UUID

import pytest

from catalog import request_id
from recommender import jobs, tasks
from recommender.models import Job
from recsite.logs import LineFormatter
from recsite.sunset import SUNSETS, Sunset
from tests.factories import give, make_item

pytestmark = pytest.mark.django_db
FORMAT = "{levelname} {name} {request_id} {message}"


@pytest.fixture
def lines() -> list[str]:
    """Lines of the log, as they are written while the test runs."""
    written: list[str] = []

    class Writer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    writer = Writer()
    writer.setFormatter(LineFormatter(FORMAT, style="{"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(writer)
    root.setLevel(logging.INFO)
    yield written
    root.removeHandler(writer)
    root.setLevel(level)


# --- the id of a request ------------------------------------------------------------------------


def test_each_answer_has_an_id_that_stands_in_the_lines_of_its_request(as_alice, lines):
    first, second = (as_alice.get("/api/v1/me/") for _ in range(2))
    ids = [answer["X-Request-ID"] for answer in (first, second)]
    assert ids[0] != ids[1]
    told = [line for line in lines if "recsite.requests" in line]
    assert [line.split()[2] for line in told] == ids


@pytest.mark.parametrize("path", ["/api/v1/nowhere/", "/nowhere", "/health/live", "/api/v1/me"])
def test_an_error_and_a_redirect_have_an_id_too(client, path):
    assert request_id.is_well_formed(client.get(path)["X-Request-ID"])


def test_the_id_of_a_proxy_is_kept_behind_one_and_only_if_it_is_well_formed(client, settings):
    given = "7f3a-proxy-0001"
    assert client.get("/health/live", headers={"X-Request-ID": given})["X-Request-ID"] != given
    settings.BEHIND_PROXY = True
    assert client.get("/health/live", headers={"X-Request-ID": given})["X-Request-ID"] == given
    for forged in ("a" * 65, "two words here", "short", "<script>alert(1)</script>"):
        answer = client.get("/health/live", headers={"X-Request-ID": forged})
        assert answer["X-Request-ID"] != forged


def test_a_job_carries_the_id_of_the_request_that_caused_it_into_its_lines(
    as_alice, alice, lines, monkeypatch
):
    item = make_item("kettle")
    answer = as_alice.post(
        "/api/v1/feedback/", {"item": str(item.uuid), "kind": "like"}, format="json"
    )
    job = Job.objects.get(kind="learn", key=alice.pk)
    assert job.cause == answer["X-Request-ID"]
    tasks.work([job.pk], lambda _: logging.getLogger("learn").info("done"))
    [line] = [line for line in lines if line.endswith(" learn " + job.cause + " done")]
    assert line.startswith("INFO")


def test_work_that_no_request_caused_has_no_id(db):
    jobs.request("learn", [1])
    assert Job.objects.get(kind="learn", key=1).cause == ""


# --- what is logged -----------------------------------------------------------------------------


def test_a_line_tells_the_route_and_not_what_was_asked(as_alice, lines):
    item = make_item("kettle")
    as_alice.get(f"/api/v1/items/{item.uuid}/?x=secret-word")
    as_alice.get("/api/v1/search/?q=secret-word")
    told = [line for line in lines if "recsite.requests" in line]
    assert all("GET api/v1/" in line for line in told)
    assert not any("secret-word" in line or str(item.uuid) in line for line in told)


def test_no_line_holds_an_e_mail_address_a_token_or_a_full_address(lines):
    token = "rec_" + "0a1b" * 16
    try:
        raise ValueError(f"ann@example.org with {token} from 203.0.113.9 and 2001:db8:7::9")
    except ValueError:
        logging.getLogger("any").exception("refused bob@example.org")
    [line] = lines
    assert "Traceback" in line
    for part in ("ann@", "bob@", token, "203.0.113.9", "2001:db8:7"):
        assert part not in line


# --- who may keep an answer ---------------------------------------------------------------------


def is_kept_by_nobody(answer) -> bool:
    vary = {name.strip().lower() for name in answer.get("Vary", "").split(",")}
    return answer["Cache-Control"] == "private, no-store" and {"authorization", "cookie"} <= vary


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/me/",
        "/api/v1/recommendations/",
        "/api/v1/feedback/",
        "/api/v1/recommendations/?limit=0",  # 400
        "/api/v1/me/?x=1",
        "/api/v1/me/style.css",  # 404, and no list that a cache would take for a style sheet
        "/api/v1/me",  # redirect
    ],
)
def test_what_is_personal_is_kept_by_no_cache_errors_and_redirects_too(as_alice, path):
    assert is_kept_by_nobody(as_alice.get(path))


@pytest.mark.parametrize("path", ["/", "/account/", "/account", "/account/x.css", "/sign-in/"])
def test_no_cache_keeps_a_page_of_the_site(client, alice, path):
    client.force_login(alice)
    answer = client.get(path)
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert "cookie" in answer["Vary"].lower()


def test_without_a_token_nothing_is_kept_either(client):
    answer = client.get("/api/v1/recommendations/")
    assert answer.status_code == 401
    assert is_kept_by_nobody(answer)


# --- compression --------------------------------------------------------------------------------


def test_an_answer_of_the_api_is_compressed_for_who_can_read_it(as_alice, alice):
    for n in range(10):
        give(alice, make_item(f"kettle {n}"))
    plain = as_alice.get("/api/v1/feedback/")
    small = as_alice.get("/api/v1/feedback/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain
    assert small["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.content) == plain.content
    assert len(small.content) < len(plain.content) / 2
    assert "accept-encoding" in plain["Vary"].lower()


def test_the_length_of_a_compressed_answer_has_chance_in_it(as_alice, alice):
    for n in range(10):
        give(alice, make_item(f"kettle {n}"))
    answers = [
        as_alice.get("/api/v1/feedback/", headers={"Accept-Encoding": "gzip"}) for _ in range(30)
    ]
    assert len({len(answer.content) for answer in answers}) > 1


def test_an_answer_that_holds_a_token_is_never_compressed(client):
    answer = client.post("/api/v1/auth/guest/", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 201
    assert "Content-Encoding" not in answer


def test_a_page_of_the_site_is_never_compressed(client):
    answer = client.get("/sign-in/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer


# --- what goes ----------------------------------------------------------------------------------


def test_what_goes_says_when_in_each_answer_and_nothing_else_does(as_alice, monkeypatch):
    going = Sunset(date(2026, 1, 1), date(2026, 10, 1))
    monkeypatch.setitem(SUNSETS, "api-items", going)
    answer = as_alice.get("/api/v1/items/")
    assert answer["Deprecation"] == "@1767225600"
    assert answer["Sunset"] == "Thu, 01 Oct 2026 00:00:00 GMT"
    assert 'rel="deprecation"' in answer["Link"]
    assert "Sunset" not in as_alice.get("/api/v1/me/")
    assert "Sunset" not in as_alice.get("/api/v1/nowhere/")


def test_half_a_year_lies_between_a_notice_and_its_sunset():
    assert all(s.gone - s.deprecated >= timedelta(days=182) for s in SUNSETS.values())


# --- the language of messages -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/nowhere/", None),
        ("GET", f"/api/v1/items/{UUID(int=7)}/", None),
        ("GET", "/api/v1/items/?limit=0", None),
        ("GET", "/api/v1/items/?ordering=price", None),
        ("GET", "/api/v1/items/?cursor=x", None),
        ("GET", "/api/v1/items/?fields=x", None),
        ("GET", "/api/v1/items/?page=2", None),
        ("GET", "/api/v1/items/?filter=x", None),
        ("GET", "/api/v1/categories/nowhere/", None),
        ("GET", "/api/v1/recommendations/?scenario=nowhere", None),
        ("GET", "/api/v1/recommendations/?cursor=x", None),
        ("GET", "/api/v1/recommendations/?diversity=1&budget=1", None),
        ("GET", "/api/v1/recommendations/?exclude=7", None),
        ("GET", f"/api/v1/recommendations/?items={UUID(int=7)}", None),
        ("GET", "/api/v1/home/?scenarios=home,home", None),
        ("GET", "/api/v1/home/?scenarios=a,b,c,d,e,f,g", None),
        ("PUT", "/api/v1/feedback/", {}),
        ("POST", "/api/v1/feedback/", {"item": str(UUID(int=7)), "kind": "like"}),
        ("POST", "/api/v1/feedback/", []),
        ("POST", "/api/v1/feedback/", {"item": "7", "kind": "adore"}),
        ("PATCH", "/api/v1/me/", {"preset": "chronological", "novelty": 1}),
        ("POST", "/api/v1/me/steering/", {"action": "more", "kind": "topic", "target": "x"}),
        ("POST", "/api/v1/impressions/", {"list": str(UUID(int=7)), "positions": [0]}),
    ],
)
def test_each_error_comes_in_chinese_for_who_asks_in_chinese(as_alice, method, path, body):
    english, chinese = (
        as_alice.generic(
            method,
            path,
            "" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Accept-Language": language},
        )
        for language in ("en", "zh-CN")
    )
    assert english.status_code == chinese.status_code >= 400
    assert chinese["Content-Language"] == "zh-hans"
    first, second = english.json(), chinese.json()
    assert first["type"] == second["type"]
    for text in ("title", "detail"):
        assert first[text].isascii() or "“" in first[text]
        assert any("\u4e00" <= c <= "\u9fff" for c in second[text]), second


def test_who_is_not_signed_in_is_told_so_in_chinese(client):
    answer = client.get("/api/v1/me/", headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 401
    assert any("\u4e00" <= c <= "\u9fff" for c in answer.json()["detail"])
