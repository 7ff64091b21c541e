"""Bearer tokens: a file of hashes, read again when it changes, so that a token rotates without a restart.

A line is `sha256:<64 hex digits> <scopes, comma separated> <name>`; what begins with # is skipped.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from headgate.errors import InvalidInput

PREFIX = "hg_"
_LINE = re.compile(r"sha256:([0-9a-f]{64})\s+([a-z,]+)\s+([A-Za-z0-9_.@-]{1,64})")
LONGEST = 256

logger = logging.getLogger("headgate.api")


class Scope(StrEnum):
    READ = "read"
    ENQUEUE = "enqueue"
    OPERATE = "operate"
    """Includes the other two, and sees payloads."""
    PROXY = "proxy"
    """For /authz and /report only; no other scope includes it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who presented a token. `name` goes into overrides and logs."""

    name: str
    scopes: frozenset[Scope]

    @property
    def sees_payloads(self) -> bool:
        """Arguments, results and tracebacks of jobs."""
        return Scope.OPERATE in self.scopes

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or (Scope.OPERATE in self.scopes and scope is not Scope.PROXY)


@dataclass(frozen=True, slots=True)
class Entry:
    digest: bytes
    caller: Caller


def parse(text: str, source: str) -> tuple[Entry, ...]:
    """Raises InvalidInput for a line that is none, by its number: it may hold a token that somebody pasted."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InvalidInput(f"{source}, line {number}: it must be `sha256:<64 hex digits> <scopes> <name>`")
        found.append(Entry(bytes.fromhex(match[1]), Caller(match[3], _scopes(match[2].split(","), source, number))))
    return tuple(found)


def _scopes(words: Iterable[str], source: str, number: int) -> frozenset[Scope]:
    try:
        return frozenset(Scope(word) for word in words)
    except ValueError as error:
        raise InvalidInput(f"{source}, line {number}: {error}; scopes are {', '.join(Scope)}") from error


class TokenFile:
    """The tokens of a file. One that cannot be read or understood leaves the last good ones in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: tuple[Entry, ...] = ()
        self._stamp: tuple[int, int, int] | None = None
        self._load(self._look())

    def caller(self, token: str) -> Caller | None:
        """Whose it is. Every line is compared, in constant time, so the answer's delay tells nothing."""
        self._refresh()
        digest = hashlib.sha256(token[:LONGEST].encode("utf-8", "replace")).digest()
        found = None
        for entry in self._entries:
            if hmac.compare_digest(entry.digest, digest) and len(token) <= LONGEST:
                found = entry.caller
        return found

    def _refresh(self) -> None:
        try:
            stamp = self._look()
            if stamp != self._stamp:
                self._load(stamp)
                logger.info("Tokens read again file=%s tokens=%d", self._path, len(self._entries))
        except InvalidInput as error:
            logger.warning("Tokens not read, the last good ones stay: %s", error)

    def _look(self) -> tuple[int, int, int]:
        """A mounted Secret changes by a symbolic link, so the inode counts too."""
        try:
            found = self._path.stat()
        except OSError as error:
            if self._stamp is not None:
                return self._stamp
            raise InvalidInput(f"HEADGATE_TOKENS_FILE is {str(self._path)!r}: {error.strerror}") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _load(self, stamp: tuple[int, int, int]) -> None:
        self._stamp = stamp
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self._path}: it cannot be read as text") from error
        self._entries = parse(text, str(self._path))


def new_token(scopes: str, name: str) -> tuple[str, str]:
    """A token that nobody can guess, and its line for the file. Raises InvalidInput for what is no scope or name."""
    token = PREFIX + secrets.token_urlsafe(32)
    line = f"sha256:{hashlib.sha256(token.encode()).hexdigest()} {scopes} {name}"
    parse(line, "token")
    return token, line
