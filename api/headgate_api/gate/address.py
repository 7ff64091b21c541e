"""Who sends this request: the client's address, one spelling for each, as far as the proxies can be believed.

Only `X-Forwarded-For` is read, all its lines joined, and only from a trusted peer, from right to left: what a client
writes into it stands left of what the first trusted proxy saw. `Forwarded`, `X-Real-IP` and others are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from headgate.errors import InvalidInput

Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
"""All who come through a trusted proxy without one usable address share it: garbage must not buy fresh limits."""

CACHED = 16_384
LONG = 512
"""A longer list of addresses is parsed each time: it must not fill the memory through the cache."""
_HOPS = 64
_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?")
_WITH_PORT = re.compile(r"([0-9.]+):\d{1,5}")


def parse(text: str) -> Address | None:
    """One address with or without port and brackets, IPv4-mapped unwrapped, zone dropped; None for anything else."""
    text = text.strip()
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found.group(1) if found else text).partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Addresses:
    """The address rule of one policy. `proxies`: CIDRs; `prefix`: bits of an IPv6 address that name a client."""

    def __init__(self, proxies: Iterable[str] = (), prefix: int = 64) -> None:
        self._proxies = tuple(_network(proxy) for proxy in proxies)
        self._prefix = prefix
        self._known = lru_cache(CACHED)(self._find)

    def client(self, peer: str | None, forwarded: bytes = b"", *, rewritten: bool = False) -> str:
        """Never empty. `peer` None: a unix socket. `forwarded`: all X-Forwarded-For lines, joined by commas.

        `rewritten`: the server has already replaced the peer by what it took from the header. With proxies declared
        here the header is read again by our rule; without, the server's word is taken.
        """
        if len(forwarded) > LONG or (peer is not None and len(peer) > LONG):
            return self._find(peer, forwarded, rewritten)
        return self._known(peer, forwarded, rewritten)

    def _find(self, peer: str | None, forwarded: bytes, rewritten: bool) -> str:
        nearest = None if peer is None else parse(peer)
        local = peer is None or rewritten
        if not self._proxies or not (local or (nearest is not None and self._trusted(nearest))):
            return self._text(nearest)
        if not forwarded:
            return self._text(nearest)
        return self._text(self._walk(None if rewritten else nearest, forwarded))

    def _walk(self, nearest: Address | None, forwarded: bytes) -> Address | None:
        """From the right past the proxies we trust; what cannot be read ends the walk at the proxy that sent it."""
        for hop in reversed(forwarded.decode("latin-1").rsplit(",", _HOPS)[-_HOPS:]):
            address = parse(hop)
            if address is None:
                return nearest
            nearest = address
            if not self._trusted(address):
                return address
        return nearest

    def _trusted(self, address: Address) -> bool:
        return any(address in network for network in self._proxies if network.version == address.version)

    def _text(self, address: Address | None) -> str:
        if address is None:
            return UNKNOWN
        if isinstance(address, IPv4Address):
            return str(address)
        network = IPv6Network((int(address), self._prefix), strict=False)
        return f"{network.network_address}/{self._prefix}"


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"trustedProxies: {text!r} is no CIDR, for example 10.0.0.0/8") from None
