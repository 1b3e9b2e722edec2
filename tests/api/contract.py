"""Holds every answer of the API that a test gets to the schema; conftest hooks it into the client.

Objects are closed here. Clients are told to bear fields that are added later, but a field that no
serializer names has leaked.
"""

import copy
import gzip
import json
import re
from functools import cache

import jsonschema_rs
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator

PREFIX = "/api/v1/"
PROBLEM = "application/problem+json"
LINES = "application/x-ndjson"  # a value a line
# What may be answered where the schema has no operation.
REFUSALS = {400, 401, 403, 404, 405, 406, 413, 415, 429, 503}


@cache
def schema() -> dict:
    return SchemaGenerator().get_schema(request=None, public=True)


@cache
def _paths() -> list[tuple[re.Pattern, str]]:
    paths = sorted(schema()["paths"], key=lambda path: path.count("{"))  # fixed ones go first
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]


def path_of(address: str) -> str | None:
    """The path of the schema that an address belongs to."""
    return next((path for pattern, path in _paths() if pattern.fullmatch(address)), None)


def faults_of(method: str, address: str, response: HttpResponse) -> str | None:
    """What of an answer is not as the schema says; None if all is.

    method  as it was sent: of HEAD all but the body is looked at
    address  without the query
    """
    if not address.startswith(PREFIX):
        return None
    path, status = path_of(address), str(response.status_code)
    if path is None and status == "301" and path_of(f"{address}/"):
        return None  # only the last slash was missing
    asked = "get" if method == "HEAD" else method.lower()
    if path is None or asked not in schema()["paths"][path]:
        if response.status_code not in REFUSALS:
            return f"{status} where the schema has nothing"
        return _faults(response, PROBLEM, ("components", "schemas", "Problem"), method)

    at = ("paths", path, asked, "responses")
    answers = schema()["paths"][path][asked]["responses"]
    if status not in answers:
        return f"{status} is not among {', '.join(answers)}"
    if "$ref" in answers[status]:
        at, status = ("components", "responses"), answers[status]["$ref"].rpartition("/")[2]
        answers = schema()["components"]["responses"]
    content = answers[status].get("content")
    if not content:
        return None if response.streaming or not response.content else f"{status} has no body"
    kind = _kind(response)
    if kind not in content:
        return f"{status} comes as {', '.join(content)}, not as {kind}"
    return _faults(response, kind, (*at, status, "content", kind, "schema"), method)


def _kind(response: HttpResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0]


def _faults(response: HttpResponse, kind: str, at: tuple[str, ...], method: str) -> str | None:
    if _kind(response) != kind:
        return f"it comes as {_kind(response)}, not as {kind}"
    if method == "HEAD" or not kind.endswith("json"):
        return None
    if response.streaming:
        pieces = list(response.streaming_content)
        response.streaming_content = pieces  # for the test to read
        body = b"".join(pieces)
    else:
        body = response.content
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    texts = body.splitlines() if kind == LINES else [body]
    try:
        values = [json.loads(text, parse_constant=_refuse) for text in texts]
    except ValueError as error:
        return f"not JSON: {error}"
    found = [
        f"{'.'.join(map(str, error.instance_path)) or 'the answer'}: {error.message[:300]}"
        for value in values
        for error in _validator(at).iter_errors(value)
    ]
    return "; ".join(found[:5]) or None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@cache
def _validator(at: tuple[str, ...]):
    """The part of the closed schema that lies at a path of keys, compiled."""
    node = _closed()
    for key in at:
        node = node[key]
    return jsonschema_rs.Draft202012Validator(
        {"allOf": [node], "components": _closed()["components"]}, validate_formats=True
    )


@cache
def _closed() -> dict:
    found = copy.deepcopy(schema())
    nodes: list = [found["components"]["schemas"]]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict) and isinstance(node.get("properties"), dict):
            node.setdefault("additionalProperties", False)
        if isinstance(node, dict | list):
            nodes += node.values() if isinstance(node, dict) else node
    return found
