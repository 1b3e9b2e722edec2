"""Without an account: the first press makes a guest, whom the session of the device holds."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth import get_user
from django.test import Client

from catalog.models import Consent, Feedback, User
from recommender import steer, store
from recommender.models import Steering, Wish

HTMX = {"HX-Request": "true"}
LESS = {"action": "less", "kind": "category", "target": "horror"}
NEW = {"email": "carol@example.org", "password": "a long enough one", "name": "Carol"}


@pytest.fixture
def guest(visitor) -> Client:
    """A visitor who agreed, and so is a guest."""
    visitor.post("/consent/", {"agrees": "yes"})
    return visitor


def like(client: Client, item, **more):
    return client.post("/feedback/", {"id": uuid4(), "item": item.uuid, "kind": "like"}, **more)


def test_looking_makes_nobody(visitor, films):
    for address in ("/", "/?diversity=0.8", "/start/", "/search/?q=mile", "/sign-up/"):
        assert visitor.get(address).status_code == 200
    assert visitor.get(f"/items/{films[0].uuid}/").status_code == 200
    assert not User.objects.exists()
    assert "sessionid" not in visitor.cookies


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("/", {"diversity": "0.8"}),
        ("/", {"novelty": "0.5"}),
        ("/", {"preset": "niche"}),
        ("/consent/", {"agrees": "yes"}),
    ],
)
def test_the_first_thing_that_is_done_makes_a_guest(visitor, films, address, data):
    visitor.post(address, data)
    assert get_user(visitor) == User.objects.get(kind="guest")


def test_a_like_is_kept_and_the_buttons_of_the_page_still_work(films):
    client = Client(enforce_csrf_checks=True)
    page = client.get("/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    client.post("/consent/", {"agrees": "yes", "csrfmiddlewaretoken": token})
    for film in films[:2]:
        form = {"id": uuid4(), "item": film.uuid, "kind": "like", "csrfmiddlewaretoken": token}
        assert "Liked" in client.post("/feedback/", form, headers=HTMX).content.decode()
    assert Feedback.objects.filter(user=User.objects.get()).count() == 2


def test_what_fails_makes_nobody(visitor, films):
    assert visitor.post("/feedback/", {"kind": "like"}).status_code == 400
    page = like(visitor, films[0], headers=HTMX).content.decode()
    assert "Please agree first" in page
    assert "Taken back" not in page
    assert "Please agree first" in like(visitor, films[0], follow=True).content.decode()
    assert visitor.post("/steering/", LESS | {"target": "no such"}).status_code == 404
    assert visitor.post("/", {"diversity": "2"}).status_code == 302
    page = visitor.post("/steering/", LESS, headers=HTMX).content.decode()
    assert "Please agree first" in page
    sentence = {"id": uuid4(), "text": "quiet films"}
    assert "Please agree to this first." in visitor.post("/start/", sentence).content.decode()
    assert not User.objects.exists()


def test_the_key_of_the_session_changes_on_becoming_a_guest(visitor, pair):
    session = visitor.session
    session["kept"] = 1
    session.save()
    visitor.cookies["sessionid"] = before = session.session_key
    visitor.post("/consent/", {"agrees": "yes"})
    assert visitor.session.session_key != before
    assert visitor.session["kept"] == 1
    other = Client()
    other.cookies["sessionid"] = before
    assert not get_user(other).is_authenticated


def test_the_page_says_where_it_is_kept_and_asks_for_consent(visitor, films):
    page = visitor.get("/").content.decode()
    assert "You are not signed in: this is kept on this device&#x27;s session." in page or (
        "You are not signed in: this is kept on this device's session." in page
    )
    assert '<form class="consent" method="post" action="/consent/">' in page
    assert "I agree" in page
    visitor.post("/consent/", {"agrees": "yes"})
    page = visitor.get("/").content.decode()
    assert "I agree" not in page
    assert "Withdraw" in page
    assert 'href="/sign-up/' in page
    assert "Sign out" not in page
    visitor.post("/consent/", {"agrees": "no"})
    assert not store.agrees(User.objects.get().pk)
    assert "I agree" in visitor.get("/").content.decode()


def test_a_members_page_says_nothing_of_a_device(web, films):
    page = web.get("/").content.decode()
    assert "You are not signed in" not in page
    assert 'action="/consent/"' not in page


def test_a_guest_steers_and_the_next_list_obeys(guest, films):
    def horrors() -> int:
        page = guest.get("/").content.decode()
        return len(re.findall(r'<li class="hue-\d+">Horror</li>', page))

    before = horrors()
    assert guest.post("/steering/", LESS, headers=HTMX).status_code == 200
    assert horrors() < before


def test_a_guest_begins_with_a_sentence(visitor, films):
    form = {"id": uuid4(), "text": "quiet films", "consent": "on"}
    assert visitor.post("/start/", form)["Location"] == "/"
    assert Wish.objects.get().user == get_user(visitor)


def test_pages_of_members_send_a_guest_to_sign_in(guest):
    assert guest.get("/account/")["Location"] == "/sign-in/?next=/account/"
    assert guest.get("/sign-in/").status_code == 200
    assert guest.get("/sign-up/").status_code == 200


def test_on_signing_up_the_guest_is_the_member_under_a_new_key(guest, pair):
    like(guest, pair[0])
    row, key = get_user(guest), guest.session.session_key
    assert 'name="consent" id="id_consent" checked' in re.sub(
        r'(name="consent").*?(id="id_consent").*?(checked)',
        r"\1 \2 \3",
        guest.get("/sign-up/").content.decode(),
    )
    guest.post("/sign-up/", {**NEW, "consent": "on"})
    member = get_user(guest)
    assert (member.pk, member.kind) == (row.pk, "member")
    assert guest.session.session_key != key
    assert Feedback.objects.get().user == member
    assert Consent.objects.get().withdrawn_at is None


def test_on_signing_in_the_guest_is_merged_under_a_new_key(guest, alice, pair):
    like(guest, pair[0])
    key = guest.session.session_key
    guest.post("/sign-in/", {"username": "alice@example.org", "password": "a password of alice"})
    assert get_user(guest) == alice
    assert guest.session.session_key != key
    assert Feedback.objects.get().user == alice


def test_a_wrong_password_leaves_the_guest_a_guest(guest, alice, pair):
    like(guest, pair[0])
    row = get_user(guest)
    guest.post("/sign-in/", {"username": "alice@example.org", "password": "wrong"})
    assert get_user(guest) == row
    assert Feedback.objects.get().user == row


# --- presets and the panel ----------------------------------------------------------------------


def pressed(page: str) -> list[str]:
    form = re.search(r'<form id="presets".*?</form>', page, re.S)[0]
    return re.findall(r'value="(\w+)" aria-pressed="true"', form)


def test_a_preset_is_pressed_kept_and_undone(web, alice, films):
    assert pressed(web.get("/").content.decode()) == ["balanced"]
    assert web.post("/", {"preset": "niche"})["Location"] == "/"
    page = web.get("/").content.decode()
    assert pressed(page) == ["niche"]
    assert "Your taste, in what few know." in page
    web.post("/", {"preset": "balanced"})
    assert pressed(web.get("/").content.decode()) == ["balanced"]


def test_with_htmx_a_preset_brings_the_list_and_moves_the_sliders(web, films):
    page = web.post("/", {"preset": "niche"}, headers=HTMX).content.decode()
    assert page.startswith('<section id="list"')
    assert pressed(page) == ["niche"]
    assert '<div hx-swap-oob="innerHTML:#variety">' in page
    assert re.search(
        r'hx-swap-oob="innerHTML:#taste".*?id="popularity"[^>]*value="-0\.\d"', page, re.S
    )


def test_with_htmx_a_moved_slider_is_left_where_it_is(web, alice, films):
    moved = {"diversity": "0.3", "novelty": "0", "recency": "0.5", "popularity": "0"}
    page = web.post("/", moved, headers=HTMX).content.decode()
    assert pressed(page) == []
    assert "A mixture of your own." in page
    assert "#taste" not in page
    assert store.tuning_of(alice.pk).recency == 0.5
    assert store.tuning_of(alice.pk).diversity is None  # where the site has it
    web.post("/", moved | {"recency": "0"}, headers=HTMX)
    assert pressed(web.get("/").content.decode()) == ["balanced"]


def test_a_list_by_date_shows_no_match(web, films):
    page = web.post("/", {"preset": "chronological"}, headers=HTMX).content.decode()
    assert len(re.findall('class="card"', page)) == 20
    assert 'class="match"' not in page
    titles = [int(n) for n in re.findall(r">\w+ at the (\d+)th mile</a>", page)]
    assert titles == sorted(titles, reverse=True)


def test_the_panel_is_open_when_something_is_tuned(web, alice, films):
    assert '<details class="tune">' in web.get("/").content.decode()
    steer.tune(alice.pk, novelty=0.2)
    assert '<details class="tune" open>' in web.get("/").content.decode()


def test_saving_the_account_leaves_a_list_by_date_one(web, alice):
    steer.tune(alice.pk, "chronological")
    web.post("/account/", {"name": "Alice", "diversity": "0.3"})
    assert store.tuning_of(alice.pk).chronological


@pytest.mark.parametrize("wrong", ["2", "nan", "much", "\x00"])
def test_a_wish_that_is_no_number_is_passed_over(web, alice, wrong):
    assert web.post("/", {"novelty": wrong}).status_code == 302
    assert web.post("/", {"preset": wrong}).status_code == 302
    assert not Steering.objects.exists()
    assert store.tuning_of(alice.pk).novelty == 0
