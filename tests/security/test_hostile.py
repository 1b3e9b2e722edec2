"""Bodies, parameters and pages that nobody sends by mistake: refused, quickly, in the one shape.

The test client itself fails for an error of the server and for an answer outside the schema.
"""

import gzip
import json
import time
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import contract
from tests.security import cases, routes
from tests.security.test_mass_assignment import writable

pytestmark = pytest.mark.django_db
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "----------------"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(n: int) -> str:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a{n}"\r\n\r\n1\r\n'


BODIES = {
    "nothing": (JSON, b""),
    "half": (JSON, b"{"),
    "null": (JSON, b"null"),
    "a number": (JSON, b"7"),
    "a text": (JSON, b'"like"'),
    "true": (JSON, b"true"),
    "an empty list": (JSON, b"[]"),
    "lists in lists": (JSON, b"[[[]]]"),
    "a list of nothing": (JSON, b"[null]"),
    "NUL in a name": (JSON, b'{"\\u0000": 1}'),
    "NUL in a value": (JSON, b'{"text": "\\u0000", "name": "\\u0000"}'),
    "half a character in a name": (JSON, b'{"\\ud800": 1}'),
    "half a character in a value": (JSON, b'{"text": "\\udfff", "name": "\\ud800"}'),
    "NaN": (JSON, b'{"value": NaN, "diversity": NaN}'),
    "infinity": (JSON, b'{"value": Infinity, "diversity": -Infinity}'),
    "beyond a float": (JSON, b'{"value": 1e999, "diversity": 1e999}'),
    "a huge number": (JSON, b'{"value": 1' + b"0" * 5000 + b', "positions": [1]}'),
    "two to the power of 200": (JSON, f'{{"positions": [{2**200}], "list": {2**63}}}'.encode()),
    "5,000 deep": (JSON, b"[" * 5000 + b"]" * 5000),
    "100,000 deep": (JSON, b'{"a":' * 100_000),
    "10,000 fields": (JSON, json.dumps({f"a{n}": n for n in range(10_000)}).encode()),
    "10,000 entries": (JSON, b"[" + b",".join([b"{}"] * 10_000) + b"]"),
    "the same name twice": (JSON, b'{"kind": "like", "kind": "hide", "item": 1}'),
    "a proto": (JSON, b'{"__proto__": {"is_staff": true}, "constructor": 1}'),
    "an operator": (JSON, b'{"item": {"$gt": ""}, "email": {"$ne": null}, "password": []}'),
    "no UTF-8": (JSON, b'{"name": "\xff\xfe"}'),
    "UTF-16": (JSON, '{"name": "x"}'.encode("utf-16")),
    "a codec of no text": ("application/json; charset=base64", b"7"),
    "a codec that is none": ("application/json; charset=nothing", b"7"),
    "gzip": (JSON, gzip.compress(b" " * 1_000_000)),
    "a form": (FORM, b"kind=like&item=1"),
    "a form of 10,000 fields": (FORM, "&".join(f"a{n}=1" for n in range(10_000)).encode()),
    "1,000 parts": (MULTIPART, "".join(map(part, range(1000))).encode() + b"--"),
    "parts without an end": (MULTIPART, part(0)[:-4].encode()),
    "parts in a codec of no text": (f"{MULTIPART}; charset=base64", part(0).encode() + b"--"),
    "a form in a codec of no text": (f"{FORM}; charset=rot13", b"kind=like"),
    "a boundary that is none": ("multipart/form-data", b"x"),
    "XML": ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    "pickle": ("application/python-pickle", b"cos\nsystem\n(S'true'\ntR."),
    "text": ("text/plain", b"kind=like"),
    "no type": ("", b'{"kind": "like"}'),
}


def test_no_hostile_body_is_taken_by_any_operation(victim):
    for address, method, _body in writable(victim):
        for name, (kind, body) in BODIES.items():
            answer = victim.client_for(address).generic(method, address, body, kind)
            if answer.status_code == 207:  # a batch answers for each of its entries
                assert min(entry["status"] for entry in answer.json()) >= 400, (address, name)
                continue
            if (method, name) == ("PATCH", "nothing"):
                continue  # nothing is to be changed
            assert 400 <= answer.status_code < 500, (method, address, name)
            if kind != JSON and answer.status_code not in (401, 403):
                assert answer.status_code in (400, 413, 415), (method, address, name)


@pytest.mark.slow
def test_no_hostile_form_is_an_error_on_the_site(victim):
    """The pages have a form or two for each of these."""
    for route, case in cases.cases_of(victim).items():
        if route.startswith(("api/", "health/")) or "POST" not in case.methods:
            continue
        for name, (kind, body) in BODIES.items():
            answer = victim.site.generic("POST", routes.address_of(route, case), body, kind)
            assert answer.status_code < 500, (route, name)


