"""Puts the Lua verbs together from their shared parts and knows their digests.

A verb is `lua/<verb>.lua`. A line `-- include: name` is replaced by `lua/lib/name.lua`, each part once per script level
where it stands. Tests swap a part (the clock) by passing `swaps`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

VERBS = (
    "claim", "finish", "finish_claim", "seal", "release", "renew", "reap",
    "enqueue", "publish", "unpublish", "read_declared", "override", "inspect", "record_sample", "read_samples",
    "admit", "settle", "renew_requests", "inspect_http",
    "begin_run", "renew_run", "end_run", "skip_ticks", "inspect_tasks",
)  # fmt: skip

_LUA = files("headgate.gates") / "lua"
_INCLUDE = re.compile(r"^[ ]*-- include: (\w+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^[ ]*--[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One verb: its assembled text and the SHA-1 that EVALSHA takes."""

    verb: str
    text: str
    sha: str


def assemble(verb: str, swaps: Mapping[str, str] | None = None) -> str:
    """The whole text of a verb: parts included, comment lines dropped (the `#!lua` line stays first)."""

    def part(match: re.Match[str]) -> str:
        name = match.group(1)
        text = (swaps or {}).get(name) or (_LUA / "lib" / f"{name}.lua").read_text()
        return _INCLUDE.sub(part, text)

    return _COMMENT.sub("", _INCLUDE.sub(part, (_LUA / f"{verb}.lua").read_text()))


def load(verb: str, swaps: Mapping[str, str] | None = None) -> Script:
    text = assemble(verb, swaps)
    return Script(verb, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@cache
def scripts() -> Mapping[str, Script]:
    """All verbs as shipped."""
    return {verb: load(verb) for verb in VERBS}
