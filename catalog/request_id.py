"""The id of the request that is answered, or of the one that caused the work at hand.

It goes into the answer, each line of the log, and the row of each job that the request causes.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST = 64
_WELL_FORMED = re.compile(rf"[A-Za-z0-9._-]{{8,{LONGEST}}}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Empty outside of any request."""
    return _current.get()


def new() -> str:
    return secrets.token_hex(16)


def is_well_formed(text: str) -> bool:
    r"""Whether it can stand in a header and a line of a log as it is.

    >>> is_well_formed("d1f0-77aa"), is_well_formed("short"), is_well_formed("two\nlines of log")
    (True, False, False)
    """
    return _WELL_FORMED.fullmatch(text) is not None


@contextmanager
def known_as(request_id: str) -> Iterator[None]:
    """What is done inside is done for this request."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)
