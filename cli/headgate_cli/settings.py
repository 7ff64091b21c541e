"""The environment, read here and nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from headgate.errors import InvalidInput


def store_url(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where the store is, when no option says it: $REDIS_URL, as RQ's own tools read it."""
    return environ.get("REDIS_URL") or None


def key_prefix(environ: Mapping[str, str] = os.environ) -> str:
    """RQ's key prefix; rq reads the same variable."""
    return environ.get("RQ_KEY_PREFIX") or "rq"


def api_url(environ: Mapping[str, str] = os.environ) -> str | None:
    """Where headgate-api is, when no option says it."""
    return environ.get("HEADGATE_URL") or None


def api_token(file: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The bearer token in `file`, or $HEADGATE_TOKEN. Raises InvalidInput for a file that cannot be read."""
    if file is None:
        return environ.get("HEADGATE_TOKEN") or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InvalidInput(f"--token-file {file}: {reason}; it must hold a token of headgate-api") from error


def for_children(app: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What workers and companions inherit: all of ours, the application importable, and our own programs on PATH."""
    programs = str(Path(sys.executable).parent)
    return {
        **environ,
        "PATH": _joined(programs, environ.get("PATH", os.defpath)),
        "PYTHONPATH": _joined(str(app), environ.get("PYTHONPATH", "")),
        "PYTHONUNBUFFERED": "1",
    }


def _joined(first: str, rest: str) -> str:
    return os.pathsep.join(part for part in (first, rest) if part)
