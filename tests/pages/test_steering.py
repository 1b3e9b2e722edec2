"""More, less and none of what a card shows: buttons that say what is in force, and undo."""

import re

import pytest

from catalog.models import Creator
from recommender import steer
from recommender.models import ItemTopic, Steering, Topic
from tests.factories import make_person

HTMX = {"HX-Request": "true"}
LESS = {"action": "less", "kind": "category", "target": "horror"}


def rows(page: str) -> list[tuple[str, str | None]]:
    """What there is to steer by on a page, and what is in force."""
    forms = re.findall(r'<form class="steer-by.*?</form>', page, re.S)
    pressed = [re.search(r'aria-pressed="true"[^>]*>(\w+)<', form) for form in forms]
    return [
        (re.search(r"<b>(.*?)</b>", form)[1], found and found[1])
        for form, found in zip(forms, pressed, strict=True)
    ]


def test_below_each_card_are_its_kinds_and_creators(web, films):
    page = web.get("/").content.decode()
    card = re.search(r'<article class="card">.*?</article>', page, re.S)[0]
    kind = re.search(r'<li class="hue-\d+">(\w+)</li>', card)[1]
    director = re.search(r"Director \d+", card)[0]
    assert rows(card) == [(kind, None), (director, None)]
    assert re.search(r'role="group" aria-label="\w+ \(category\)"', card)


def test_a_press_is_shown_said_aloud_and_obeyed_by_the_next_list(web, films):
    def horrors() -> int:
        page = web.get("/").content.decode()
        return len(re.findall(r'<li class="hue-\d+">Horror</li>', page))

    before = horrors()
    page = web.post("/steering/", LESS, headers=HTMX).content.decode()
    assert page.startswith('<form class="steer-by steered"')
    assert rows(page) == [("Horror", "Less")]
    assert "autofocus" in page
    assert '<div hx-swap-oob="innerHTML:#announce">Less of Horror, from the next list on.' in page
    assert horrors() < before
    assert re.search(
        r"places changed by what you asked for: <b>[1-9]\d*</b>", web.get("/").content.decode()
    )
    assert ("Horror", "Less") in rows(web.get(f"/items/{films[4].uuid}/").content.decode())


def test_pressed_again_it_is_undone(web, films):
    page = web.post("/steering/", LESS, headers=HTMX).content.decode()
    steering = re.search(r'name="steering" value="([0-9a-f-]{36})"', page)[1]
    undo = LESS | {"action": "undo", "steering": steering}
    page = web.post("/steering/", undo, headers=HTMX).content.decode()
    assert rows(page) == [("Horror", None)]
    assert not Steering.objects.exists()
    assert web.post("/steering/", undo, headers=HTMX).status_code == 404


def test_without_script_it_comes_back_to_the_page_with_a_message(web, films):
    response = web.post("/steering/", LESS | {"next": "/account/"}, follow=True)
    page = response.content.decode()
    assert response.redirect_chain == [("/account/", 302)]
    assert "Less of Horror, from the next list on." in page
    assert rows(page) == [("Horror", "Less")]


def test_the_page_of_an_item_offers_its_topics_too(web, films):
    topic = Topic.objects.create(slug="mile", name="mile", is_shared=True)
    ItemTopic.objects.create(item=films[4], topic=topic)
    web.post("/steering/", {"action": "more", "kind": "topic", "target": "mile"})
    page = web.get(f"/items/{films[4].uuid}/").content.decode()
    own = page[: page.index("</article>")]
    assert rows(own) == [("Horror", None), ("Director 4", None), ("mile", "More")]


def test_what_left_the_catalogue_can_still_be_undone(web, alice, films):
    steer.steer(alice.pk, action="mute", kind="creator", target="Director 4")
    Creator.objects.filter(name="Director 4").delete()
    page = web.get("/account/").content.decode()
    assert rows(page) == [("no longer here", "None")]
    steering = str(Steering.objects.get().uuid)
    undo = {"action": "undo", "kind": "creator", "target": "", "steering": steering}
    assert web.post("/steering/", undo, headers=HTMX).status_code == 200
    assert not Steering.objects.exists()


def test_nobody_undoes_what_another_steers_by(web, bob, films):
    held = steer.steer(bob.pk, action="mute", kind="category", target="horror")
    undo = LESS | {"action": "undo", "steering": str(held.id)}
    assert web.post("/steering/", undo).status_code == 404
    assert Steering.objects.count() == 1


def test_without_consent_the_buttons_say_so(client, films):
    client.force_login(make_person("carol", agrees=False))
    page = client.post("/steering/", LESS, headers=HTMX).content.decode()
    assert re.search(r'<p class="problem" role="alert">Please agree first', page)
    assert rows(page) == [("Horror", None)]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        (LESS | {"action": "hide"}, 400),
        (LESS | {"action": ""}, 400),
        (LESS | {"kind": "item"}, 400),
        (LESS | {"target": ""}, 400),
        (LESS | {"target": "x" * 201}, 400),
        (LESS | {"target": "a\x00b"}, 400),
        (LESS | {"action": "undo"}, 400),
        (LESS | {"action": "undo", "steering": "7"}, 400),
        (LESS | {"target": "nothing"}, 404),
        (LESS | {"target": "<script>alert(1)</script>"}, 404),
    ],
)
def test_what_cannot_be_read_is_refused(web, films, form, status):
    assert web.post("/steering/", form).status_code == status
    assert not Steering.objects.exists()


def test_a_form_of_another_site_steers_nothing(strict, films):
    assert strict.post("/steering/", LESS).status_code == 403


def test_a_name_is_text(web, alice, films):
    Creator.objects.filter(name="Director 4").update(name="<script>alert(1)</script>")
    for page in ("/", f"/items/{films[4].uuid}/"):
        assert "<script>alert" not in web.get(page).content.decode()


@pytest.mark.parametrize("number", [1, 20])
def test_the_account_reads_all_of_a_kind_at_once(
    web, alice, films, number, django_assert_num_queries
):
    for n in range(number):
        steer.steer(alice.pk, action="less", kind="creator", target=f"Director {n}")
    # session, person, diversity, history with its items, interests, wishes, steering, creators
    with django_assert_num_queries(8):
        assert len(web.get("/account/").context["steers"]) == number
