"""Nobody is an operator by a password alone, by whichever door they came."""

import re

import pytest
from django.conf import settings as ours
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from catalog.models import Feedback, Item, User
from tests.factories import give, make_item, make_person

pytestmark = pytest.mark.django_db
ADMIN = f"/{ours.ADMIN_PATH}"


@pytest.fixture(autouse=True)
def _codes_are_wanted(settings):
    settings.STAFF_TWO_FACTOR = True


@pytest.fixture
def chief(db):
    return make_person("chief", is_staff=True, is_superuser=True)


def at_the_site(person) -> Client:
    client = Client()
    body = {"username": person.email, "password": "a password of alice"}
    assert client.post("/sign-in/", body).status_code == 302
    return client


def code_of(device: TOTPDevice, steps: int = 0) -> str:
    return f"{totp(device.bin_key, t0=-30 * steps):06d}"


def set_up(person) -> Client:
    """A client that has given the code, with the phone noted."""
    client = at_the_site(person)
    client.get("/two-factor/")
    device = TOTPDevice.objects.get(user=person)
    assert client.post("/two-factor/", {"code": code_of(device)}).status_code == 302
    return client


def test_the_sites_own_sign_in_opens_no_page_of_the_admin(chief):
    client = at_the_site(chief)
    answer = client.get(ADMIN)
    assert answer.status_code == 302
    assert client.get(answer["Location"])["Location"].startswith("/two-factor/?next=")
    for address in ("", "catalog/user/", "catalog/item/add/", "jsi18n/"):
        assert client.get(ADMIN + address).status_code == 302
    assert client.post(f"{ADMIN}catalog/category/add/", {"slug": "x"}).status_code == 302


def test_who_has_no_phone_yet_sees_the_secret_until_it_is_confirmed_and_never_again(chief):
    client = at_the_site(chief)
    page = client.get("/two-factor/").content.decode()
    device = TOTPDevice.objects.get(user=chief)
    assert not device.confirmed
    shown = re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", "")
    assert shown in device.config_url
    assert "<svg" in page
    assert client.get(ADMIN).status_code == 302
    before = client.session.session_key
    answer = client.post("/two-factor/", {"code": code_of(device), "next": ADMIN})
    assert answer["Location"] == ADMIN
    assert client.session.session_key != before
    assert client.get(ADMIN).status_code == 200
    again = at_the_site(chief).get("/two-factor/").content.decode()
    assert "<svg" not in again.split("<main")[1]
    assert shown not in again.replace(" ", "")


def test_a_code_is_good_once(chief):
    set_up(chief)
    device = TOTPDevice.objects.get(user=chief)
    other = at_the_site(chief)
    page = other.post("/two-factor/", {"code": code_of(device)})
    assert "This code is not right, or was used already." in page.content.decode()
    assert other.get(ADMIN).status_code == 302


def test_wrong_codes_are_limited_and_open_nothing(chief):
    set_up(chief)
    client = at_the_site(chief)
    codes = [client.post("/two-factor/", {"code": f"{n:06d}"}).status_code for n in range(11)]
    assert codes == [200] * 10 + [429]
    assert client.get(ADMIN).status_code == 302


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "１２３４５６", "1234567"])
def test_what_is_no_code_is_said_at_its_field(chief, code):
    page = at_the_site(chief).post("/two-factor/", {"code": code}).content.decode()
    assert "id_code_error" in page


def test_the_code_of_one_operator_opens_nothing_for_another(chief):
    set_up(chief)
    other = make_person("other", is_staff=True, is_superuser=True)
    client = at_the_site(other)
    client.get("/two-factor/")
    client.post("/two-factor/", {"code": code_of(TOTPDevice.objects.get(user=chief), 1)})
    assert client.get(ADMIN).status_code == 302


def test_a_phone_that_was_taken_away_opens_nothing_from_the_next_request_on(chief):
    client = set_up(chief)
    TOTPDevice.objects.all().delete()
    assert client.get(ADMIN).status_code == 302


def test_a_lost_phone_is_forgotten_by_a_command_and_all_sign_ins_with_it(chief, capsys):
    client = set_up(chief)
    call_command("forget_phone", "Chief@example.org")
    assert TOTPDevice.objects.count() == 0
    assert client.get("/account/").status_code == 302


def test_members_are_not_asked_for_codes_and_get_nothing_by_asking(alice):
    client = at_the_site(alice)
    assert client.get("/account/").status_code == 200
    assert client.get("/two-factor/").status_code == 403
    assert client.get(ADMIN, follow=True).status_code == 403
    assert TOTPDevice.objects.count() == 0


def test_next_never_leaves_the_site(chief):
    client = at_the_site(chief)
    client.get("/two-factor/")
    device = TOTPDevice.objects.get(user=chief)
    body = {"code": code_of(device), "next": "https://evil.example/"}
    assert client.post("/two-factor/", body)["Location"] == ADMIN


def test_the_admin_shows_phones_and_no_secret(chief):
    client = set_up(chief)
    key = TOTPDevice.objects.get().key
    for address in ("", f"{TOTPDevice.objects.get().pk}/change/"):
        page = client.get(f"{ADMIN}otp_totp/totpdevice/{address}")
        assert page.status_code == 200
        assert key not in page.content.decode()
        assert "otpauth" not in page.content.decode()


def test_without_the_setting_a_password_will_do(chief, settings):
    settings.STAFF_TWO_FACTOR = False
    assert at_the_site(chief).get(ADMIN).status_code == 200


def test_a_visitor_is_sent_to_the_sites_own_sign_in():
    answer = Client().get(ADMIN, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/sign-in/?next=")


def test_the_first_address_that_is_tried_is_not_it():
    assert Client().get("/admin/").status_code == 404


def test_an_export_is_safe_to_open_names_nobody_and_is_noted(chief, alice):
    item = make_item('=HYPERLINK("https://evil.example")')
    row = give(alice, item)
    client = set_up(chief)
    action = {"action": "export", "_selected_action": [row.pk]}
    answer = client.post(f"{ADMIN}catalog/feedback/", action)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = answer.content.decode()
    assert "'=HYPERLINK" in text
    assert str(alice.uuid) in text
    assert "alice@" not in text
    [entry] = LogEntry.objects.filter(user=chief)
    assert entry.change_message == "exported 1 rows as CSV"


def test_who_may_not_see_feedback_exports_none(alice):
    row = give(alice, make_item("kettle"))
    clerk = make_person("clerk", is_staff=True)
    client = set_up(clerk)
    action = {"action": "export", "_selected_action": [row.pk]}
    assert client.post(f"{ADMIN}catalog/feedback/", action).status_code == 403
    assert LogEntry.objects.count() == 0


def test_a_list_shows_no_more_than_a_page_at_once_and_deletes_nothing_by_a_link(chief, alice):
    give(alice, make_item("kettle"))
    client = set_up(chief)
    for model, pages in admin.site._registry.items():
        assert pages.list_max_show_all <= 200, model
    before = Feedback.objects.count(), User.objects.count(), Item.objects.count()
    for name in ("feedback", "user", "item"):
        client.get(f"{ADMIN}catalog/{name}/?action=delete_selected&_selected_action=1&post=yes")
    assert (Feedback.objects.count(), User.objects.count(), Item.objects.count()) == before
