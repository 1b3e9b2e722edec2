"""What may be written is listed: no field of a row beyond the list is set by naming it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from tests.api import contract
from tests.security import cases as made
from tests.security import routes

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
AWAY = {"account/access/", "password/reset/<uuid:uidb64>/<str:token>/", "confirm/<str:code>/"}
AT_ONCE = 20  # as many as one answer names
GENERIC = (
    *("is_superuser", "is_staff", "is_active", "is_admin", "groups", "user_permissions", "role"),
    *("user", "user_id", "owner", "owner_id", "pk", "created", "updated_at", "score", "weight"),
    *("tenant", "_state", "__class__", "password", "consent_epoch", "kind", "erased_at"),
)


def names() -> list[str]:
    """The fields of all models, by name and by column, and what is tried everywhere."""
    found = set(GENERIC)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            found |= {field.name, getattr(field, "attname", field.name)}
    return sorted(found)


def writable(victim) -> Iterator[tuple[str, str, dict]]:
    """Each operation of the API that takes a body: address, method, a body that is right."""
    cases = {
        path: (routes.address_of(route, case), case.of_owner)
        for route, case in made.cases_of(victim).items()
        if (path := contract.path_of(routes.address_of(route, case).partition("?")[0]))
    }
    for path, operations in contract.schema()["paths"].items():
        for method, operation in operations.items():
            if "application/json" in operation.get("requestBody", {}).get("content", ()):
                address, case = cases[path]
                yield address, method.upper(), case.methods[method.upper()]


def test_a_name_that_is_not_on_the_list_is_refused_by_every_operation(victim, askers):
    tried = 0
    for address, method, body in writable(victim):
        strange = [name for name in names() if name not in known_to(address, method)]
        for start in range(0, len(strange), AT_ONCE):
            some = strange[start : start + AT_ONCE]
            change = dict.fromkeys(some, True)
            before = routes.everything_of(victim.person)()
            answer = victim.client_for(address).generic(
                method, address, routes.in_json(change | body), "application/json"
            )
            assert answer.status_code == 400, (method, address, some)
            told = {error["field"] for error in answer.json()["errors"]}
            assert told == set(some), (method, address)
            assert routes.everything_of(victim.person)() == before
            tried += len(some)
    assert tried > 1000


def known_to(address: str, method: str) -> set[str]:
    operation = contract.schema()["paths"][contract.path_of(address.partition("?")[0])][
        method.lower()
    ]
    part = operation["requestBody"]["content"]["application/json"]["schema"]
    found, parts = set(), [part]
    while parts:
        part = parts.pop()
        if "$ref" in part:
            parts.append(contract.schema()["components"]["schemas"][part["$ref"].split("/")[-1]])
        found |= set(part.get("properties", ()))
        parts += [*part.get("oneOf", ()), *part.get("anyOf", ()), *part.get("allOf", ())]
        parts += [part["items"]] if "items" in part else []
    return found


def test_a_form_of_the_site_sets_nothing_beyond_its_own_fields(victim):
    """Django drops what a form does not name, so this looks at what came of it."""
    kept = ("email", "password", "kind", "is_staff", "is_superuser", "is_active", "uuid",
            "source", "external_id", "created_at", "merged_into_id", "erased_at")  # fmt: skip
    person = victim.person
    of_a_person = {field.name for field in person._meta.concrete_fields} | set(GENERIC)
    before = {name: getattr(person, name) for name in kept}
    for route, case in made.cases_of(victim).items():
        if route in AWAY or route.startswith(("api/", made.ADMIN)) or not case.methods.get("POST"):
            continue
        case = case.of_owner
        body = dict.fromkeys(of_a_person, "1") | case.methods["POST"]
        with routes.undone():
            address = routes.address_of(route, case)
            answer = routes.ask(victim.site, address, "POST", body, is_api=False)
            assert answer.status_code < 400, route
            person.refresh_from_db()
            assert {name: getattr(person, name) for name in kept} == before, route
            assert not person.groups.exists()
            made_now = type(person).objects.exclude(pk=person.pk)
            assert not made_now.filter(is_staff=True).exists(), route
            assert not made_now.filter(is_superuser=True).exists(), route


@pytest.mark.parametrize("text", ["rows.filter(**request.GET)", "rows.order_by(*request.GET['o'])"])
def test_what_looks_for_requests_in_queries_finds_them(text):
    assert requests_in_queries(text)


def test_no_parameter_goes_into_a_query_as_it_came():
    """Names of lookups are ours alone: what a request says is a value, and was checked."""
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for app in ("catalog", "recommender", "recsite")
        for path in (ROOT / app).rglob("*.py")
        for line in requests_in_queries(path.read_text())
    }
    assert found == set()


def requests_in_queries(source: str) -> list[int]:
    """Lines that unpack what a request brought into a call, or name a field by it."""
    brought = {"GET", "POST", "query_params", "data", "headers"}

    def is_brought(node: ast.AST) -> bool:
        """request.GET, request.GET.dict(), request.GET["order"]; not what a form made of it."""
        while isinstance(node, ast.Call | ast.Subscript | ast.Starred):
            node = node.func if isinstance(node, ast.Call) else node.value
        dotted = ast.unparse(node).split(".")
        return dotted[0] == "request" and dotted[1:2] and dotted[1] in brought

    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and any(
            is_brought(part)
            for part in [
                *(word.value for word in node.keywords if word.arg is None),
                *(one for one in node.args if isinstance(one, ast.Starred)),
            ]
        )
    ]


@pytest.mark.parametrize(
    "text", ["class Meta:\n    exclude = ['x']", "class Meta:\n    fields = '__all__'"]
)
def test_what_looks_for_open_lists_finds_them(text):
    assert open_lists(text)


def test_no_form_or_serializer_takes_all_fields_or_all_but_some():
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for app in ("catalog", "recommender", "recsite")
        for path in (ROOT / app).rglob("*.py")
        for line in open_lists(path.read_text())
    }
    assert found == set()


def open_lists(source: str) -> list[int]:
    """Lines of a Meta that assign fields = "__all__", or exclude."""
    return [
        node.lineno
        for meta in ast.walk(ast.parse(source))
        if isinstance(meta, ast.ClassDef) and meta.name == "Meta"
        for node in meta.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
        and (
            target.id == "exclude"
            or (target.id == "fields" and getattr(node.value, "value", "") == "__all__")
        )
    ]
