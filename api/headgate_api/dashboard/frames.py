"""Updates as bytes: made once, sent to every viewer."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate_api.dashboard.snapshot import Parts

GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Begins a gzip stream. What follows are raw deflate blocks that refer to nothing before them (a full flush each), so
one compressed frame fits into the stream of every viewer, whatever that viewer was sent before."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event, plain and deflated."""

    plain: bytes
    packed: bytes

    def bytes_for(self, packed: bool) -> bytes:
        return self.packed if packed else self.plain


def frame(text: str) -> Frame:
    plain = text.encode()
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return Frame(plain, deflate.compress(plain) + deflate.flush(zlib.Z_FULL_FLUSH))


def event(name: str, number: str, content: Mapping[str, Any]) -> Frame:
    """JSON in ASCII holds no line break, so one `data:` line is enough whatever text is inside."""
    return frame(f"event: {name}\nid: {number}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n")


def changes(old: Parts, new: Parts) -> dict[str, dict[str, Any]]:
    """Rows that are new or other than before; null: gone."""
    found: dict[str, dict[str, Any]] = {}
    for part, rows in new.items():
        before = old.get(part, {})
        changed: dict[str, Any] = {name: row for name, row in rows.items() if before.get(name) != row}
        changed.update((name, None) for name in before.keys() - rows.keys())
        if changed:
            found[part] = changed
    return found