@pytest.mark.parametrize("size", [3_000_000, 30_000_000])
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_what_is_too_large_is_refused_at_once(victim, size, kind):
    body = b'{"text": "' + b"x" * size + b'"}'
    for address, method, _body in list(writable(victim)):
        began = time.perf_counter()
        answer = victim.client_for(address).generic(method, address, body, kind)
        assert answer.status_code in ({413} if kind == JSON else {413, 415}), (method, address)
        assert time.perf_counter() - began < 1


def test_a_body_that_says_it_is_compressed_is_not_unpacked(victim):
    bomb = gzip.compress(b'{"name": "' + b"x" * 900_000 + b'"}')
    for address, method, _body in writable(victim):
        answer = victim.client_for(address).generic(
            method, address, bomb, JSON, HTTP_CONTENT_ENCODING="gzip"
        )
        assert answer.status_code in (400, 415), (method, address)


# --- parameters -------------------------------------------------------------------------------


def readable(victim) -> list[str]:
    """The address of each operation that is read by GET."""
    found = {}
    for route, case in cases.cases_of(victim).items():
        address = routes.address_of(route, case).partition("?")[0]
        path = contract.path_of(address)
        if path and "get" in contract.schema()["paths"][path]:
            found[address] = path
    return sorted(found)


def known(address: str) -> set[str]:
    operation = contract.schema()["paths"][contract.path_of(address)]["get"]
    return {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}


@pytest.mark.parametrize(
    "value",
    ["1e9", "1000000000", "101", "0", "-1", "9223372036854775808", "NaN", "inf", "0x10", "5;",
     "5 OR 1=1", "%00", "five"],
)  # fmt: skip
def test_no_list_is_longer_than_a_hundred(victim, value):
    tried = 0
    for address in readable(victim):
        if "limit" in known(address):
            needed = "&q=kettle" if "q" in known(address) else ""
            answer = victim.client_for(address).get(f"{address}?limit={value}{needed}")
            assert answer.status_code == 400, address
            tried += 1
    assert tried > 4


@pytest.mark.parametrize("name", ["offset", "page", "page_size", "per_page", "skip", "start"])
def test_there_is_no_other_way_to_page(victim, name):
    for address in readable(victim):
        if "limit" in known(address):
            for value in (2**63, -1, 10**9):
                assert (
                    victim.client_for(address).get(f"{address}?{name}={value}").status_code == 400
                ), address


NAMES = ("_connector", "_negated", "user__password__regex", "id__in", "limit__gt", "__class__",
         "format", "cursor", "ordering", "order_by", "fields", "filter", "q", "category", "--",
         "limit[]", "limit[$gt]", "';--", "*", "%s", "item__creators__name")  # fmt: skip
VALUES = ("OR", "(a+)+$", ",".join("1" * 5000), "1;--", "'; DROP TABLE catalog_user;--", "\x00",
          "id;drop", "-id", "' OR '1'='1", "{{7*7}}", "${7*7}", "../../etc/passwd", "%", "\\",
          "😀" * 200, "ﷺ", "\u202e", "1e400", "null", "[]", "{}")  # fmt: skip


def try_parameters(victim, addresses: list[str], parameters: list[tuple[str, str]]) -> None:
    query = urlencode(parameters, errors="replace")
    for address in addresses:
        answer = victim.client_for(address).get(f"{address}?{query}")
        if known(address) and {name for name, _value in parameters} - known(address):
            assert answer.status_code == 400, (address, query)


def test_names_and_values_that_mean_something_elsewhere_mean_nothing_here(victim):
    addresses = readable(victim)
    for number, name in enumerate(NAMES[:8]):
        try_parameters(victim, addresses, [(name, VALUES[number % len(VALUES)])])


@pytest.mark.slow
def test_no_parameter_takes_a_value_that_means_something_elsewhere(victim):
    addresses = readable(victim)
    for number, name in enumerate(NAMES):
        try_parameters(victim, addresses, [(name, VALUES[number % len(VALUES)])])
    for address in addresses:
        for name in known(address):
            for value in VALUES:
                try_parameters(victim, [address], [(name, value)])


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    parameters=st.lists(
        st.tuples(st.sampled_from(NAMES) | TEXTS, st.sampled_from(VALUES) | TEXTS), max_size=4
    )
)
def test_whatever_parameters_are_called_and_hold_no_error_comes_of_it(victim, parameters):
    try_parameters(victim, readable(victim), parameters)
