"""Nobody gets at what is another's: every route, every method, by everybody."""

import re

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin

from tests.factories import make_person
from tests.security import cases as made
from tests.security import routes
from tests.security.routes import Case, Whose

pytestmark = pytest.mark.django_db
ADMIN = settings.ADMIN_PATH
SITE = [route for route in routes.routes() if not route.startswith(ADMIN)]
IN_ADMIN = [route for route in routes.routes() if route.startswith(ADMIN)]


FEW = ("GET", "POST", "DELETE")


def faults(victim, askers, cases: dict[str, Case], *, methods=routes.METHODS) -> list[str]:
    kept = routes.everything_of(victim.person)
    return [
        fault
        for asker in askers
        for route, case in cases.items()
        for fault in routes.faults_of(
            asker,
            route,
            case,
            secrets=victim.secrets,
            kept=kept,
            methods=methods if asker.name == "somebody else" else FEW,  # it is quicker
        )
    ]


def test_each_route_has_a_case_and_each_case_a_route(victim):
    cases = set(made.cases_of(victim))
    assert sorted(set(SITE) - cases) == []
    assert sorted(cases - set(SITE) - set(IN_ADMIN)) == []


def test_no_route_gives_or_changes_what_is_anothers(victim, askers):
    cases = made.cases_of(victim)
    assert faults(victim, askers, {route: cases[route] for route in SITE}) == []


def test_each_route_does_its_work_for_whom_it_is(victim, askers):
    """Else a refusal would prove nothing. What it shows are the secrets looked for above."""
    for route, case in made.cases_of(victim).items():
        if case.whose in (Whose.STAFF, Whose.OPERATOR) or route.startswith(ADMIN):
            continue
        is_api, case = route.startswith("api/"), case.of_owner
        client = victim.client_for(route)
        address = routes.address_of(route, case)
        for method, body in case.methods.items():
            with routes.undone():
                answer = routes.ask(client, address, method, body, is_api=is_api)
                assert answer.status_code < 400, (method, route, answer.content)
            if case.shows and method != "POST" and answer.content and answer.status_code != 202:
                assert any(secret in str(answer.content) for secret in victim.secrets), route


# --- the admin --------------------------------------------------------------------------------


def cases_in_admin(victim) -> dict[str, Case]:
    """For operators with the right, each of them, unless a case says otherwise."""
    known = made.cases_of(victim)
    return {
        route: known.get(route) or Case(Whose.OPERATOR, names=object_in(route, victim))
        for route in IN_ADMIN
        if "(?P<" not in route  # two patterns of Django's, tried below
    }


def object_in(route: str, victim) -> dict[str, object]:
    """The victim's row of the table that a route of the admin is about, else any."""
    found = re.match(rf"{ADMIN}(\w+)/(\w+)/", route)
    model = apps.get_model(*found.groups()) if found else None
    rows = model._base_manager.all() if model else []
    if model and "user" in {one.name for one in model._meta.fields}:
        rows = rows.filter(user=victim.person)
    if model is type(victim.person):
        rows = rows.filter(pk=victim.person.pk)
    pk = rows[0].pk if rows else 1
    return dict.fromkeys(("object_id", "id", "pk"), pk) | {"content_type_id": 1}


def test_no_route_of_the_admin_opens_without_the_right(victim, askers):
    assert faults(victim, askers, cases_in_admin(victim), methods=FEW) == []
    for asker in askers:
        for address in ("catalog/", "recommender/", "nothing/"):
            assert asker.site.get(f"/{ADMIN}{address}").status_code in (302, 404)


def test_every_table_in_the_admin_opens_for_a_superuser(victim):
    root = made.signed_in(make_person("root", is_staff=True, is_superuser=True))
    for model in admin.site._registry:
        address = f"/{ADMIN}{model._meta.app_label}/{model._meta.model_name}/"
        assert root.get(address).status_code == 200, address
    assert made.MARK in root.get(f"/{ADMIN}catalog/user/").content.decode()


# --- the harness can fail ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "fault"),
    [
        ("tells/<uuid:uuid>/", "told"),
        ("tells/<uuid:uuid>/", "though it is not theirs"),
        ("whispers/<uuid:uuid>/", "told"),
        ("changes/<uuid:uuid>/", "changed"),
        ("breaks/<uuid:uuid>/", "500"),
        ("differs/<uuid:uuid>/", "not as if it were missing"),
        ("opens/", "though it is not theirs"),
    ],
)
def test_a_route_that_does_wrong_is_found(victim, askers, settings, route, fault):
    settings.ROOT_URLCONF = "tests.security.leaky"
    row = victim.person if route.startswith("tells") else victim.feedback
    case = Case(Whose.NAMED, names={"uuid": str(row.uuid)})
    if route == "opens/":
        case = Case(Whose.OPERATOR)
    found = faults(victim, askers, {route: case}, methods=("GET",))
    for asker in ("a visitor", "somebody else", "an operator without the right"):
        assert [one for one in found if fault in one and asker in one], found


def test_a_route_without_a_case_is_found(victim):
    unknown = set(routes.routes("tests.security.leaky")) - set(made.cases_of(victim))
    assert len(unknown) == 6
