"""A headless Chromium, and the site with films in it on a port of its own."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from catalog.models import Item
from tests.factories import make_person
from tests.pages.conftest import make_films

ARGUMENTS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if reason := os.environ.get("MEDLEY_NO_BROWSER"):
        pytest.skip(reason)
    path = os.environ.get("MEDLEY_CHROMIUM") or shutil.which("chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    # Playwright keeps an event loop in this thread, which Django takes for an async view.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *root])
        except Error as error:
            pytest.skip(f"no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def films(transactional_db) -> list[Item]:
    return make_films(26)


@pytest.fixture
def alice(transactional_db):
    return make_person("alice")


@pytest.fixture
def open_page(chromium, live_server, films) -> Iterator[Callable[..., Page]]:
    """Opens a page at an address, signed in as `person`, and fails for what a console would say.

    Whatever stands in `page.troubles` at the end was not expected: errors, warnings, reports of
    the content security policy, dialogs, and requests to anywhere else.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(address: str = "/", *, person=None, width: int = 1280, **options) -> Page:
        context = chromium.new_context(
            base_url=live_server.url, viewport={"width": width, "height": 800}, **options
        )
        contexts.append(context)
        context.set_default_timeout(8000)
        if person:
            client = Client()
            client.force_login(person)
            value = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": value, "url": live_server.url}])
        page = context.new_page()
        page.troubles = troubles
        page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((live_server.url, "data:"))
                else troubles.append(f"request: {request.url}")
            ),
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
