"""Whom a rule counts: a client's address, a user or a header's value as 32 hexadecimal digits that tell nobody who.

The HMAC's secret lives in the store, one for all processes (`H:http:secret`): equal clients have equal identities
everywhere, and neither the store's keys nor the logs hold an address or a name.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

GLOBAL = "-"
SECRET_BYTES = 32
CACHED = 16_384
_LONG = 256


class Identities:
    """With one secret. `kind`: `ip`, `user` or `header:<name>`; it keeps a user named as an address apart from it."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._known = lru_cache(CACHED)(self._digest)

    def of(self, kind: str, value: str) -> str:
        return self._known(kind, value) if len(value) <= _LONG else self._digest(kind, value)

    def _digest(self, kind: str, value: str) -> str:
        message = f"{kind}\0{value}".encode(errors="surrogatepass")
        return hmac.digest(self.secret, message, "sha256").hex()[:32]
