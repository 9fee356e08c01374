"""Where a request comes from, as far as that can be believed."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from django.conf import settings

Address = IPv4Address | IPv6Address

UNKNOWN: Final = "0.0.0.0"  # noqa: S104  # nosec B104  # nothing listens there
# Longer chains of proxies do not exist; a longer header is somebody's invention.
MAX_HOPS: Final = 20
# What one IPv6 customer is given at least: they have 2^64 addresses to come from.
IPV6_PREFIX: Final = 64


def client_address(request: Any) -> str:
    """The caller's address; `X-Forwarded-For` counts only from the proxies in TRUSTED_PROXIES."""
    return rightmost_untrusted(
        request.META.get("REMOTE_ADDR", ""),
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.TRUSTED_PROXIES,
    )


def rightmost_untrusted(peer: str, forwarded: str, trusted: Sequence[str]) -> str:
    """The last hop that no trusted proxy is: what stands left of it, that hop may have made up.

    A proxy appends whom it heard the request from, so the header is read from its right end. A hop
    that is no address ends the walk at the proxy that passed it on; no address at all is UNKNOWN.
    """
    found = parsed(peer)
    for hop in _hops(forwarded):
        if found is None or not is_trusted(found, trusted) or hop is None:
            break
        found = hop
    return UNKNOWN if found is None else str(found)


def is_trusted(address: Address, trusted: Sequence[str]) -> bool:
    """Whether one of `trusted` (addresses or networks; raises ValueError for others) has it."""
    return any(address in ip_network(text.strip(), strict=False) for text in trusted)


def bucket(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the /64 of an IPv6 address."""
    found = parsed(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, IPV6_PREFIX), strict=False))
    return str(found or UNKNOWN)


def _hops(forwarded: str) -> Iterator[Address | None]:
    for hop in reversed(forwarded.rsplit(",", MAX_HOPS)[-MAX_HOPS:] if forwarded else []):
        yield parsed(_without_port(hop.strip()))


def _without_port(hop: str) -> str:
    """`[2001:db8::1]:443` and `192.0.2.1:443` as some proxies write them."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def parsed(text: str) -> Address | None:
    """The address that a text is, an IPv4 one where it only poses as IPv6; else None."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
