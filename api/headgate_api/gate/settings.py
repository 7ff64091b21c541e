"""What the middleware takes from the environment when it is not told: the only file of it that reads there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from headgate.errors import InvalidInput
from headgate_api.gate.store_url import StoreUrl, checked


def store_url(environ: Mapping[str, str] = os.environ) -> StoreUrl:
    """HEADGATE_STORE_URL_FILE (the mounted Secret), HEADGATE_STORE_URL or REDIS_URL. Raises InvalidInput."""
    file = environ.get("HEADGATE_STORE_URL_FILE")
    if file:
        return StoreUrl(file=Path(file))
    for name in ("HEADGATE_STORE_URL", "REDIS_URL"):
        if environ.get(name):
            return StoreUrl(checked(environ[name], name))
    raise InvalidInput("where is the store? set HEADGATE_STORE_URL_FILE, HEADGATE_STORE_URL or REDIS_URL")


def key_prefix(environ: Mapping[str, str] = os.environ) -> str:
    return environ.get("RQ_KEY_PREFIX") or "rq"


def pod(environ: Mapping[str, str] = os.environ) -> str:
    return environ.get("HEADGATE_POD_NAME") or socket.gethostname()
