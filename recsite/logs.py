"""Lines of the log: the id of the request, and nothing that names a person or lets anybody in."""

import logging
import re

from catalog import request_id

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SECRET = re.compile(r"(?<![A-Za-z0-9])([a-z]{2,5}_)[A-Za-z0-9_-]{16,}")  # as tokens and keys begin
_IPV4 = re.compile(r"\b(\d{1,3}\.\d{1,3})\.\d{1,3}\.\d{1,3}\b")
_IPV6 = re.compile(r"\b([0-9a-f]{1,4}:[0-9a-f]{1,4}):[0-9a-f:]*:[0-9a-f]{0,4}\b", re.IGNORECASE)


def redacted(text: str) -> str:
    """A line without e-mail addresses, tokens, and the half of an address that tells who it is.

    >>> redacted("ann@example.org sent rec_0123456789abcdef from 203.0.113.9")
    '<e-mail> sent rec_… from 203.0.x.x'
    >>> redacted("2001:db8:1::17 at 10:15:00")
    '2001:db8::x at 10:15:00'
    """
    text = _SECRET.sub(r"\1…", _EMAIL.sub("<e-mail>", text))
    return _IPV6.sub(_half_of_ipv6, _IPV4.sub(r"\1.x.x", text))


def _half_of_ipv6(found: re.Match) -> str:
    is_time = found[0].count(":") == 2 and found[0].replace(":", "").isdecimal()
    return found[0] if is_time else f"{found[1]}::x"


class LineFormatter(logging.Formatter):
    """One line a record, with the id of its request; what follows of an error is redacted too."""

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.current() or "-"
        return redacted(super().format(record))
