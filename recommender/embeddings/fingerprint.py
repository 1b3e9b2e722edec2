"""Tell whether a stored vector still belongs to its text and its space."""

import hashlib


def fingerprint(space_digest: str, text: str) -> bytes:
    """32 bytes over everything a stored vector depends on. Equal ones mean the same vector.

    A lone surrogate, which no database text can hold, counts as a question mark.

    >>> fingerprint("e5", "kettle") == fingerprint("e5", "kettle")
    True
    >>> fingerprint("e5", "kettle") == fingerprint("bge", "kettle")
    False
    """
    return hashlib.sha256(f"{space_digest}\0{text}".encode(errors="replace")).digest()
