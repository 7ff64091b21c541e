"""How each proxy says which request it asks about, and what it understands as an answer.

The sort of proxy is never guessed from headers, which a client may send too: it stands in the address that the proxy's
own configuration calls, or is Envoy, which appends the request's path to that address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from headgate_api.problems import Problem

ENVOY_REPORTS = "x-headgate-reports"
"""Set by Envoy's own configuration (`headers_to_add`): its check cannot carry a query of its own."""


class Sort(StrEnum):
    NGINX = "nginx"
    HAPROXY = "haproxy"
    TRAEFIK = "traefik"
    CADDY = "caddy"
    ENVOY = "envoy"


@dataclass(frozen=True, slots=True)
class Original:
    """The client's own request. `peer`: its address as the proxy saw it; `forwarded`: what stood in its header.

    `reports`: somebody will tell at /report how it ended.
    """

    method: str
    target: str
    host: str
    peer: str
    forwarded: bytes
    reports: bool = False


@dataclass(frozen=True, slots=True)
class _Names:
    """Headers of the check request; `peer` None: the last address of X-Forwarded-For, which the proxy appended."""

    method: str
    target: str
    host: str
    peer: str | None


_ORIGINAL = _Names("x-original-method", "x-original-uri", "x-original-host", "x-original-client")
_FORWARDED = _Names("x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", None)
_NAMES: Mapping[Sort, _Names] = {
    Sort.NGINX: _ORIGINAL,
    Sort.HAPROXY: _ORIGINAL,
    Sort.TRAEFIK: _FORWARDED,
    Sort.CADDY: _FORWARDED,
}


def original(sort: Sort, headers: Mapping[str, str], method: str, raw_suffix: str) -> Original:
    """`headers` in lower case, lines of one name joined. `raw_suffix`: of Envoy's check, undecoded."""
    if sort is Sort.ENVOY:
        peer, forwarded = _last(headers.get("x-forwarded-for", ""))
        reports = headers.get(ENVOY_REPORTS) == "true"
        return Original(method, raw_suffix, headers.get("host", ""), peer, forwarded, reports)
    names = _NAMES[sort]
    said, target = headers.get(names.method, ""), headers.get(names.target, "")
    if names.peer is None:
        peer, forwarded = _last(headers.get("x-forwarded-for", ""))
    else:
        peer, forwarded = headers.get(names.peer, ""), headers.get("x-forwarded-for", "").encode("latin-1", "replace")
    for name, value in ((names.method, said), (names.target, target), (names.peer or "x-forwarded-for", peer)):
        if not value or (name != "x-forwarded-for" and "," in value and name in (names.method, names.peer)):
            raise Problem(400, f"A check by {sort} must carry {name} once: see its configuration in the documents.")
    return Original(said, target, headers.get(names.host, ""), peer, forwarded)


def _last(forwarded: str) -> tuple[str, bytes]:
    rest, _, peer = forwarded.rpartition(",")
    return peer.strip(), rest.encode("latin-1", "replace")


def status_for(sort: Sort, status: int) -> int:
    """nginx knows only 2xx, 401 and 403 and turns the rest into 500; Envoy takes 5xx for a failure of the check."""
    if sort is Sort.NGINX:
        return 403
    return 429 if sort is Sort.ENVOY else status
