"""Read a picture from an address that somebody else chose, and nothing from within our own network.

A name is looked up once and the address that was looked at is the one that is connected to, so no
second answer can lead elsewhere. No redirect is followed, no proxy used, nothing sent that is ours.
"""

import contextlib
import ipaddress
import socket
import threading
import time
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

BYTES = 5_000_000
SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
KINDS = {"image/jpeg", "image/png", "image/webp", "image/gif"}
LONGEST_ADDRESS = 2000
PIECE_BYTES = 1 << 16
HIDING_IPV4 = [  # addresses of version 6 that stand for ones of version 4, which may be anybody's
    ipaddress.ip_network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]


class NotFetched(Exception):
    """There is no picture to be had. The text is for the log alone."""


def is_public(address: str) -> bool:
    """
    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
        if any(ip in network for network in HIDING_IPV4 if network.version == ip.version):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to a host on the public internet. Raises NotFetched, OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [at for *_, at in found]
    if not addresses or not all(is_public(at[0]) for at in addresses):
        raise NotFetched("the address is none of the public internet")
    return socket.create_connection(addresses[0][:2], timeout)


class _Guarded:
    """A connection to what was looked at, which ends in time however slowly its bytes drip."""

    def _new_conn(self) -> socket.socket:
        return connect(self.host, self.port, SECONDS)

    def connect(self) -> None:
        super().connect()
        timer = threading.Timer(SECONDS, _end, [self.sock])
        timer.daemon = True
        timer.start()


def _end(link: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is closed already
        link.shutdown(socket.SHUT_RDWR)


class _Plain(_Guarded, HTTPConnection):
    pass


class _Secure(_Guarded, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


def fetch(address: str) -> bytes:
    """What lies at an address: at most BYTES, in SECONDS. Raises NotFetched."""
    scheme, host, port, target = parts_of(address)
    pool = (_SecurePool if scheme == "https" else _PlainPool)(host, port, maxsize=1)
    until = time.monotonic() + SECONDS
    try:
        with pool:
            answer = pool.urlopen(
                "GET",
                target,
                headers={"Accept": ", ".join(sorted(KINDS)), "Accept-Encoding": "identity"},
                retries=False,
                redirect=False,
                timeout=urllib3.Timeout(total=SECONDS),
                preload_content=False,
                decode_content=False,
            )
            try:
                return _read(answer, until)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise NotFetched(type(error).__name__) from None


def _read(answer: urllib3.BaseHTTPResponse, until: float) -> bytes:
    if answer.status != 200:
        raise NotFetched(f"status {answer.status}")
    if answer.headers.get("Content-Type", "").partition(";")[0].strip().lower() not in KINDS:
        raise NotFetched("no picture")
    if int(answer.headers.get("Content-Length") or 0) > BYTES:
        raise NotFetched("too large")
    found = bytearray()
    # One read of the socket at a time, or a trickle would take as long as it likes.
    while piece := answer.read1(PIECE_BYTES):
        found += piece
        if len(found) > BYTES:
            raise NotFetched("too large")
        if time.monotonic() > until:
            break
    if time.monotonic() > until:  # what was cut off in time looks as if it had ended
        raise NotFetched("too slow")
    return bytes(found)


def parts_of(address: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, what to ask for). Raises NotFetched."""
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        raise NotFetched("not an address") from None
    is_clean = address.isprintable() and " " not in address and "\\" not in address
    if (
        parts.scheme not in PORTS
        or port not in PORTS.values()
        or not host
        or "@" in parts.netloc
        or not is_clean
        or len(address) > LONGEST_ADDRESS
    ):
        raise NotFetched("not an address of a picture")
    return (
        parts.scheme,
        host,
        port,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
