"""What the middleware takes from the environment when it is not told: the only file of it that reads there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from headgate.errors import InvalidInput


def store_url(environ: Mapping[str, str] = os.environ) -> str:
    """HEADGATE_STORE_URL_FILE (the mounted Secret), HEADGATE_STORE_URL or REDIS_URL."""
    file = environ.get("HEADGATE_STORE_URL_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            reason = getattr(fault, "strerror", None) or "not text"
            raise InvalidInput(
                f"HEADGATE_STORE_URL_FILE={file}: {reason}; mount the Secret that holds key `url`"
            ) from fault
    url = environ.get("HEADGATE_STORE_URL") or environ.get("REDIS_URL")
    if not url:
        raise InvalidInput("where is the store? pass store_url= to GateMiddleware, or set HEADGATE_STORE_URL")
    return url


def key_prefix(environ: Mapping[str, str] = os.environ) -> str:
    return environ.get("RQ_KEY_PREFIX") or "rq"


def pod(environ: Mapping[str, str] = os.environ) -> str:
    return environ.get("HEADGATE_POD_NAME") or socket.gethostname()
