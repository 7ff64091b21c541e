"""What the API server's `isCIDR` takes (Go's netip.ParsePrefix), which is not quite what Python's ipaddress takes."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_network

_LENGTH = re.compile(r"[^/%]+/(0|[1-9][0-9]{0,2})")
"""A length is digits (ipaddress also takes a netmask, or none at all); zones are not networks."""


def is_cidr(text: str) -> bool:
    """`10.0.0.0/8`, `fd00::/8`; host bits may be set. IPv4 written as IPv6 is refused: it would match no address."""
    if not _LENGTH.fullmatch(text):
        return False
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return network.version == 4 or IPv6Address(text.partition("/")[0]).ipv4_mapped is None
