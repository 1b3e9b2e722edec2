"""The pages in a real browser: the slider, the buttons, small screens, colours, and silence."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from catalog.models import Category, Feedback, User
from recommender import begin, embed, learn, store
from tests.factories import give, make_item, make_person, make_version

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
PAYLOAD = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


def titles(page: Page) -> list[str]:
    return page.locator("#list h2").all_inner_texts()


def addresses(item) -> list[str]:
    return [
        "/",
        f"/items/{item.uuid}/",
        "/search/",
        "/search/?q=mile",
        "/search/?q=xqzzv",
        "/account/",
        "/start/",
        "/nothing/",
    ]


@pytest.fixture
def filled(alice, films):
    """Alice has a history with interests; one item has a title that would burst a narrow page."""
    item = make_item(
        f"{LONG} {PAYLOAD}",
        categories=["crime", LONG[:90].lower(), "comedy"],
        creator=LONG,
        description=f"{LONG} " * 3,
        url="https://example.org/",
    )
    Category.objects.filter(slug=LONG[:90].lower()).update(names={"en": LONG + PAYLOAD})
    for film in films[:10:5]:
        give(alice, film)
    give(alice, item)
    embed.embed_everything()
    begin.say(alice.pk, f"quiet {LONG}, nothing with superheroes")
    store.remove_wishes(alice.pk, begin.say(alice.pk, "loud comedies")[0].uuid)
    learn.refresh_person(alice.pk)
    return item


def test_the_slider_changes_the_list_without_a_reload(open_page, alice, films):
    for film in films[:10:5]:
        give(alice, film)
    page = open_page("/", person=alice)
    page.evaluate("window.marked = true")
    before, report = titles(page), page.inner_text("#report")
    page.focus("#diversity")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("End")
    expect(page.locator("#report")).not_to_have_text(report)
    assert titles(page) != before
    assert page.evaluate("window.marked") is True
    assert page.evaluate("document.activeElement.id") == "diversity"
    assert page.get_attribute("#diversity", "aria-valuetext") == "100 %"
    assert store.tuning_of(alice.pk).diversity == 1.0
    page.reload()
    assert page.input_value("#diversity") == "1"


def test_the_slider_of_a_visitor_works_too_and_is_kept(open_page, films):
    page = open_page("/")
    with page.expect_response(lambda response: response.request.method == "POST") as moved:
        page.locator("#diversity").fill("1")
    assert moved.value.status == 200
    page.wait_for_function("document.querySelectorAll('#list .card').length === 20")
    page.reload()
    assert page.input_value("#diversity") == "1"
    guest = User.objects.get(kind="guest")
    assert store.tuning_of(guest.pk).diversity == 1.0


def test_like_and_undo_by_keyboard(open_page, alice):
    page = open_page("/", person=alice)
    order = titles(page)
    like = page.locator("#list button[value=like]").nth(1)
    like.focus()
    page.keyboard.press("Enter")
    card = page.locator("#list .card").nth(1)
    expect(card.locator(".said")).to_have_text("Liked")
    expect(card.get_by_role("button", name=f"Undo: {order[1]}", exact=True)).to_be_focused()
    expect(page.locator("#announce")).to_have_text(f"Liked: {order[1]}")
    assert titles(page) == order, "the list keeps still under one's hands"
    assert Feedback.objects.get(retracted_at=None).item.title == order[1]

    page.keyboard.press("Enter")
    expect(card.get_by_role("button", name=f"Like: {order[1]}", exact=True)).to_be_focused()
    expect(page.locator("#announce")).to_have_text(f"Taken back: {order[1]}")
    assert Feedback.objects.filter(retracted_at=None).count() == 0


def test_a_refresh_brings_the_list_that_knows_of_the_like(open_page, alice):
    page = open_page("/", person=alice)
    liked = titles(page)[0]
    page.evaluate("window.marked = true")
    page.locator("#list button[value=like]").first.click()
    page.locator("#list .said").wait_for()
    with page.expect_response(lambda response: response.request.method == "GET"):
        page.click("#refresh")
    expect(page.locator("#list .said")).to_have_count(0)
    assert liked not in titles(page)
    expect(page.locator("#list")).to_be_focused()
    assert page.evaluate("window.marked") is True


def test_without_javascript_the_same_buttons_work(open_page, alice):
    page = open_page("/", person=alice, java_script_enabled=False)
    title = titles(page)[0]
    page.locator("#list button[value=dislike]").first.click()
    expect(page.locator(".notice:visible")).to_contain_text(f"Disliked: {title}")
    page.locator(".notice:visible button").click()
    expect(page.locator(".notice:visible")).to_contain_text(f"Taken back: {title}")
    page.locator("#diversity").press("End")
    page.locator("noscript button").click()
    assert page.input_value("#diversity") == "1"
    assert store.tuning_of(alice.pk).diversity == 1.0


def test_a_request_that_fails_is_said(open_page, alice):
    page = open_page("/", person=alice)
    page.route("**/feedback/", lambda route: route.abort())
    page.locator("#list button[value=like]").first.click()
    expect(page.locator("#failed")).to_be_visible()
    page.unroute("**/feedback/")
    page.locator("#list button[value=like]").first.click()
    expect(page.locator("#failed")).to_be_hidden()
    assert any("net::ERR_FAILED" in line for line in page.troubles)
    page.troubles.clear()  # which htmx repeats in words of its own


def test_signing_in_leads_back_to_the_page_one_came_from(open_page, alice, films):
    page = open_page(f"/items/{films[0].uuid}/")
    page.get_by_role("link", name="Sign in").click()
    page.fill("[name=username]", "alice@example.org")
    page.fill("[name=password]", "a password of alice")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/items/{films[0].uuid}/")
    expect(page.locator(".item button[value=like]")).to_be_visible()


def test_three_picks_by_keyboard_make_a_list(open_page, alice, films):
    page = open_page("/start/", person=alice)
    first = page.locator(".pick input").first
    first.focus()
    for _ in range(3):
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
    expect(page.locator(".pick input:checked")).to_have_count(3)
    page.locator("form.start button.strong").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    expect(page.locator("#list .reason", has_text="which you liked").first).to_be_visible()
    assert Feedback.objects.filter(user=alice, kind="like").count() == 3


def test_other_items_to_pick_from_are_added_and_picks_stay(open_page, alice, films):
    page = open_page("/start/", person=alice)
    page.locator(".pick").nth(1).click()
    page.click(".others a")
    expect(page.locator(".pick")).to_have_count(24)
    expect(page.locator(".pick input").nth(12)).to_be_focused()
    expect(page.locator(".pick input:checked")).to_have_count(1)


def test_a_wish_is_removed_and_brought_back_by_keyboard(open_page, alice, films):
    begin.say(alice.pk, "quiet westerns, nothing with horror")
    page = open_page("/account/", person=alice)
    page.evaluate("window.marked = true")
    page.get_by_role("button", name="Remove: horror").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Undo: horror")).to_be_focused()
    assert len(store.wishes_of(alice.pk)) == 1
    # A press in the 20 ms before htmx knows the new button would be answered with a whole page.
    expect(page.locator("#wishes.htmx-added, .htmx-settling")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove: horror")).to_be_focused()
    assert len(store.wishes_of(alice.pk)) == 2
    assert page.evaluate("window.marked") is True


def test_without_javascript_one_begins_all_the_same(open_page, alice, films):
    page = open_page("/start/", person=alice, java_script_enabled=False)
    page.fill("[name=text]", "quiet westerns, nothing with horror")
    page.locator(".pick").first.click()
    page.locator("form.start button.strong").click()
    expect(page.locator(".notice:visible")).to_contain_text("this list follows what you said")
    page.goto("/account/")
    page.get_by_role("button", name="Remove: horror").click()
    page.get_by_role("button", name="Undo: horror").click()
    assert len(store.wishes_of(alice.pk)) == 2


# Not innerWidth: on a phone it grows with what is too wide.
NARROW = "document.documentElement.scrollWidth <= 360"
SMALL = """
[...document.querySelectorAll('button, .button, .act, input:not([type=hidden]), nav a')]
  .filter((e) => e.offsetParent && e.type !== 'checkbox')
  .filter((e) => e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML)
