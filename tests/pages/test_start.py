"""Where somebody new begins: one sentence, a few picks, and chips that can be taken back."""

import re
from uuid import uuid4

import pytest
from django.test import Client

from catalog.models import Consent, Feedback
from recommender import begin, store
from recommender.embeddings.encoder import EncoderUnavailable
from recommender.models import Wish
from tests.factories import give, import_feedback, make_person

HTMX = {"HX-Request": "true"}
SENTENCE = "quiet westerns, nothing with horror"


@pytest.fixture
def popular(films):
    """Some films that people like."""
    for n in range(4):
        fan = make_person(f"fan {n}")
        for film in films[:20]:
            import_feedback(fan, film)
    from recommender import learn

    learn.refresh_popularity()
    return films


def start(client, **data):
    return client.post("/start/", {"id": str(uuid4()), **data})


def texts(user) -> list[str]:
    return [f"{wish.sign} {wish.text}" for wish in store.wishes_of(user.pk)]


def test_a_new_member_comes_here_first_and_may_skip(visitor, popular):
    account = {"email": "new@example.org", "password": "a long enough one", "consent": "on"}
    assert visitor.post("/sign-up/", {**account, "next": "/"})["Location"] == "/start/"
    page = visitor.get("/start/").content.decode()
    assert "Tell us what you like" in page
    assert '<a class="button" href="/">Skip</a>' in page
    assert page.count('type="checkbox" name="pick"') == 12


def test_the_list_leads_here_while_it_is_not_personal(web, alice, films):
    assert 'href="/start/"' in web.get("/").content.decode()
    assert 'href="/start/"' in web.get("/account/").content.decode()


def test_a_visitor_has_no_wish_to_remove(visitor, films):
    assert visitor.post("/wishes/remove/", {"wish": str(uuid4())})["Location"].startswith(
        "/sign-in"
    )
    assert not Wish.objects.exists()


@pytest.mark.parametrize(
    ("language", "example"),
    [
        ("en", "slow science fiction, nothing with superheroes"),
        ("zh-hans", "安静的科幻片，不要超级英雄"),
    ],
)
def test_the_example_is_in_the_language_of_the_reader(web, films, language, example):
    page = web.get("/start/", headers={"Accept-Language": language}).content.decode()
    assert f'placeholder="{example}"' in page


