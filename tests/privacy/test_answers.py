"""What answers do not tell: a number of people, a vector, or a score that one is made from."""

from collections.abc import Iterator

import pytest
from django.db.models import F
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from recommender import learn
from recommender.models import Popularity
from tests.conftest import client_of
from tests.factories import give, import_feedback, make_person
from tests.privacy.conftest import busy

pytestmark = pytest.mark.django_db
MOST_NUMBERS = 8  # that stand side by side in an answer
ANSWERS = [
    "recommendations/?limit=20&seed=1", "recommendations/?limit=5&seed=1&diversity=0.7",
    "items/", "search/?q=kettle", "scenarios/", "categories/", "creators/", "me/", "me/wishes/",
    "me/steering/", "feedback/", "me/export/",
]  # fmt: skip


def arrays_of_numbers(data: object, at: str = "") -> Iterator[tuple[str, int]]:
    """Each list of numbers in an answer, with its length."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from arrays_of_numbers(value, f"{at}.{name}")
    elif isinstance(data, list):
        if data and all(isinstance(value, int | float) for value in data):
            yield at, len(data)
        for value in data:
            yield from arrays_of_numbers(value, f"{at}[]")


def arrays_in_schema(part: object, at: str = "") -> Iterator[str]:
    """Each list of fractions that the schema lets come out; whole numbers are places."""
    if isinstance(part, dict):
        if part.get("type") == "array" and part.get("items", {}).get("type") == "number":
            yield at
        for name, value in part.items():
            yield from arrays_in_schema(value, f"{at}/{name}")
    elif isinstance(part, list):
        for value in part:
            yield from arrays_in_schema(value, at)


def test_no_answer_holds_a_vector(shop, version, as_bob):
    ann, _ = busy("ann", shop)
    client = client_of(ann)
    served = client.get("/api/v1/recommendations/?seed=1").json()
    of_list = f"recommendations/{served['id']}/why/{served['results'][0]['item']['id']}/"
    about = [f"items/{shop[0].uuid}/", f"items/{shop[0].uuid}/similar/", of_list]
    for path in ANSWERS + about:
        answer = client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, path
        found = [one for one in arrays_of_numbers(answer.json()) if one[1] > MOST_NUMBERS]
        assert found == [], path


def test_the_schema_lets_no_list_of_fractions_out():
    components = SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"]
    coming_in = ("In", "InRequest", "Request")
    found = {
        f"{name}{at}"
        for name, schema in components.items()
        if not name.endswith(coming_in)
        for at in arrays_in_schema(schema)
    }
    assert found == set()


def test_a_score_that_moves_a_little_changes_no_answer(shop, version, as_alice, alice):
    give(alice, shop[0])
    asked = "/api/v1/recommendations/?limit=20&seed=1&diversity=0"
    before = as_alice.get(asked).json()["results"]
    Popularity.objects.update(score=F("score") * 0.9999)
    assert as_alice.get(asked).json()["results"] == before
    assert {row["relevance"] for row in before} <= {points / 100 for points in range(101)}


@pytest.mark.parametrize("people", [1, 19, 20, 25])
def test_no_number_of_people_is_told(shop, as_bob, people):
    """One more or less, around any threshold, is seen in no answer about an item."""
    item = shop[0]
    for n in range(people):
        import_feedback(make_person(f"fan{n}"), item)
    learn.refresh_popularity()
    web = Client()

    def answers() -> list[bytes]:
        api = [f"items/{item.uuid}/", f"items/{item.uuid}/similar/", "items/", "search/?q=kettle"]
        told = [as_bob.get(f"/api/v1/{path}").content for path in api]
        page = web.get(f"/items/{item.uuid}/").content.decode()
        return [*told, page[page.index("<h1") : page.index("<form")].encode()]

    before = answers()
    import_feedback(make_person("one more"), item)
    learn.refresh_popularity()
    assert answers() == before
