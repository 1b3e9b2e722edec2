""" "Why this?" on each card: opened in place, or as a page of its own."""

import re

from django.test import Client
from django.urls import reverse

from recommender.models import Served
from tests.factories import give, make_person

HTMX = {"HX-Request": "true"}


def links(response) -> list[str]:
    return re.findall(r'<details class="why" hx-get="([^"]+)"', response.content.decode())


def points(page: str) -> list[int]:
    """Those of the parts, then their sum."""
    return [int(n.replace("−", "-")) for n in re.findall(r"<b>(−?\d+)</b>", page)]


def test_each_card_of_a_list_says_why(web, alice, films):
    give(alice, films[0])
    found = web.get("/")
    matches = [card["match"] for card in found.context["cards"]]
    told = [web.get(link, headers=HTMX).content.decode() for link in links(found)]
    assert len(told) == len(matches) == 20
    for page, match in zip(told, matches, strict=True):
        *parts, total = points(page)
        assert sum(parts) == total == match
        assert "<html" not in page
    assert any("Crime at the 0th mile" in page for page in told)  # the like behind it


def test_without_scripts_it_is_a_page(web, films):
    found = web.get("/")
    link = links(found)[0]
    assert f'<a href="{link}">' in found.content.decode()
    page = web.get(link).content.decode()
    assert "<h1>Why this?<small>" in page
    assert 'href="/"' in page


def test_it_is_told_in_chinese(web, films):
    link = links(web.get("/"))[0]
    page = web.get(link, headers={"accept-language": "zh-hans"}).content.decode()
    assert "为什么推荐？" in page
    assert "来源：" in page


def test_a_visitor_and_a_stranger_are_not_told(web, visitor, films, bob):
    assert links(visitor.get("/")) == []
    link = links(web.get("/"))[0]
    assert visitor.get(link)["Location"].startswith("/sign-in/")
    stranger = Client()
    stranger.force_login(bob)
    assert stranger.get(link).status_code == 404


def test_lists_of_items_and_of_findings_have_none(web, films):
    assert links(web.get(f"/items/{films[0].uuid}/")) == []
    assert links(web.get("/search/?q=mile")) == []


def test_an_operator_comes_to_it_from_the_served_list(web, films):
    link = links(web.get("/"))[0]
    operator = Client()
    operator.force_login(make_person("operator", is_staff=True, is_superuser=True))
    served = Served.objects.get()
    page = operator.get(reverse("admin:recommender_served_change", args=[served.pk]))
    assert f'<a href="{link}">' in page.content.decode()
    assert operator.get(link).status_code == 200
    Served.objects.update(explanation=None)  # from before explanations were kept
    page = operator.get(reverse("admin:recommender_served_change", args=[served.pk]))
    assert 'href="/why/' not in page.content.decode()
