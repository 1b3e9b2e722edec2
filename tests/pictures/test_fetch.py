"""A picture is read from the public internet alone, whatever its address looks like."""

import http.server
import socket
import threading
import time

import pytest

from catalog.pictures import fetch
from catalog.pictures.fetch import NotFetched

PUBLIC = "93.184.216.34"
PICTURE = b"\xff\xd8 a picture"


class Canary(http.server.BaseHTTPRequestHandler):
    """Counts who comes, and answers by the path."""

    hits: list[str] = []

    def do_GET(self) -> None:
        self.hits.append(self.path)
        kind, body, status = "image/jpeg", PICTURE, 200
        if self.path == "/page":
            kind = "text/html"
        if self.path == "/large":
            body = bytes(fetch.BYTES + 1)
        if self.path == "/moved":
            status = 302
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/inner")
        if self.path == "/huge":
            self.send_header("Content-Length", str(10**12))
        self.end_headers()
        for _ in range(40 if self.path == "/drip" else 0):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(body)

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def canary(monkeypatch):
    """Servers on both loopbacks, at the port that http has; what comes to them."""
    Canary.hits = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    port = server.server_port
    servers = [server]
    try:

        class Server6(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6

        servers.append(Server6(("::1", port), Canary))
    except OSError:  # a machine without version 6
        pass
    monkeypatch.setattr(fetch, "PORTS", {"http": port, "https": 443})
    for one in servers:
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield Canary.hits
    for one in servers:
        one.shutdown()
        one.server_close()


@pytest.fixture
def internet(canary, monkeypatch):
    """A name resolves to a public address, and what connects there comes to the canary."""

    def connected(address, timeout):
        assert address[0] == PUBLIC
        link = socket.socket()
        link.settimeout(timeout)
        link.connect(("127.0.0.1", address[1]))
        return link

    monkeypatch.setattr(fetch.socket, "getaddrinfo", answers([PUBLIC]))
    monkeypatch.setattr(fetch.socket, "create_connection", connected)
    return canary


def answers(*turns: list[str]):
    """A resolver that gives each answer once, and the last for ever."""
    left = list(turns)

    def getaddrinfo(host, port, *args, **named):
        found = left.pop(0) if len(left) > 1 else left[0]
        kind = socket.AF_INET6 if ":" in found[0] else socket.AF_INET
        return [(kind, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return getaddrinfo


SPELLINGS = [
    *("http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/"),
    *("http://0x7f.1/", "http://0x7f000001/", "http://0177.0.0.1/", "http://017700000001/"),
    *("http://0.0.0.0/", "http://0/", "http://localhost/", "http://LOCALHOST./"),
    *("http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/"),
    *("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[64:ff9b::7f00:1]/"),
    *("http://[2002:7f00:1::]/", "http://[fe80::1]/", "http://[fc00::1]/"),
    *("http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://192.168.0.1/"),
    *("http://172.16.0.1/", "http://100.64.0.1/", "http://224.0.0.1/", "http://255.255.255.255/"),
    *("http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/", "http://user@127.0.0.1/"),
    *("http://public.example@127.0.0.1/", "http://127.0.0.1\\@public.example/"),
    *("file:///etc/passwd", "gopher://127.0.0.1/_x", "ftp://127.0.0.1/", "//127.0.0.1/"),
    *("http:///", "http://127.0.0.1:22/", "http://127.0.0.1:6379/", "http://[::1", ""),
    *("javascript:alert(1)", "http://127.0.0.1:99999/", "http://127.0.0.1\r\nHost: x/"),
]


@pytest.mark.parametrize("address", SPELLINGS)
def test_no_spelling_leads_inside(canary, address):
    with pytest.raises(NotFetched):
        fetch.fetch(address)
    assert canary == []


def test_the_canary_would_be_reached_if_it_were_allowed(canary, monkeypatch):
    monkeypatch.setattr(fetch, "is_public", lambda address: True)
    assert fetch.fetch("http://127.1/") == PICTURE
    assert canary == ["/"]


def test_a_picture_of_the_internet_is_read(internet):
    assert fetch.fetch("http://public.example/a.jpg?size=1") == PICTURE
    assert internet == ["/a.jpg?size=1"]


@pytest.mark.parametrize("path", ["page", "large", "huge"])
def test_what_is_no_picture_or_too_large_is_left(internet, path):
    with pytest.raises(NotFetched):
        fetch.fetch(f"http://public.example/{path}")


def test_a_redirect_is_not_followed(internet):
    with pytest.raises(NotFetched, match="status 302"):
        fetch.fetch("http://public.example/moved")
    assert internet == ["/moved"]


def test_a_name_is_looked_up_once_so_that_it_cannot_change_its_mind(internet, monkeypatch):
    asked = []
    turns = answers([PUBLIC], ["127.0.0.1"])

    def resolver(host, *args, **named):
        asked.append(host)
        return turns(host, *args, **named)

    monkeypatch.setattr(fetch.socket, "getaddrinfo", resolver)
    assert fetch.fetch("http://rebinding.example/") == PICTURE  # the internet asserts where
    assert asked == ["rebinding.example"]


@pytest.mark.parametrize("found", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"], ["fd00::1"]])
def test_a_name_of_which_any_address_is_inside_is_refused(canary, monkeypatch, found):
    monkeypatch.setattr(fetch.socket, "getaddrinfo", answers(found))
    with pytest.raises(NotFetched):
        fetch.fetch("http://inside.example/")
    assert canary == []


def test_a_trickle_ends_in_time(internet, monkeypatch):
    monkeypatch.setattr(fetch, "SECONDS", 0.5)
    begun = time.monotonic()
    with pytest.raises(NotFetched):
        fetch.fetch("http://public.example/drip")
    assert time.monotonic() - begun < 2


def test_no_proxy_of_the_environment_is_used(internet, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch.fetch("http://public.example/") == PICTURE
