"""Whose address a request is counted by."""

import pytest
from django.test import RequestFactory

from common.addresses import UNKNOWN, bucket, client_address, rightmost_untrusted

PROXIES = ["10.0.0.1", "172.16.0.0/12", "2001:db8:f::/48"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.1, 172.20.1.1", "198.51.100.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "172.20.1.1", "172.20.1.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8:f::1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_caller_is_the_last_hop_that_is_no_trusted_proxy(
    peer: str, forwarded: str, caller: str
) -> None:
    assert rightmost_untrusted(peer, forwarded, PROXIES) == caller


GARBAGE = [
    "unknown",
    "_hidden",
    "",
    ",",
    "1.2.3",
    "1.2.3.4.5",
    "[",
    "[]",
    ":",
    "é",
    "\x00",
    "a" * 9999,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_hop_that_is_no_address_leaves_the_proxy_that_passed_it_on(garbage: str) -> None:
    assert rightmost_untrusted("10.0.0.1", f"198.51.100.1, {garbage}", PROXIES) == "10.0.0.1"


@pytest.mark.parametrize("peer", ["", "unix:", "garbage"])
def test_no_address_at_all_is_one_caller(peer: str) -> None:
    assert rightmost_untrusted(peer, "198.51.100.1", PROXIES) == UNKNOWN


def test_the_walk_ends_after_twenty_hops() -> None:
    header = ", ".join(["198.51.100.1", *["10.0.0.1"] * 100_000])
    assert rightmost_untrusted("10.0.0.1", header, PROXIES) == "10.0.0.1"


def test_by_default_nobodys_header_is_believed() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1")
    assert client_address(request) == "10.0.0.1"


def test_the_setting_names_whose_header_is_believed(settings: pytest.FixtureRequest) -> None:
    settings.TRUSTED_PROXIES = [" 10.0.0.0/8"]  # type: ignore[attr-defined]
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="192.0.2.1")
    assert client_address(request) == "192.0.2.1"


def test_an_ipv6_customer_is_their_whole_network() -> None:
    assert bucket("2001:db8::1") == bucket("2001:db8::ffff:1") != bucket("2001:db8:0:1::1")
    assert bucket("192.0.2.1") != bucket("192.0.2.2")
    assert bucket("garbage") == UNKNOWN
