"""One client, one address: spoofed, doubled and odd forwarding headers, and all spellings of an IP address."""

from __future__ import annotations

import pytest

from headgate.errors import InvalidInput
from headgate_api.gate.address import CACHED, UNKNOWN, Addresses, parse

PROXIED = Addresses(("127.0.0.0/8", "10.0.0.0/8", "2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("203.0.113.9", b"198.51.100.1", "203.0.113.9", id="an untrusted peer's word is ignored"),
        pytest.param("127.0.0.1", b"198.51.100.1", "198.51.100.1", id="a trusted peer's is taken"),
        pytest.param("127.0.0.1", b"1.1.1.1, 198.51.100.1", "198.51.100.1", id="spoofed on the left"),
        pytest.param("127.0.0.1", b"198.51.100.1, 10.1.2.3", "198.51.100.1", id="past the proxies we trust"),
        pytest.param("127.0.0.1", b"1.1.1.1,198.51.100.1,10.1.2.3,10.9.9.9", "198.51.100.1", id="several of them"),
        pytest.param("127.0.0.1", b"10.1.1.1, 10.2.2.2", "10.1.1.1", id="all trusted: the farthest"),
        pytest.param("127.0.0.1", b"", "127.0.0.1", id="no header"),
        pytest.param("127.0.0.1", b"198.51.100.1:5678", "198.51.100.1", id="a port"),
        pytest.param("127.0.0.1", b"[2001:db8::1]:5678", "2001:db8::/64", id="brackets and a port"),
        pytest.param("127.0.0.1", b"[2001:db8::1]", "2001:db8::/64", id="brackets"),
        pytest.param("127.0.0.1", b"garbage", "127.0.0.1", id="garbage: the peer"),
        pytest.param("127.0.0.1", b"198.51.100.1, garbage", "127.0.0.1", id="garbage ends the walk"),
        pytest.param("127.0.0.1", b"198.51.100.1, , 10.0.0.1", "10.0.0.1", id="an empty hop ends it too"),
        pytest.param("127.0.0.1", b"198.51.100.1,", "127.0.0.1", id="nothing after the comma"),
        pytest.param("127.0.0.1", b"unknown, _hidden", "127.0.0.1", id="obfuscated identifiers"),
        pytest.param("127.0.0.1", b"\xff\xfe\x00", "127.0.0.1", id="no text at all"),
        pytest.param("::ffff:127.0.0.1", b"198.51.100.1", "198.51.100.1", id="a dual-stack socket's peer"),
        pytest.param("2001:db8:ffff::1", b"2001:db8:1:2:3::4", "2001:db8:1:2::/64", id="a proxy by IPv6"),
        pytest.param("127.0.0.1", b"127.0.0.1%eth0", "127.0.0.1", id="a zone"),
        pytest.param(None, b"198.51.100.1", "198.51.100.1", id="a unix socket behind a proxy"),
        pytest.param(None, b"", UNKNOWN, id="a unix socket that says nothing"),
        pytest.param("", b"", UNKNOWN, id="never an empty key"),
    ],
)
def test_clients_behind_proxies(peer: str | None, forwarded: bytes, client: str) -> None:
    assert PROXIED.client(peer, forwarded) == client


def test_without_trusted_proxies_the_header_says_nothing() -> None:
    plain = Addresses()
    assert plain.client("127.0.0.1", b"198.51.100.1") == "127.0.0.1"
    assert plain.client("198.51.100.1", b"6.6.6.6", rewritten=True) == "198.51.100.1"


def test_what_the_server_took_from_the_header_is_read_again_by_our_rule() -> None:
    """uvicorn with --forwarded-allow-ips='*' takes the leftmost entry, which the client wrote."""
    assert PROXIED.client("6.6.6.6", b"6.6.6.6, 198.51.100.1", rewritten=True) == "198.51.100.1"
    assert PROXIED.client("abc", b"abc", rewritten=True) == UNKNOWN


def test_garbage_buys_no_fresh_limits() -> None:
    found = {PROXIED.client(f"x{number}", f"x{number}".encode(), rewritten=True) for number in range(50)}
    found |= {PROXIED.client("127.0.0.1", f"zone%{number}".encode()) for number in range(50)}
    assert found == {UNKNOWN, "127.0.0.1"}


def test_a_ten_kilobyte_list_is_read_from_the_right_and_not_kept() -> None:
    addresses = Addresses(("127.0.0.0/8",))
    for number in range(50):
        spoofed = b",".join(b"6.6.%d.%d" % (number, at % 256) for at in range(1200))
        assert len(spoofed) > 10_000
        assert addresses.client("127.0.0.1", spoofed + b", 198.51.100.7") == "198.51.100.7"
    assert addresses._known.cache_info().currsize == 0


def test_the_cache_is_bounded() -> None:
    addresses = Addresses()
    for number in range(CACHED + 500):
        addresses.client(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert addresses._known.cache_info().currsize == CACHED


@pytest.mark.parametrize(
    "text", ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304", "::FFFF:1.2.3.4", "[::ffff:1.2.3.4]:1"]
)
def test_one_address_in_all_its_spellings(text: str) -> None:
    assert str(parse(text)) == "1.2.3.4"


def test_ipv6_is_grouped_by_its_prefix_and_mapped_addresses_are_not() -> None:
    plain = Addresses()
    assert plain.client("2001:db8::1.2.3.4") == plain.client("2001:db8::1") == "2001:db8::/64"
    assert plain.client("2001:db8:0:1::1") != plain.client("2001:db8::1")
    assert plain.client("::ffff:1.2.3.4") != plain.client("::ffff:1.2.3.5")
    assert Addresses(prefix=56).client("2001:db8:0:1::1") == Addresses(prefix=56).client("2001:db8:0:2::1")
    assert Addresses(prefix=128).client("2001:db8::1") == "2001:db8::1/128"


def test_zones_buy_no_fresh_limits() -> None:
    plain = Addresses()
    assert {plain.client(f"fe80::1%z{number}") for number in range(20)} == {"fe80::/64"}


@pytest.mark.parametrize(
    "text", ["", " ", "1.2.3", "01.2.3.4", "1.2.3.4.5", "0x7f000001", "localhost", "[1.2.3.4", "::1]"]
)
def test_what_is_no_address(text: str) -> None:
    assert parse(text) is None


def test_a_proxy_that_is_no_network_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"trustedProxies: 'proxy\.internal' is no CIDR"):
        Addresses(("proxy.internal",))