def test_a_sentence_becomes_wishes_and_the_list_says_so(web, alice, films):
    response = web.post("/start/", {"id": str(uuid4()), "text": SENTENCE}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert texts(alice) == ["wanted quiet westerns", "unwanted horror"]
    assert "Noted: this list follows what you said." in response.content.decode()


def test_picks_are_likes_and_sending_twice_likes_once(web, alice, popular):
    picks = [str(film.uuid) for film in popular[:3]]
    form = {"id": str(uuid4()), "pick": picks}
    assert web.post("/start/", form)["Location"] == "/"
    assert web.post("/start/", form)["Location"] == "/"
    rows = Feedback.objects.filter(user=alice)
    assert {str(row.item.uuid) for row in rows} == set(picks)
    assert {row.kind for row in rows} == {"like"}
    assert rows.count() == 3
    shown = {card["item"]["id"] for card in web.get("/start/").context["cards"]}
    assert not shown & set(picks)


def test_both_at_once_are_all_or_nothing(web, alice, popular, monkeypatch):
    pick = str(popular[0].uuid)
    page = start(web, text="please", pick=pick).content.decode()
    assert "Say what you would like" in page
    assert not Feedback.objects.filter(user=alice).exists()
    assert f'value="{pick}" checked' in page
    assert start(web, text=SENTENCE, pick=pick).status_code == 302
    assert Feedback.objects.filter(user=alice).count() == 1
    assert len(texts(alice)) == 2


def test_a_pick_that_left_the_catalogue_meanwhile_is_passed_over(web, alice, popular):
    form = {"id": str(uuid4()), "pick": [str(uuid4()), str(popular[0].uuid)]}
    assert web.post("/start/", form).status_code == 302
    assert Feedback.objects.get(user=alice).item == popular[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Say a sentence, or pick something that you like."),
        ({"text": "   "}, "Say a sentence, or pick something that you like."),
        ({"text": "the"}, "Say what you would like"),
        ({"text": "a\x00b"}, "Null characters are not allowed."),
        ({"text": "boots\x07"}, "There is a character in it that is no text."),
        ({"text": "boots" * 61}, "Ensure this value has at most 300 characters"),
        ({"pick": "7"}, "The request cannot be read."),
        ({"text": "boots", "id": "7"}, "Tell us what you like"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(web, alice, films, data, message):
    page = start(web, **data).content.decode()
    assert message in page
    assert "<h1>Tell us what you like</h1>" in page
    assert not Wish.objects.exists()
    assert not Feedback.objects.filter(user=alice).exists()


def test_without_consent_it_is_asked_for_here(films):
    carol = make_person("carol", agrees=False)
    client = Client()
    client.force_login(carol)
    assert 'name="consent"' in client.get("/start/").content.decode()
    page = start(client, text=SENTENCE).content.decode()
    assert "Please agree to this first." in page
    assert not Wish.objects.exists()
    assert start(client, text=SENTENCE, consent="on").status_code == 302
    assert len(texts(carol)) == 2
    assert Consent.objects.filter(user=carol, withdrawn_at=None).count() == 1
    assert 'name="consent"' not in client.get("/start/").content.decode()


def test_when_the_encoder_rests_the_page_says_what_will_come(web, alice, films, monkeypatch):
    def down(*_, **__):
        raise EncoderUnavailable("no answer")

    monkeypatch.setattr(begin, "encode_queries", down)
    page = web.post("/start/", {"id": str(uuid4()), "text": "westerns"}, follow=True)
    assert "Noted. The language model is resting" in page.content.decode()
    page = web.post("/start/", {"id": str(uuid4()), "text": "xylophones"}, follow=True)
    assert "as soon as the language model answers: xylophones" in page.content.decode()
    assert "by its words until the language model answers" in web.get("/account/").content.decode()


def test_wishes_are_chips_of_the_account_that_are_removed_and_undone(web, alice, films):
    start(web, text=SENTENCE)
    page = web.get("/account/").content.decode()
    assert "Because you said" in page
    assert re.search(r"<span><b>Not:</b> horror</span>", page)
    wish = Wish.objects.get(text="horror")
    form = {"wish": str(wish.uuid), "next": "/account/"}
    assert web.post("/wishes/remove/", form)["Location"] == "/account/#wishes"
    assert texts(alice) == ["wanted quiet westerns"]
    assert 'aria-label="Undo: horror"' in web.get("/account/").content.decode()
    assert web.post("/wishes/undo/", form)["Location"] == "/account/#wishes"
    assert texts(alice) == ["wanted quiet westerns", "unwanted horror"]


def test_with_htmx_the_chips_alone_come_back_with_the_focus_on_the_changed_one(web, alice, films):
    start(web, text=SENTENCE)
    wish = Wish.objects.get(text="horror")
    page = web.post("/wishes/remove/", {"wish": str(wish.uuid)}, headers=HTMX).content.decode()
    assert page.startswith('<div id="wishes">')
    assert '<button class="act" autofocus aria-label="Undo: horror">' in page
    assert "<html" not in page


def test_nobody_changes_the_wishes_of_another(web, alice, bob, films):
    begin.say(bob.pk, "boots")
    wish = Wish.objects.get()
    assert web.post("/wishes/remove/", {"wish": str(wish.uuid)}).status_code == 404
    store.remove_wishes(bob.pk)
    assert web.post("/wishes/undo/", {"wish": str(wish.uuid)}).status_code == 404
    assert web.post("/wishes/undo/", {"wish": "7"}).status_code == 400
    assert texts(bob) == []


def test_more_to_pick_from_comes_as_cards_alone(web, alice, popular):
    first = web.get("/start/")
    more = web.get("/start/?page=2", headers=HTMX)
    page = more.content.decode()
    assert page.startswith("<li>")
    assert "<html" not in page
    ids = [{card["item"]["id"] for card in answer.context["cards"]} for answer in (first, more)]
    assert not ids[0] & ids[1]
    for odd in ("0", "-1", "x", "999999999", "\x00"):
        assert web.get("/start/", {"page": odd}).status_code == 200


def test_a_form_from_elsewhere_is_refused(strict, films):
    assert start(strict, text=SENTENCE).status_code == 403
    assert not Wish.objects.exists()


def test_what_is_said_is_text_on_every_page(web, alice, films):
    begin.say(alice.pk, 'films "><script>alert(1)</script> & <img src=x onerror=alert(2)>')
    Wish.objects.filter(user=alice).update(text='"><script>alert(1)</script><img src=x>')
    for address in ("/start/", "/account/", "/"):
        page = web.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page


@pytest.mark.parametrize("number", [1, 20])
def test_the_page_makes_seven_statements(web, alice, popular, number, django_assert_num_queries):
    begin.say(alice.pk, ", ".join(f"western {n}00" for n in range(number)))
    for film in popular[:number:2]:
        give(alice, film)
    # session, person, person side, candidates, facts, consent, wishes
    with django_assert_num_queries(7):
        assert web.get("/start/").status_code == 200
