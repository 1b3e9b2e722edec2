"""Where a request comes from: whole to count by, cut short to keep.

Whoever sends a request writes X-Forwarded-For as they like; only what proxies of ours put at its
end is true, and there are TRUSTED_PROXIES of them.
"""

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

HOST_BITS = {4: 0, 6: 64}  # that one household or server has for itself
CUT_BITS = {4: 8, 6: 80}  # after which an address is no longer that of one person


def client_address(request: HttpRequest) -> str:
    """The address to count by; of IPv6 the network of 64 bits, all of which one person has."""
    told = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(hops) >= settings.TRUSTED_PROXIES:
            told = hops[-settings.TRUSTED_PROXIES]
    return _cut(told, HOST_BITS)


def network_of(request: HttpRequest) -> str:
    """What may be kept: 192.0.2.0/24 or 2001:db8:7::/48.

    >>> _cut("192.0.2.77", CUT_BITS), _cut("2001:db8:7:1::9", CUT_BITS)
    ('192.0.2.0/24', '2001:db8:7::/48')
    """
    return _cut(client_address(request).partition("/")[0], CUT_BITS)


def device_of(request: HttpRequest) -> str:
    """What the client calls itself, as far as it can be printed."""
    told = request.META.get("HTTP_USER_AGENT", "")[:200]
    return "".join(letter for letter in told if letter.isprintable())


def device_name(told: str) -> str:
    """What a client that called itself so is known as; what nobody knows, as it called itself.

    >>> device_name("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36")
    'Chrome, Linux'
    >>> device_name("kettle-app/2.1")
    'kettle-app/2.1'
    """
    from ua_parser import parse  # its patterns take 0.3 s and some megabytes: one page wants them

    found = parse(told)
    known = [part.family for part in (found.user_agent, found.os) if part]
    return ", ".join(known) or told


def _cut(told: str, bits: dict[int, int]) -> str:
    """An address without its last bits; '' for what is none, which all share."""
    try:
        address = ip_address(told.strip())
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    network = ip_network((address, address.max_prefixlen - bits[address.version]), strict=False)
    return str(network.network_address if network.num_addresses == 1 else network)
