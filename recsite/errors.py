"""The one shape of an error of the API: problem details (RFC 9457). No bytes give a 500.

{"type": "…/validation", "title": "…", "status": 400, "detail": "…",
 "errors": [{"field": "limit", "code": "max_value", "detail": "…"}]}
"""

import logging
import re
from collections.abc import Iterator

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, InternalError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.parsers import JSONParser
from rest_framework.response import Response

from catalog.services import Refused

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"
DEEPEST = 20
READ_ONLY = "25006"  # state of an error: this server takes no writes
KEPT = ("Content-Language", "Vary", "Allow", "Retry-After")  # of an answer that takes our shape
STATUS_OF_REFUSAL = {
    "conflict": 409,
    "email_taken": 409,
    "no_account": 403,
    "no_consent": 403,
    "too_many_tries": 429,
}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(JSONParser):
    """JSON that can be stored: no NUL, no lone surrogate, no NaN, not nested without end."""

    def parse(self, stream, media_type=None, parser_context=None):
        try:
            data = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError(_("The JSON is nested too deeply.")) from None
        refuse_unstorable(data)
        return data


def refuse_unstorable(data: object) -> None:
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise exceptions.ParseError(_("The JSON is nested too deeply."))
        below: list[object] = []
        for value in level:
            if isinstance(value, str) and _UNSTORABLE.search(value):
                raise exceptions.ParseError(_("The JSON holds NUL or half a character."))
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
        level = below


def problem(error: Exception, context: dict) -> Response | None:
    """DRF's exception handler: every error a view can meet, in the one shape."""
    if isinstance(error, Refused):
        errors = [{"field": error.field, "code": error.code, "detail": error.message}]
        response = _respond(*_known(error), errors=errors if error.field else [])
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(wait)
        return response
    if isinstance(error, exceptions.ValidationError):
        errors = list(_flatten(error.get_full_details()))
        detail = "; ".join(
            f"{e['field']}: {e['detail']}" if e["field"] else e["detail"] for e in errors
        )
        return _respond(400, "validation", detail, errors=errors)
    if isinstance(error, Http404):
        return _respond(404, "not_found", _("There is nothing here."))
    if isinstance(error, PermissionDenied):
        return _respond(403, "permission_denied", _("You may not do this."))
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        response = _respond(
            error.status_code, codes if isinstance(codes, str) else "error", str(error.detail)
        )
        if challenge := getattr(error, "auth_header", None):
            response["WWW-Authenticate"] = challenge
        if wait := getattr(error, "wait", None):
            response["Retry-After"] = str(int(wait) + 1)
        return response
    if known := _known(error):
        status, code, detail = known
        return _respond(status, code, detail)
    return None


def _known(error: Exception) -> tuple[int, str, str] | None:
    """What a service or the platform beneath a view may raise on bad input or in bad times."""
    if isinstance(error, Refused):
        return STATUS_OF_REFUSAL.get(error.code, 400), error.code, error.message
    if isinstance(error, RequestDataTooBig):
        return 413, "too_large", _("The request is larger than 1 MB.")
    if isinstance(error, OperationalError | InterfaceError) or _left_a_standby(error):
        log.error("the database did not answer: %s", error)
        return 503, "unavailable", _("Please try again in a moment.")
    if isinstance(error, DataError | UnicodeError | RecursionError | SuspiciousOperation):
        log.info("refused: %s", error)
        return 400, "unreadable", _("The request cannot be read.")
    return None


def _left_a_standby(error: Exception) -> bool:
    """Give up a connection whose server became a standby beneath it, and say whether it was so: the
    next one goes to the server that takes writes."""
    if isinstance(error, InternalError) and getattr(error.__cause__, "sqlstate", "") == READ_ONLY:
        if connection.connection is not None:
            connection.connection.close()  # for good: a pool would lend it again
        return True
    return False


def _respond(status: int, code: str, detail: str, *, errors: list[dict] | None = None) -> Response:
    body = body_of(status, code, detail)
    if errors:
        body["errors"] = errors
    response = Response(body, status=status, content_type=CONTENT_TYPE)
    if status == 503:
        response["Retry-After"] = "2"
    return response


def body_of(status: int, code: str, detail: str) -> dict:
    title = {
        400: _("The request is not right."),
        401: _("Please sign in."),
        403: _("Not allowed."),
        404: _("Not found."),
        405: _("This cannot be done here."),
        409: _("That is in conflict with what is there."),
        413: _("Too large."),
        415: _("This form of content is not read here."),
        429: _("Too many requests."),
        503: _("Not available now."),
    }.get(status, _("Something went wrong."))
    return {"type": f"urn:medley:{code}", "title": title, "status": status, "detail": detail}


def _flatten(details: object, path: str = "") -> Iterator[dict]:
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        field = "" if path == "non_field_errors" else path.removesuffix(".non_field_errors")
        yield {"field": field, "code": details["code"], "detail": str(details["message"])}
    elif isinstance(details, dict):
        for name, inner in details.items():
            yield from _flatten(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(details, list):
        for number, inner in enumerate(details):
            is_message = isinstance(inner, dict) and set(inner) == {"message", "code"}
            yield from _flatten(inner, path if is_message or not path else f"{path}[{number}]")


class ProblemMiddleware:
    """What Django answers before or around a view, in the API's shape for API paths."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            request.path_info.startswith("/api/v1/")
            and response.status_code >= 400
            and response.headers.get("Content-Type") != CONTENT_TYPE
        ):
            code = {404: "not_found", 400: "unreadable"}.get(response.status_code, "error")
            body = body_of(
                response.status_code, code, _("Please see the documentation of the API.")
            )
            return JsonResponse(
                body,
                status=response.status_code,
                content_type=CONTENT_TYPE,
                headers={name: response[name] for name in KEPT if name in response},
            )
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        known = _known(error)
        if known is None:
            return None
        status, code, detail = known
        if request.path_info.startswith("/api/v1/"):
            response = JsonResponse(
                body_of(status, code, detail), status=status, content_type=CONTENT_TYPE
            )
        else:
            response = render(request, "error.html", {"detail": detail}, status=status)
        if status == 503:
            response["Retry-After"] = "2"
        return response
