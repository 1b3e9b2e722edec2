"""The operator edits scenarios, is told what cannot be, and sees a list before it is anybody's."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from catalog.models import Feedback
from recommender.models import Job, Scenario, ScenarioPin, Served
from tests.factories import give, make_person
from tests.pages.test_admin import address, client_of, form_of

pytestmark = pytest.mark.django_db
PREVIEW = "admin:recommender_scenario_preview"


@pytest.fixture
def operator(db) -> Client:
    return client_of(make_person("operator", is_staff=True, is_superuser=True))


def written(operator, *, pins: list[dict] | None = None, row: Scenario | None = None, **fields):
    """The form as a browser sends it, with some fields filled in."""
    url = address(Scenario, "change", row.pk) if row else address(Scenario, "add")
    data = form_of(operator.get(url)) | fields
    for number, pin in enumerate(pins or []):
        data |= {f"pins-{number}-{name}": value for name, value in pin.items()}
        data["pins-TOTAL_FORMS"] = str(number + 1)
    return url, data


def errors_of(response) -> str:
    return " ".join(
        str(text)
        for texts in [
            *response.context["adminform"].form.errors.values(),
            *[f.formset.non_form_errors() for f in response.context["inline_admin_formsets"]],
        ]
        for text in texts
    )


def test_all_of_a_scenario_is_edited(operator, films):
    url, data = written(
        operator,
        slug="new",
        names='{"en": "New", "zh": "新"}',
        kind="fresh",
        position="3",
        is_active="on",
        sources='{"new": 2, "interest": 1}',
        filter="age_days < 30",
        boosts='[{"if": "price < 5", "strength": -0.5}]',
        half_life_days="2.5",
        budget="0.02",
        strategy="dpp",
        max_per_creator="2",
        again_after_days="30",
        exploration="0.1",
        rotation="0.2",
        pins=[
            {
                "item": films[0].pk,
                "place": "2",
                "label": "picked",
                "starts_at_0": "2026-01-01",
                "starts_at_1": "00:00",
            }
        ],
    )
    response = operator.post(url, data)
    assert response.status_code == 302, errors_of(response)
    row = Scenario.objects.get()
    assert (row.slug, row.kind, row.half_life_days, row.budget) == ("new", "fresh", 2.5, 0.02)
    assert row.sources == {"new": 2, "interest": 1}
    assert row.boosts == [{"if": "price < 5", "strength": -0.5}]
    pin = ScenarioPin.objects.get()
    assert (pin.item, pin.place, pin.label, pin.ends_at) == (films[0], 2, "picked", None)


def test_what_is_left_empty_is_left_to_the_site(operator, films):
    url, data = written(operator, slug="plain", names="", sources="", boosts="")
    response = operator.post(url, data)
    assert response.status_code == 302, errors_of(response)
    row = Scenario.objects.get()
    assert (row.names, row.sources, row.boosts, row.diversity) == ({}, {}, [], None)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"filter": "prize < 3"}, "There is no field “prize”"),
        ({"boosts": '[{"if": "price <", "strength": 1}]'}, "The filter ends too early"),
        ({"boosts": '{"if": 1}'}, "Boosts are a list"),
        ({"sources": '{"near": 1}'}, "has no source “near”"),
        ({"sources": "["}, "Enter a valid JSON."),
        ({"diversity": "0.1", "budget": "0.1"}, "a diversity or a budget, not both"),
        ({"diversity": "2"}, "less than or equal to 1"),
        ({"strategy": "best"}, "Select a valid choice"),
        ({"kind": "category", "max_per_category": "2"}, "The whole list is of one category"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_not_saved(operator, films, fields, told):
    url, data = written(operator, slug="wrong", **fields)
    response = operator.post(url, data)
    assert response.status_code == 200
    assert told in errors_of(response)
    assert not Scenario.objects.exists()


def test_two_pins_at_one_place_are_refused(operator, films):
    pins = [{"item": film.pk, "place": "2", "label": "promoted"} for film in films[:2]]
    url, data = written(operator, slug="crowded", pins=pins)
    assert "Two pins are at place 2" in errors_of(operator.post(url, data))
    assert not Scenario.objects.exists()


# --- preview ------------------------------------------------------------------------------------


def rows_of(response) -> list[str]:
    assert "problems" not in response.context, response.context["problems"]
    return [row["item"]["title"] for row in response.context["rows"]]


def test_a_preview_shows_the_list_of_a_person_by_what_is_not_saved(operator, alice, films):
    give(alice, films[0])  # crime
    feedback, jobs = Feedback.objects.count(), Job.objects.count()
    _, data = written(
        operator,
        slug="try",
        boosts='[{"if": "category = \\"horror\\"", "strength": 1}]',
        diversity="0",
        pins=[{"item": films[7].pk, "place": "1", "label": "promoted"}],
    )
    data["preview-person"] = "Alice@example.org"
    response = operator.post(reverse(PREVIEW), data)
    shown = rows_of(response)
    assert shown[0] == films[7].title
    assert all(title.startswith("Horror") for title in shown[1:7])
    assert films[0].title not in shown
    assert "Promotion" in response.content.decode()
    data |= {"filter": 'category = "crime"', "pins-TOTAL_FORMS": "0"}
    assert all(t.startswith("Crime") for t in rows_of(operator.post(reverse(PREVIEW), data)))
    assert not Scenario.objects.exists()
    assert not ScenarioPin.objects.exists()
    assert not Served.objects.exists()
    assert (Feedback.objects.count(), Job.objects.count()) == (feedback, jobs)


def test_what_was_not_changed_moves_nothing_in_a_preview(operator, alice, films):
    give(alice, films[0])
    row = Scenario.objects.create(slug="home", rotation=0.5)
    _, data = written(operator, row=row, **{"preview-person": "Alice@example.org"})
    rows = operator.post(reverse(PREVIEW, args=[row.pk]), data).context["rows"]
    assert len(rows) == 20
    assert all(shown["before"] == shown["rank"] for shown in rows)


def test_a_preview_says_where_things_stand_as_it_is_saved(operator, alice, films):
    row = Scenario.objects.create(slug="home", diversity=0)
    _, data = written(
        operator, row=row, boosts='[{"if": "category = \\"western\\"", "strength": 1}]'
    )
    response = operator.post(reverse(PREVIEW, args=[row.pk]), data)
    first, *_ = response.context["rows"]
    assert first["item"]["title"].startswith("Western")
    assert first["before"] == 3  # by age, as all are new to who asks
    row.refresh_from_db()
    assert row.boosts == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"preview-person": "nobody@example.org"}, "There is no such person."),
        ({"filter": "prize < 3"}, "There is no field “prize”"),
        ({"kind": "category"}, "needs a category"),
        ({"kind": "similar", "preview-item": "x"}, "Enter a valid UUID."),
        (
            {"kind": "similar", "preview-item": "0198f5a0-0000-7000-8000-000000000000"},
            "There is no such item.",
        ),
    ],
)
def test_a_preview_says_why_no_list_can_be_made(operator, films, fields, told):
    _, data = written(operator, slug="try")
    response = operator.post(reverse(PREVIEW), data | fields)
    assert response.status_code == 200
    assert told in " ".join(map(str, response.context["problems"]))


def test_a_preview_of_one_category_and_of_one_item(operator, films):
    _, data = written(operator, slug="try", kind="category")
    shown = rows_of(operator.post(reverse(PREVIEW), data | {"preview-category": "western"}))
    assert len(shown) == 6
    data |= {"kind": "similar", "preview-item": str(films[0].uuid)}
    response = operator.post(reverse(PREVIEW), data)
    assert rows_of(response)[0].startswith("Crime")
    assert films[0].title in response.content.decode()


def test_a_preview_needs_the_right_to_see_lists(films, operator):
    _, data = written(operator, slug="try")
    person = make_person("editor", is_staff=True)
    for codename in ("view_scenario", "change_scenario", "add_scenario"):
        person.user_permissions.add(Permission.objects.get(codename=codename))
    editor = client_of(person)
    assert "preview" not in editor.get(address(Scenario, "add")).context
    assert editor.post(reverse(PREVIEW), data).status_code == 403
    person.user_permissions.add(Permission.objects.get(codename="view_served"))
    assert editor.post(reverse(PREVIEW), data).status_code == 200
    assert operator.get(reverse(PREVIEW)).status_code == 405
