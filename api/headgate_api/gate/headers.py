"""What an answer says about the limits: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10),
`Retry-After`. Structured fields (RFC 9651): names are quoted strings, numbers are integers."""

from __future__ import annotations

import random
from collections.abc import Sequence

from headgate.model.documents import HttpRule

Header = tuple[bytes, bytes]

EXPOSED: Header = (b"access-control-expose-headers", b"RateLimit, RateLimit-Policy, Retry-After")
"""Without it a browser's script of another origin cannot read them."""
NO_STORE: Header = (b"cache-control", b"no-store")
JITTER = 0.1
JITTER_LIMIT_SECONDS = 60


def quoted(name: str) -> bytes:
    """A structured string; what it may not hold becomes `?`, so that no name can add a header or an item."""
    kept = "".join(character if " " <= character <= "~" else "?" for character in name)
    return b'"' + kept.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'


def seconds(ms: int) -> int:
    """Whole seconds, never too early."""
    return -(-ms // 1000) if ms > 0 else 0


def retry_after(retry_ms: int) -> int:
    """Never before it is worth it, at least 1; a little later by chance, so that those who wait do not come at once."""
    earliest = max(1, seconds(retry_ms))
    return earliest + random.randint(0, max(1, min(JITTER_LIMIT_SECONDS, int(earliest * JITTER))))  # noqa: S311


class LimitHeaders:
    """For one set of rules that apply together; those without a rate have nothing to say. Values are kept prepared."""

    def __init__(self, rules: Sequence[tuple[int, HttpRule]]) -> None:
        rated = [(index, rule, rule.rate) for index, rule in rules if rule.rate is not None and rule.mode == "Enforce"]
        self.indexes = tuple(index for index, _, _ in rated)
        policies = (
            b"%b;q=%d;w=%d" % (quoted(rule.name), rate.limit, max(1, seconds(rate.period_ms)))
            for _, rule, rate in rated
        )
        self.policy: Header = (b"ratelimit-policy", b", ".join(policies))
        self.template = b", ".join(quoted(rule.name).replace(b"%", b"%%") + b";r=%d;t=%d" for _, rule, _ in rated)

    def of(self, numbers: tuple[int, ...]) -> tuple[Header, ...]:
        """`numbers`: for each of `indexes` what remains and the seconds until it is whole again, one after another."""
        if not self.indexes:
            return ()
        return (b"ratelimit", self.template % numbers), self.policy
