"""Sign up, sign in and out, and one's own page."""

import pytest
from django.contrib.auth import get_user

from catalog.models import Consent, Feedback, User
from recommender import learn, steer, store
from tests.factories import give, make_person

ELSEWHERE = ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"]
NEW = {"email": "Carol@Example.org", "password": "a long enough one", "name": "Carol"}


def test_signing_up_makes_an_account_and_signs_in(visitor):
    response = visitor.post("/sign-up/", {**NEW, "consent": "on", "next": "/search/?q=x"})
    assert (response.status_code, response["Location"]) == (302, "/search/?q=x")
    user = User.objects.get(email="carol@example.org")
    assert get_user(visitor) == user
    assert Consent.objects.get().user == user


def test_consent_is_asked_for_and_not_taken_for_granted(visitor):
    page = visitor.get("/sign-up/").content.decode()
    assert "Use what I like, dislike and hide to choose what I am shown." in page
    assert "checked" not in page
    visitor.post("/sign-up/", NEW)
    assert Consent.objects.count() == 0
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"email": "no"}, "email", "Enter a valid email address."),
        ({"email": "alice@example.org"}, "email", "This e-mail address has an account."),
        ({"password": "short"}, "password", "This password is too short."),
        ({"password": ""}, "password", "This field is required."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(visitor, alice, wrong, field, message):
    page = visitor.post("/sign-up/", {**NEW, **wrong}).content.decode()
    assert f'<ul class="errorlist" id="id_{field}_error"><li>{message}' in page
    assert (
        f"id_{field}_error"
        in page.split(f'id="id_{field}"')[0].rsplit("<input", 1)[1]
        + (page.split(f'id="id_{field}"')[1].split(">")[0])
    )
    assert User.objects.count() == 1
    assert not get_user(visitor).is_authenticated


def test_signing_in_changes_the_key_of_the_session(visitor, alice):
    session = visitor.session
    session["kept"] = 1
    session.save()
    visitor.cookies["sessionid"] = before = session.session_key
    response = visitor.post(
        "/sign-in/", {"username": "ALICE@example.org", "password": "a password of alice"}
    )
    assert response["Location"] == "/"
    assert get_user(visitor) == alice
    assert visitor.session.session_key != before


@pytest.mark.parametrize("email", ["alice@example.org", "nobody@example.org"])
def test_a_wrong_password_and_no_account_look_alike(visitor, alice, email):
    page = visitor.post("/sign-in/", {"username": email, "password": "wrong"}).content.decode()
    assert "E-mail or password is not right." in page
    assert not get_user(visitor).is_authenticated


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_next_never_leaves_the_site(visitor, alice, elsewhere):
    data = {"username": "alice@example.org", "password": "a password of alice"}
    assert visitor.post("/sign-in/", {**data, "next": elsewhere})["Location"] == "/"
    visitor.logout()
    assert visitor.post("/sign-up/", {**NEW, "next": elsewhere})["Location"] == "/start/"
    assert visitor.get(f"/sign-up/?next={elsewhere}")["Location"] == "/"  # signed in already


def test_signing_out_takes_a_post(web, alice):
    assert web.get("/sign-out/").status_code == 405
    assert web.post("/sign-out/")["Location"] == "/"
    assert not get_user(web).is_authenticated


def test_the_account_asks_a_visitor_to_sign_in(visitor):
    assert visitor.get("/account/")["Location"] == "/sign-in/?next=/account/"


def test_the_account_keeps_name_and_diversity(web, alice):
    assert (
        web.post("/account/", {"name": " Alice <b>B</b> ", "diversity": "0.6"}).status_code == 302
    )
    alice.refresh_from_db()
    assert alice.name == "Alice B"
    assert store.tuning_of(alice.pk).diversity == 0.6
    page = web.get("/account/").content.decode()
    assert 'value="0.60"' in page
    assert "Saved." in page


def test_the_account_shows_interests_in_words_with_bars(web, alice, films):
    for film in films[0:15:5]:
        give(alice, film)
    learn.refresh_person(alice.pk)
    page = web.get("/account/").content.decode()
    assert "<b>Crime</b>" in page
    assert '<meter min="0" max="1" value="1.00"' in page


def test_the_account_lists_ones_own_history_with_undo(web, alice, bob, films):
    row = give(alice, films[0], "like")
    give(bob, films[1], "like")
    response = web.get("/account/")
    assert [r.pk for r in response.context["history"]] == [row.pk]
    back = web.post(
        "/feedback/undo/", {"feedback": str(row.uuid), "next": "/account/"}, follow=True
    )
    assert back.redirect_chain == [("/account/", 302)]
    assert "What you like, dislike or hide is listed here" in back.content.decode()
    assert Feedback.objects.get(pk=row.pk).retracted_at is not None


def test_a_long_history_has_pages(web, alice, films, monkeypatch):
    monkeypatch.setattr("recommender.views.HISTORY_PAGE", 2)
    rows = [give(alice, film) for film in films[:5]]
    seen = []
    for page in (1, 2, 3):
        response = web.get(f"/account/?page={page}")
        seen += [row.pk for row in response.context["history"]]
        assert response.context["older"] == (page + 1 if page < 3 else None)
    assert sorted(seen) == sorted(row.pk for row in rows)
    assert web.get("/account/?page=%C2%B2").status_code == 200
    assert web.get("/account/?page=99999999999999999999").status_code == 200


@pytest.mark.parametrize("size", [1, 20])
def test_the_account_makes_seven_statements(web, alice, films, size, django_assert_num_queries):
    for film in films[:size]:
        give(alice, film)
    # session, person, diversity, history with its items, interests, wishes, steering
    with django_assert_num_queries(7):
        assert web.get("/account/").status_code == 200


def test_a_closed_account_is_signed_out(web, alice):
    alice.is_active = False
    alice.save()
    assert web.get("/account/").status_code == 302


def test_a_person_imported_without_password_cannot_sign_in(visitor, db):
    person = make_person("dora")
    person.set_unusable_password()
    person.save()
    page = visitor.post("/sign-in/", {"username": "dora@example.org", "password": "!"})
    assert page.status_code == 200


def test_whose_account_is_closed_while_a_page_stands_open_is_told_so(web, alice, monkeypatch):
    tune = steer.tune

    def tune_what_was_closed_just_now(user_id, **tuned):
        User.objects.filter(pk=user_id).update(is_active=False)
        tune(user_id, **tuned)

    monkeypatch.setattr(steer, "tune", tune_what_was_closed_just_now)
    response = web.post("/", {"diversity": "0.7"})
    assert response.status_code == 403
    assert "This account is closed." in response.content.decode()
    assert store.tuning_of(alice.pk).diversity is None
