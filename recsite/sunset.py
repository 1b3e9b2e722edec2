"""What of the API goes, and when: said in the headers of each answer; see docs/api-policy.md."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.http import HttpRequest, HttpResponse
from django.utils.http import http_date

POLICY = '</api/docs/>; rel="deprecation"; type="text/html"'


@dataclass(frozen=True)
class Sunset:
    deprecated: date
    gone: date


# The name of a route → when. At least six months lie between the two; a test holds it.
SUNSETS: dict[str, Sunset] = {}


class SunsetMiddleware:
    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if sunset := SUNSETS.get(match.url_name) if match else None:
            response["Deprecation"] = f"@{_second(sunset.deprecated)}"
            response["Sunset"] = http_date(_second(sunset.gone))
            response["Link"] = POLICY
        return response


def _second(day: date) -> int:
    """Of its midnight, since 1970."""
    return int(datetime.combine(day, time(), UTC).timestamp())
