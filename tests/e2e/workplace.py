"""Where the e2e suite keeps what it builds."""

from __future__ import annotations

import os
from pathlib import Path


def cache(name: str) -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "headgate" / name
