"""How many calls of the API a minute: by address before anything is looked up, then by person.

Counted in Valkey, which may be away: then nobody is counted, a line of the log says so, and it is
asked again after a while. What must hold without Valkey is in catalog.limits.

Headers: draft-ietf-httpapi-ratelimit-headers-10, a policy each for the two.
"""

import logging
import time
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from redis import Redis, RedisError
from rest_framework.throttling import BaseThrottle

from catalog.addresses import client_address
from recsite.errors import CONTENT_TYPE, body_of

API = "/api/v1/"
WINDOW_SECONDS = 60
TIMEOUT_SECONDS = 0.05
PAUSE_SECONDS = 5.0  # in which a Valkey that did not answer is left alone
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rate:
    """What is left of a policy after this call; below nothing, it is one too many."""

    policy: str
    most: int
    left: int
    seconds: int

    @property
    def is_spent(self) -> bool:
        return self.left < 0


class Counter:
    def __init__(self) -> None:
        self.asks_again_at = 0.0

    @cached_property
    def valkey(self) -> Redis:
        return Redis.from_url(
            settings.RATES_URL,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )

    def count(self, policy: str, subject: str, most: int) -> Rate | None:
        """One call more; None where nothing is limited or nobody counts."""
        if not most or time.monotonic() < self.asks_again_at:
            return None
        minute, second = divmod(int(time.time()), WINDOW_SECONDS)
        # No key says whose it is.
        who = salted_hmac("recsite.rates", f"{policy}:{subject}").hexdigest()
        key = f"rate:{who}:{minute}"
        try:
            pipe = self.valkey.pipeline(transaction=False)
            calls, _set = pipe.incr(key).expire(key, 2 * WINDOW_SECONDS).execute()
        except RedisError as error:
            self.asks_again_at = time.monotonic() + PAUSE_SECONDS
            log.warning("calls are not counted, Valkey does not answer: %s", error)
            return None
        return Rate(policy, most, most - calls, WINDOW_SECONDS - second)


counter = Counter()


class RatesMiddleware:
    """Calls from one address, whoever makes them; and the headers that say what is left."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        most = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS
        rate = counter.count("address", client_address(request), most)
        request.rates = [rate] if rate else []
        if rate and rate.is_spent:
            body = body_of(429, "throttled", _("Too many calls from this address."))
            response = JsonResponse(body, status=429, content_type=CONTENT_TYPE)
            response["Retry-After"] = str(rate.seconds)
        else:
            response = self.get_response(request)
        if request.rates:
            response["RateLimit-Policy"] = ", ".join(
                f'"{rate.policy}";q={rate.most};w={WINDOW_SECONDS}' for rate in request.rates
            )
            response["RateLimit"] = ", ".join(
                f'"{rate.policy}";r={max(rate.left, 0)};t={rate.seconds}' for rate in request.rates
            )
        return response


class ByPerson(BaseThrottle):
    """Calls of one person, by however many tokens and from wherever."""

    def __init__(self) -> None:
        self.rate: Rate | None = None

    def allow_request(self, request, view) -> bool:
        if request.user.is_authenticated:
            most = settings.API_CALLS_A_MINUTE
            self.rate = counter.count("person", str(request.user.pk), most)
            if self.rate:
                request._request.__dict__.setdefault("rates", []).append(self.rate)
        return not (self.rate and self.rate.is_spent)

    def wait(self) -> int | None:
        return self.rate and self.rate.seconds
