"""What every answer gets on its way out: an id, who may keep it, and gzip where that is safe."""

import logging
import time

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from catalog import request_id
from recommender.store import replicas

HEADER = "X-Request-ID"
API = "/api/"
# Answers that hold a secret; what goes with it in one compressed answer could be guessed at.
SECRETS = ("/api/v1/auth/",)
log = logging.getLogger("recsite.requests")


class RequestIdMiddleware:
    """An id for each request. One that the proxy made is kept, if it is well-formed.

    The line that is logged says the route and never the address, which may name somebody.
    """

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "") if settings.BEHIND_PROXY else ""
        known = given if request_id.is_well_formed(given) else request_id.new()
        with request_id.known_as(known):
            begun = time.perf_counter()
            response = self.get_response(request)
            response[HEADER] = known
            took = (time.perf_counter() - begun) * 1000
            route = request.resolver_match.route if request.resolver_match else "-"
            log.info("%s %s %d %.0f ms", request.method, route, response.status_code, took)
        return response


class CachesMiddleware:
    """What does not say who may keep it is for one person, and kept nowhere on the way."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        if "private" in response["Cache-Control"]:
            patch_vary_headers(response, ("Authorization", "Cookie"))
        return response


class ApiGZipMiddleware(GZipMiddleware):
    """Answers of the API, with Django's random bytes against guessing by length (BREACH).

    Pages are left as they are: they hold tokens against forgery. So are answers with a secret.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not request.path_info.startswith(API) or request.path_info.startswith(SECRETS):
            return response
        return super().process_response(request, response)


class ReplicasMiddleware:
    """Whoever only reads may be answered from replicas. Who writes reads what they wrote."""

    def __init__(self, get_response) -> None:
        if not settings.REPLICAS:
            raise MiddlewareNotUsed
        self.get_response = get_response
        replicas.watch().begin()  # so that the first request finds something known

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        with replicas.may_be_used():
            return self.get_response(request)
