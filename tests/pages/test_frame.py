"""What all pages share: language, escaping, security headers, errors."""

import ast
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.template.loader import render_to_string
from django.test import Client

from catalog.models import Category
from recommender import embed
from tests.factories import give, make_item

ROOT = Path(__file__).parents[2]
PAYLOADS = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "{{ 7|add:7 }}{% debug %}",
    "</title><svg onload=alert(1)>",
]


def all_pages(item) -> list[str]:
    return ["/", f"/items/{item.uuid}/", "/search/", "/search/?q=alert", "/account/"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_item_text_is_text_on_every_page(web, alice, payload):
    item = make_item(payload, description=payload, creator=payload, categories=["odd"])
    Category.objects.update(names={"en": payload})
    embed.embed_everything()
    alice.name = payload[:100]
    alice.save()
    give(alice, make_item(f"{payload} too"))
    embed.embed_everything()
    for address in [*all_pages(item), "/search/?q=" + payload]:
        page = web.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert ">14<" not in page
    page = web.post(
        "/feedback/",
        {"id": str(item.uuid), "item": str(item.uuid), "kind": "like"},
        headers={"HX-Request": "true"},
    ).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_pages_hold_no_inline_script_style_or_handler(web, alice, films):
    give(alice, films[0])
    for address in [*all_pages(films[1]), "/nothing/"]:
        page = web.get(address).content.decode()
        assert not re.search(r"<[^>]*\s(style|on\w+)\s*=", page)
        assert not re.search(r"<script(?![^>]*\ssrc=)", page)
        assert "<style" not in page
        assert "https://" not in re.sub(r"<a [^>]*>", "", page)


def test_the_policy_allows_own_files_and_the_nonce_alone(web, films):
    response = web.get("/")
    policy = response["Content-Security-Policy"]
    # The directives stand in no fixed order: it follows the hash seed of the process.
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    nonce = re.search(r"'nonce-([^']+)'", policy)[1]
    assert directives["script-src"] == f"'self' 'nonce-{nonce}'"
    assert directives["style-src"] == "'self'"
    assert "unsafe" not in policy
    scripts = re.findall(r"<script [^>]*>", response.content.decode())
    assert len(scripts) == 3
    assert all(f'nonce="{nonce}"' in script for script in scripts)


def test_htmx_evaluates_nothing_and_adds_no_styles(web, films):
    page = web.get("/").content.decode()
    assert '"allowEval": false' in page
    assert '"includeIndicatorStyles": false' in page


def test_each_page_has_its_language_a_skip_link_and_one_first_heading(web, alice, films):
    give(alice, films[0])
    for address in [*all_pages(films[1]), "/nothing/"]:
        page = web.get(address).content.decode()
        assert '<html lang="en">' in page
        assert address == "/nothing/" or '<a class="skip" href="#main">' in page
        levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


def test_the_language_is_switched_by_post_and_kept(web, films):
    page = web.post("/language/", {"language": "zh-hans", "next": "/"}, follow=True)
    text = page.content.decode()
    assert '<html lang="zh-hans">' in text
    for words in ("为您推荐", "最合我的口味", "更多样", "喜欢", "隐藏", "个类别"):
        assert words in text
    assert "English" in text
    assert "为您推荐" in web.get("/").content.decode()


def test_the_language_switch_never_leaves_the_site(web):
    response = web.post("/language/", {"language": "en", "next": "https://evil.test/"})
    assert response["Location"] == "/"


def test_categories_and_reasons_are_in_the_language_of_the_page(alice, web, films):
    Category.objects.filter(slug="crime").update(names={"en": "Crime", "zh": "犯罪"})
    give(alice, films[0])
    page = web.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).content.decode()
    assert ">犯罪</li>" in page
    assert re.search("与您喜欢的“.*”相似", page)


CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}


def strings_of_code(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in CALLS
        if call.args and isinstance(call.args[0], ast.Constant)
    }


def strings_of_template(path: Path) -> set[str]:
    text = path.read_text()
    plain = re.findall(r"""{% trans (["'])(.*?)\1 %}""", text)
    blocks = re.findall(r"{% blocktrans.*?%}(.*?){% endblocktrans %}", text)
    blocks = [re.sub(r"{{ (\w+) }}", r"%(\1)s", block.replace("%", "%%")) for block in blocks]
    return {string for _quote, string in plain} | set(blocks)


def test_every_string_has_a_chinese_translation():
    """If it fails: makemessages -l zh_Hans --no-location, translate, compilemessages."""
    wanted = set()
    for app in ("catalog", "recommender", "recsite"):
        for path in (ROOT / app).rglob("*.py"):
            wanted |= strings_of_code(path)
    for path in (ROOT / "templates").rglob("*.html"):
        wanted |= strings_of_template(path)
    with open(ROOT / "locale/zh_Hans/LC_MESSAGES/django.mo", "rb") as file:
        known = GNUTranslations(file)._catalog
    singular = {key[0] if isinstance(key, tuple) else key for key, text in known.items() if text}
    assert len(wanted) > 200
    assert wanted - singular == set()


def test_an_unknown_address_has_a_page(visitor):
    response = visitor.get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_the_page_of_last_resort_needs_no_request_and_no_database():
    page = render_to_string("500.html")
    assert "Something went wrong" in page
    assert "medley.css" in page


def test_a_database_that_is_down_has_a_page_without_asking_it(web):
    def down(*_):
        raise OperationalError("down")

    with connection.execute_wrapper(down):
        response = web.get("/")
    assert response.status_code == 503
    assert "Please try again in a moment." in response.content.decode()


def test_a_crash_shows_no_detail(films, monkeypatch):
    def crash(*_, **__):
        raise RuntimeError("a secret")

    monkeypatch.setattr("recommender.store.person_side", crash)
    response = Client(raise_request_exception=False).get("/")
    assert response.status_code == 500
    assert "a secret" not in response.content.decode()


def test_a_picture_for_the_tab_is_served(visitor):
    response = visitor.get("/static/favicon.svg")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("image/svg+xml")
