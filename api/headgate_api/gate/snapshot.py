"""One revision of a surface's policy as the middleware uses it: compiled once, replaced as a whole."""

from __future__ import annotations

from collections.abc import Iterable

from headgate.model.documents import HttpDocument
from headgate_api.gate.address import Addresses
from headgate_api.gate.denials import Denials
from headgate_api.gate.identity import Identities
from headgate_api.gate.local import LocalLimits
from headgate_api.gate.matching import Matcher
from headgate_api.gate.ruleset import RuleSet

CACHED = 4_096
_LONG = 256
_WANTED = frozenset(
    (
        b"x-forwarded-for", b"host", b"origin", b"content-length", b"transfer-encoding",
        b"access-control-request-method",
    )
)  # fmt: skip


class Snapshot:
    """`revision` 0: the document is the application's own default and only this process holds it."""

    def __init__(self, revision: int, document: HttpDocument, secret: bytes, local: LocalLimits | None = None) -> None:
        self.revision, self.document = revision, document
        self.identities = Identities(secret)
        self.matcher = Matcher(document)
        self.addresses = Addresses(document.trusted_proxies, document.ipv6_prefix_length)
        self.denials = Denials()
        self.local = local or LocalLimits(document)
        headers = (rule.header for rule in document.rules if rule.header)
        self._wanted = _WANTED | {header.lower().encode("ascii", "replace") for header in headers}
        self.routes: dict[tuple[str, str, str], RuleSet | None] = {}
        self._rule_sets: dict[tuple[int, ...], RuleSet] = {}

    def facts(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
        """One look at each header. ASGI names are in lower case."""
        wanted = self._wanted
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in wanted:
                found[name] = found[name] + b"," + value if name in found else value
        return found

    def route(self, key: tuple[str, str, str]) -> RuleSet | None:
        """What applies to method, path and host; kept in `routes`, which may be asked first."""
        method, path, host = key
        found = self.rule_set(self.matcher.rules(method, path, host))
        if len(path) <= _LONG and len(host) <= _LONG:
            if len(self.routes) >= CACHED:
                self.routes.clear()
            self.routes[key] = found
        return found

    def rule_set(self, indexes: tuple[int, ...]) -> RuleSet | None:
        """None: no rule. Bounded by the combinations that paths and methods of the policy can make."""
        if not indexes:
            return None
        found = self._rule_sets.get(indexes)
        if found is None:
            found = self._rule_sets[indexes] = RuleSet(self.document, self.revision, indexes)
        return found
