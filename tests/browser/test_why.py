""" "Why this?" opens in place, by keyboard too, on a phone and in the dark."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_pages import FAINT, SMALL
from tests.factories import give

WIDTH = "document.documentElement.scrollWidth"


def opened(page: Page) -> None:
    """The first card that names a like, with its disclosure opened by keyboard."""
    summary = page.locator(".card .why summary").first
    summary.focus()
    with page.expect_response(lambda response: "/why/" in response.url):
        page.keyboard.press("Enter")
    expect(page.locator(".why[open] .points .sum").first).to_be_visible()


def test_it_opens_without_a_reload_and_is_fetched_once(open_page, alice, films):
    give(alice, films[0])
    page = open_page("/", person=alice)
    page.evaluate("window.marked = true")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/why/" in request.url else 0)
    opened(page)
    card = page.locator(".card").first
    assert card.locator(".match").inner_text() == f"match {card.locator('.sum b').inner_text()} %"
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    for _ in range(2):
        page.keyboard.press("Enter")
    assert page.evaluate("window.marked") is True
    assert len(asked) == 1


def test_without_javascript_it_leads_to_a_page(open_page, alice, films):
    page = open_page("/", person=alice, java_script_enabled=False)
    page.locator(".why summary").first.click()
    page.locator(".why a").first.click()
    expect(page.locator("h1")).to_contain_text("Why this?")
    expect(page.locator(".points .sum")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_and_narrow_enough(open_page, alice, films, tmp_path, scheme):
    folder = Path(os.environ.get("MEDLEY_SCREENSHOTS", tmp_path))
    give(alice, films[0])
    give(alice, films[1], "dislike")
    desk = {"width": 1280, "locale": "en"}
    phone = {"width": 360, "locale": "zh-CN", "has_touch": True, "is_mobile": True}
    for device in (desk, phone):
        page, width = open_page("/", person=alice, color_scheme=scheme, **device), device["width"]
        opened(page)
        assert page.evaluate(WIDTH) <= width
        if device is phone:
            assert page.evaluate(SMALL) == []
        assert page.evaluate(FAINT) == []
        page.locator(".card").first.scroll_into_view_if_needed()
        page.screenshot(path=folder / f"why-{scheme}-{width}.png")
        page.goto(page.locator(".why").first.get_attribute("hx-get"))
        assert page.evaluate(WIDTH) <= width
        assert page.evaluate(FAINT) == []
        page.screenshot(path=folder / f"why-page-{scheme}-{width}.png")
