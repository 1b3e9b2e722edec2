"""Read settings from the environment, loudly: a wrong value stops start-up."""

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def env_bool(name: str, default: bool) -> bool:
    value = os.environ.get(name, str(default))
    if value not in ("True", "False"):
        raise ImproperlyConfigured(f"{name}={value!r}: use True or False")
    return value == "True"


def env_int(name: str, default: int, *, low: int = 0, high: int = 2**31) -> int:
    value = os.environ.get(name, str(default))
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: use a whole number") from None
    if not low <= number <= high:
        raise ImproperlyConfigured(f"{name}={number}: use a number from {low} to {high}")
    return number


def env_float(name: str, default: float, *, low: float, high: float) -> float:
    value = os.environ.get(name, str(default))
    try:
        number = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: use a number") from None
    if not low <= number <= high:
        raise ImproperlyConfigured(f"{name}={value}: use a number from {low} to {high}")
    return number


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    value = os.environ.get(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}={value!r}: use one of {', '.join(choices)}")
    return value


def env_shares(name: str, default: str, names: tuple[str, ...]) -> dict[str, float]:
    """Weights by name, as in "text=0.6, categories=0.4"; what is not named has none."""
    value = os.environ.get(name, default)
    allowed = ImproperlyConfigured(
        f"{name}={value!r}: use NAME=NUMBER, ..., with names {', '.join(names)} and numbers from 0"
        " to 1 that are not all 0"
    )
    shares = dict.fromkeys(names, 0.0)
    for part in value.split(","):
        one, _, number = (word.strip() for word in part.partition("="))
        try:
            shares[one] = float(number) if one in shares else -1.0
        except ValueError:
            raise allowed from None
        if not 0 <= shares[one] <= 1:
            raise allowed
    if not any(shares.values()):
        raise allowed
    return shares


def env_list(name: str, default: str = "") -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def env_urls(name: str, default: str) -> str:
    """Addresses of HTTP servers, separated by commas."""
    value = os.environ.get(name, default)
    if not all(_is_address(part.strip()) for part in value.split(",")):
        raise ImproperlyConfigured(
            f"{name}: use http:// or https:// addresses, without a user and a password, separated"
            " by commas"
        )
    return value


def _is_address(url: str) -> bool:
    try:
        found = urlsplit(url)
        is_whole = bool(found.hostname) and found.port != 0
    except ValueError:  # of a port that is none
        return False
    # A password in an address would be told to every log.
    return is_whole and found.scheme in ("http", "https") and "@" not in found.netloc
