"""A new password, by the old one or by a link in an e-mail."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import accounts, limits, mails
from catalog.models import Mail, User
from recommender import tasks
from recommender.models import Job
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import make_person

pytestmark = pytest.mark.django_db
OLD, NEW = "a password of alice", "quite another password"
RESET, CONFIRM = "/api/v1/auth/password/reset/", "/api/v1/auth/password/reset/confirm/"


def change(client, current=OLD, new=NEW):
    body = {"current": current, "new": new}
    return client.post("/api/v1/auth/password/", body, format="json")


def letter() -> str:
    """The one e-mail that a worker sends."""
    mails.send(list(Mail.objects.values_list("pk", flat=True)))
    [sent] = mail.outbox
    return sent.body


def ask(client=None, email="alice@example.org", **extra):
    return (client or APIClient()).post(RESET, {"email": email}, format="json", **extra)


def person_and_code(text: str) -> dict:
    found = re.search(r"/password/reset/([0-9a-f-]{36})/([^/]+)/", text)
    return {"person": found[1], "code": found[2]}


def is_signed_in(client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


def test_a_changed_password_ends_every_token_and_session_and_gives_a_new_token(alice, bob):
    phone, tablet, site, other = client_of(alice), client_of(alice), Client(), client_of(bob)
    site.force_login(alice)
    answer = change(phone)
    assert answer.status_code == 201
    assert not is_signed_in(phone)
    assert not is_signed_in(tablet)
    assert site.get("/account/").status_code == 302
    assert is_signed_in(other)
    phone.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert is_signed_in(phone)
    assert User.objects.get(pk=alice.pk).check_password(NEW)


@pytest.mark.parametrize(
    ("current", "new", "field"), [("wrong", NEW, "current"), (OLD, "short", "new")]
)
def test_a_refused_change_changes_nothing(alice, current, new, field):
    phone = client_of(alice)
    answer = change(phone, current, new)
    assert is_problem(answer, 400)
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert is_signed_in(phone)
    assert User.objects.get(pk=alice.pk).check_password(OLD)


def test_whoever_holds_a_token_guesses_the_password_no_more_often_than_anybody(alice):
    phone = client_of(alice)
    codes = [change(phone, f"guess {n}").status_code for n in range(11)]
    assert codes == [400] * 10 + [429]
    assert is_problem(change(phone), 429)


def test_the_page_keeps_this_session_and_ends_the_others(alice):
    here, there, phone = Client(), Client(), client_of(alice)
    here.force_login(alice)
    there.force_login(alice)
    before = here.session.session_key
    answer = here.post("/account/access/", {"current": OLD, "new": NEW})
    assert answer["Location"] == "/account/access/"
    assert here.get("/account/").status_code == 200
    assert here.session.session_key != before
    assert there.get("/account/").status_code == 302
    assert not is_signed_in(phone)


def test_the_page_says_what_is_wrong_at_its_field(web, alice):
    page = web.post("/account/access/", {"current": "wrong", "new": NEW}).content.decode()
    assert '<ul class="errorlist" id="id_current_error"><li>This is not your password.' in page
    assert User.objects.get(pk=alice.pk).check_password(OLD)


def test_a_guest_has_no_password_to_change(db):
    from catalog import guests

    assert is_problem(change(client_of(guests.make_guest())), 403)


# --- by e-mail --------------------------------------------------------------------------------


def test_a_reset_is_a_job_and_nothing_is_sent_on_the_request(alice):
    answer = ask()
    assert (answer.status_code, answer.content) == (202, b"")
    assert mail.outbox == []
    assert list(Job.objects.filter(kind="email").values_list("key", flat=True)) == [
        Mail.objects.get().pk
    ]


def test_a_worker_sends_the_link_and_drops_the_row(alice):
    phone, site = client_of(alice), Client()
    site.force_login(alice)
    ask()
    text = letter()
    assert mail.outbox[0].to == ["alice@example.org"]
    assert Mail.objects.count() == 0
    body = person_and_code(text)
    answer = APIClient().post(CONFIRM, body | {"password": NEW}, format="json")
    assert answer.status_code == 204
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert alice.email_verified_at is not None  # who read the mail has the address
    assert not is_signed_in(phone)
    assert site.get("/account/").status_code == 302


def test_a_worker_waits_for_the_server_of_outgoing_mail(alice, settings):
    ask()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    job = Job.objects.get(kind="email")
    for _ in range(5):
        tasks.email([job.pk])
    job.refresh_from_db()
    assert (job.done_at, job.parked_at, job.attempts) == (None, None, 0)
    assert job.error == "no mail goes out: ConnectionRefusedError"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    tasks.email([job.pk])
    assert [sent.to for sent in mail.outbox] == [["alice@example.org"]]
    job.refresh_from_db()
    assert job.done_at is not None


def test_a_link_that_would_come_a_day_late_is_not_sent(alice):
    ask()
    Mail.objects.update(asked_at=timezone.now() - timedelta(days=1, minutes=1))
    assert mails.send(list(Mail.objects.values_list("pk", flat=True))) == 0
    assert Mail.objects.count() == 0


def test_another_address_is_to_be_confirmed_anew(alice):
    alice.email_verified_at = timezone.now()
    alice.save()
    chief = Client()
    chief.force_login(make_person("chief", is_staff=True, is_superuser=True))
    url = reverse("admin:catalog_user_change", args=[alice.pk])
    data = {"email": "alice@elsewhere.org", "name": "alice", "is_active": "on"}
    assert chief.post(url, data).status_code == 302
    alice.refresh_from_db()
    assert (alice.email, alice.email_verified_at) == ("alice@elsewhere.org", None)


def test_the_link_is_good_once(alice):
    ask()
    body = person_and_code(letter())
    assert APIClient().post(CONFIRM, body | {"password": NEW}, format="json").status_code == 204
    again = APIClient().post(CONFIRM, body | {"password": "a third password"}, format="json")
    assert is_problem(again, 400)
    assert User.objects.get(pk=alice.pk).check_password(NEW)


def test_the_link_is_good_for_an_hour(alice, settings):
    ask()
    body = person_and_code(letter())
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert is_problem(APIClient().post(CONFIRM, body | {"password": NEW}, format="json"), 400)
    assert User.objects.get(pk=alice.pk).check_password(OLD)


def test_the_link_of_one_is_no_good_for_another(alice, bob):
    ask()
    body = person_and_code(letter()) | {"person": str(bob.uuid), "password": NEW}
    assert is_problem(APIClient().post(CONFIRM, body, format="json"), 400)
    assert User.objects.get(pk=bob.pk).check_password(OLD)


def test_the_link_never_begins_with_what_the_request_calls_this_site(alice, settings):
    settings.ALLOWED_HOSTS = ["evil.example", "testserver"]
    settings.SITE_URL = "https://medley.example"
    ask(HTTP_HOST="evil.example", HTTP_X_FORWARDED_HOST="evil.example")
    text = letter()
    assert "https://medley.example/password/reset/" in text
    assert "evil" not in text


def test_for_an_unknown_address_the_same_is_done_and_nothing_is_sent(
    alice, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    seen = []
    for email in ("alice@example.org", "nobody@example.org"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = ask(email=email)
        seen.append((answer.status_code, answer.content, len(queries)))
    assert seen[0] == seen[1]
    Mail.objects.filter(email="alice@example.org").delete()
    assert mails.send(list(Mail.objects.values_list("pk", flat=True))) == 0
    assert mail.outbox == []
    assert Mail.objects.count() == 0


def test_nobody_is_flooded_with_mail_and_nobody_told(alice):
    assert {ask().status_code for _ in range(5)} == {202}
    assert Mail.objects.count() == limits.MAILS_TO_ONE.most


def test_a_closed_account_gets_no_link(alice):
    alice.is_active = False
    alice.save()
    ask()
    assert mails.send(list(Mail.objects.values_list("pk", flat=True))) == 0


def test_mails_speak_the_language_of_who_asked(alice):
    ask(HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert "有人为您的账户申请了新密码" in letter()


def test_the_pages_do_the_same(alice, visitor):
    page = visitor.post("/password/forgotten/", {"email": "Alice@example.org"})
    assert "If this address has an account" in page.content.decode()
    other = Client().post("/password/forgotten/", {"email": "nobody@example.org"})
    assert other.content.decode().count("If this address has an account") == 1
    Mail.objects.filter(email="nobody@example.org").delete()
    address = re.search(r"(/password/reset/\S+)", letter())[1]
    away = visitor.get(address)
    assert away["Location"].endswith("/set-password/")  # the code leaves the address at once
    page = visitor.post(away["Location"], {"new_password1": NEW, "new_password2": NEW})
    assert page["Location"] == "/sign-in/"
    assert User.objects.get(pk=alice.pk).check_password(NEW)
    assert "This link was used already" in visitor.get(address).content.decode()


# --- the address ------------------------------------------------------------------------------


def test_a_new_member_confirms_the_address_by_a_link(db):
    body = {"email": "ann@example.org", "password": "correct horse battery"}
    token = APIClient().post("/api/v1/auth/register/", body, format="json").json()["token"]
    ann = User.objects.get(email="ann@example.org")
    assert ann.email_verified_at is None
    code = re.search(r"/confirm/([^/\s]+)/", letter())[1]
    page = Client().get(f"/confirm/{code}/")  # as a scanner of mail does
    assert page.status_code == 200
    ann.refresh_from_db()
    assert ann.email_verified_at is None
    answer = APIClient().post("/api/v1/auth/email/confirm/", {"code": code}, format="json")
    assert answer.status_code == 204
    ann.refresh_from_db()
    assert ann.email_verified_at is not None
    assert token


def test_the_button_of_the_page_confirms_too(alice):
    code = accounts.confirmation_code(alice)
    assert Client().post(f"/confirm/{code}/")["Location"] == "/"
    alice.refresh_from_db()
    assert alice.email_verified_at is not None


def test_a_link_to_a_former_address_or_for_another_confirms_nothing(alice, bob):
    code = accounts.confirmation_code(alice)
    alice.email = "alice@elsewhere.org"
    alice.save()
    forged = str(bob.uuid) + code[36:]
    for wrong in (code, forged, "x", str(alice.uuid)):
        answer = APIClient().post("/api/v1/auth/email/confirm/", {"code": wrong}, format="json")
        assert is_problem(answer, 400)
    assert User.objects.exclude(email_verified_at=None).count() == 0


def test_the_link_comes_again_when_asked_for_and_only_while_it_is_needed(as_alice, alice):
    assert as_alice.post("/api/v1/auth/email/send/").status_code == 202
    assert Mail.objects.get().kind == "confirm"
    accounts.confirm_email(accounts.confirmation_code(alice))
    as_alice.post("/api/v1/auth/email/send/")
    assert Mail.objects.count() == 1


def test_an_unusable_password_is_no_way_in_and_a_link_makes_one(db):
    dora = make_person("dora")
    dora.set_unusable_password()
    dora.save()
    ask(email="dora@example.org")
    body = person_and_code(letter()) | {"password": NEW}
    assert APIClient().post(CONFIRM, body, format="json").status_code == 204
    dora.refresh_from_db()
    assert dora.check_password(NEW)