"""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_at_360_px_nothing_scrolls_sideways_and_buttons_are_large(
    open_page, alice, filled, language
):
    touch = {"width": 360, "has_touch": True, "is_mobile": True, "locale": language}
    page = open_page("/", person=alice, **touch)
    for address in addresses(filled):
        page.goto(address)
        assert page.evaluate(NARROW), address
        assert page.evaluate(SMALL) == [], address
    visitor = open_page("/", **touch)
    for address in ("/", "/sign-in/", "/sign-up/"):
        visitor.goto(address)
        assert visitor.evaluate(NARROW), address
        assert visitor.evaluate(SMALL) == [], address
    forget_not_found(page)


def forget_not_found(page: Page) -> None:
    """The one page that is not there says so in the console, once a visit."""
    page.troubles[:] = [line for line in page.troubles if "404 (Not Found)" not in line]


def test_no_page_troubles_the_console_or_the_policy(open_page, alice, filled):
    page = open_page("/", person=alice)
    for address in addresses(filled):
        page.goto(address)
    forget_not_found(page)
    make_version("v1")
    operator = open_page(
        f"/{settings.ADMIN_PATH}", person=make_person("op", is_staff=True, is_superuser=True)
    )
    for address in (
        "catalog/item/",
        f"catalog/item/{filled.pk}/change/",
        "catalog/category/",
        "catalog/creator/",
        "catalog/feedback/",
        "recommender/job/",
        "recommender/embeddingspace/",
        "recommender/served/",
        "recommender/modelversion/",
    ):
        operator.goto(f"/{settings.ADMIN_PATH}{address}")


# Contrast of each text with the nearest opaque ground, by WCAG 2.2 §1.4.3.
FAINT = """
() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((x) => x / 255)
      .map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor, [, , , a = 1] = numbers(colour);
      if (a === 1) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), faint = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
    if (!text || !e.checkVisibility() || e.closest('.unseen, .skip, script, noscript')) continue;
    const a = light(getComputedStyle(e).color), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${text}`);
  }
  return faint;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_and_pictures_can_be_taken(open_page, alice, filled, tmp_path, scheme):
    folder = Path(os.environ.get("MEDLEY_SCREENSHOTS", tmp_path))
    page = open_page("/", person=alice, color_scheme=scheme)
    page.locator("#list button[value=hide]").first.click()
    page.locator("#list .said").wait_for()
    assert page.evaluate(FAINT) == []
    page.goto("/")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(245, 244, 241)", "dark": "rgb(20, 20, 19)"}[scheme]
    page.screenshot(path=folder / f"for-you-{scheme}.png")
    assert (folder / f"for-you-{scheme}.png").stat().st_size > 10_000
    for address in addresses(filled):
        page.goto(address)
        assert page.evaluate(FAINT) == [], address
    forget_not_found(page)
    visitor = open_page("/", color_scheme=scheme)
    for address in ("/", "/sign-in/", "/sign-up/"):
        visitor.goto(address)
        assert visitor.evaluate(FAINT) == [], address
