"""Like, dislike, hide and undo: by plain forms, and by htmx in place."""

import re
from uuid import UUID, uuid4

import pytest

from catalog.models import Feedback
from catalog.uuid7 import uuid7
from recommender.models import Job
from tests.factories import give, make_item

HTMX = {"HX-Request": "true"}


def press(client, item, kind="like", *, form_id=None, htmx=False, **more):
    data = {"id": str(form_id or uuid7()), "item": str(item.uuid), "kind": kind, **more}
    return client.post("/feedback/", data, headers=HTMX if htmx else {})


def hidden_fields(form: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


def test_without_javascript_like_and_undo_are_forms(strict, alice, films):
    page = strict.get("/").content.decode()
    form = re.search(r'<form method="post" action="/feedback/".*?</form>', page, re.S)[0]
    fields = hidden_fields(form)
    title = re.search(r'aria-label="Like: ([^"]*)"', form)[1]

    back = strict.post("/feedback/", {**fields, "kind": "like"}, follow=True)
    assert back.redirect_chain == [("/", 302)]
    row = Feedback.objects.get()
    assert (row.user, row.kind, str(row.item.uuid)) == (alice, "like", fields["item"])
    assert str(row.served_id) == fields["served"]
    page = back.content.decode()
    assert f"Liked: {title}" in page

    form = re.search(r'<form method="post" action="/feedback/undo/".*?</form>', page, re.S)[0]
    back = strict.post("/feedback/undo/", hidden_fields(form), follow=True)
    assert f"Taken back: {title}" in back.content.decode()
    row.refresh_from_db()
    assert row.retracted_at is not None


def test_with_htmx_the_buttons_become_what_was_said_and_undo(web, alice, pair):
    response = press(web, pair[0], htmx=True, next="/search/?q=mile")
    page = response.content.decode()
    row = Feedback.objects.get()
    assert page.startswith(f'<div class="opinion" id="opinion-{pair[0].uuid}">')
    assert "Liked" in page
    assert f'name="feedback" value="{row.uuid}"' in page
    assert 'name="next" value="/search/?q=mile"' in page
    assert f'<div hx-swap-oob="innerHTML:#announce">Liked: {pair[0].title}</div>' in page

    response = web.post("/feedback/undo/", {"feedback": str(row.uuid)}, headers=HTMX)
    page = response.content.decode()
    assert 'name="kind" value="like" autofocus' in page
    assert f"Taken back: {pair[0].title}" in page


def test_a_double_click_is_one_feedback(web, pair):
    form_id = uuid7()
    first = press(web, pair[0], form_id=form_id, htmx=True)
    again = press(web, pair[0], form_id=form_id, htmx=True)
    assert first.status_code == again.status_code == 200
    assert Feedback.objects.count() == 1


def test_another_button_of_the_same_form_is_other_feedback(web, pair):
    form_id = uuid7()
    press(web, pair[0], "like", form_id=form_id)
    press(web, pair[0], "dislike", form_id=form_id)
    assert Feedback.objects.get(superseded_at=None).kind == "dislike"


def test_undo_brings_back_the_opinion_before(web, alice, pair):
    give(alice, pair[0], "like")
    row = give(alice, pair[0], "hide")
    page = web.post("/feedback/undo/", {"feedback": str(row.uuid)}, headers=HTMX).content.decode()
    assert "said-like" in page


def test_an_id_of_other_feedback_is_answered_with_a_message(web, alice, pair):
    form_id = uuid7()
    press(web, pair[0], form_id=form_id)
    response = press(web, pair[1], form_id=form_id, htmx=True)
    assert "This id was used for other feedback." in response.content.decode()
    page = press(web, pair[1], form_id=form_id).client.get("/").content.decode()
    assert "This id was used for other feedback." in page
    assert Feedback.objects.count() == 1


def test_an_unknown_item_is_not_found_and_nothing_is_kept(web, alice, pair):
    pair[0].uuid = uuid4()
    before = Job.objects.count()
    assert press(web, pair[0]).status_code == 404
    assert (Feedback.objects.count(), Job.objects.count()) == (0, before)


@pytest.mark.parametrize("kind", ["purchase", "rating", "view", "", "like'--"])
def test_the_pages_take_no_other_kinds(web, pair, kind):
    assert press(web, pair[0], kind).status_code == 400
    assert Feedback.objects.count() == 0


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"id": "1", "item": "2", "kind": "like"},
        {"id": "\x00", "item": "\x00", "kind": "\x00", "served": "\x00"},
    ],
)
def test_a_broken_form_is_refused(web, pair, data):
    assert web.post("/feedback/", data).status_code == 400
    assert web.post("/feedback/undo/", {"feedback": data.get("id", "")}).status_code == 400


def test_nobody_takes_back_what_another_said(web, bob, pair):
    row = give(bob, pair[0])
    assert web.post("/feedback/undo/", {"feedback": str(row.uuid)}).status_code == 404
    row.refresh_from_db()
    assert row.retracted_at is None


def test_a_visitor_has_nothing_to_take_back(visitor, web, pair):
    press(web, pair[0])
    undo = {"feedback": str(Feedback.objects.get().uuid), "next": "/items/x/"}
    assert visitor.post("/feedback/undo/", undo)["Location"] == "/sign-in/?next=/items/x/"
    response = visitor.post("/feedback/undo/", undo, headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == "/sign-in/?next=/items/x/"
    assert Feedback.objects.get().retracted_at is None


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)", "http:evil", ""],
)
def test_feedback_leads_back_to_this_site_alone(web, pair, elsewhere):
    assert press(web, pair[0], next=elsewhere)["Location"] == "/"


def test_opinions_stand_on_item_and_search_pages(web, alice, films):
    film = make_item("Lantern song")
    give(alice, film, "rating", value=4.5)
    assert "Rated 4.5" in web.get(f"/items/{film.uuid}/").content.decode()
    give(alice, films[0], "hide")
    assert "said-hide" in web.get("/search/", {"q": films[0].title}).content.decode()


def test_feedback_is_read_by_post_alone(web):
    assert web.get("/feedback/").status_code == 405
    assert web.get("/feedback/undo/").status_code == 405


@pytest.mark.parametrize(
    "address",
    ["/", "/feedback/", "/feedback/undo/", "/account/", "/sign-out/", "/language/"],
)
@pytest.mark.parametrize(
    "how",
    [
        {"data": {"x": "1"}},
        {"data": {"x": "1"}, "headers": {"Origin": "https://evil.test"}},
        {"data": '{"x": 1}', "content_type": "text/plain"},
    ],
    ids=["no token", "another origin", "plain text"],
)
def test_no_other_site_can_post_for_a_person(strict, address, how):
    response = strict.post(address, **how)
    assert response.status_code == 403
    assert "Please try again" in response.content.decode()


@pytest.mark.parametrize("address", ["/sign-in/", "/sign-up/"])
def test_no_other_site_can_sign_a_visitor_in(strict, address):
    strict.logout()
    assert strict.post(address, {"username": "a@b.test", "password": "x"}).status_code == 403


def test_the_id_of_a_press_depends_on_form_and_button(web, pair):
    form_id = UUID("019aa000-0000-7000-8000-000000000000")
    press(web, pair[0], form_id=form_id)
    assert Feedback.objects.get().uuid != form_id
