"""UUIDv7: public ids that sort by time of making (RFC 9562 §5.7), made in Python."""

import os
import time
import uuid
from datetime import UTC, datetime


def uuid7() -> uuid.UUID:
    """48 bits of Unix milliseconds, then 74 random bits around version and variant.

    >>> uuid7().version
    7
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | random
    value = (value & ~(0xF << 76)) | (7 << 76)
    value = (value & ~(0x3 << 62)) | (2 << 62)
    return uuid.UUID(int=value)


def first_id(moment: datetime) -> uuid.UUID:
    """The least id that can be made at a moment, so that a range of ids is a range of time.

    >>> first_id(datetime(2026, 11, 24, tzinfo=UTC)) <= uuid7()
    True
    """
    return uuid.UUID(int=max(int(moment.timestamp() * 1000), 0) << 80)


def moment_of(id: uuid.UUID | str) -> datetime:
    """When an id was made."""
    number = uuid.UUID(str(id)).int
    return datetime.fromtimestamp((number >> 80) / 1000, tz=UTC)
