"""How this service was set up: the environment, read here and nowhere else."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import InvalidInput
from headgate_api.gate.settings import store_url
from headgate_api.gate.store_url import StoreUrl

RQ_PREFIX = re.compile(r"[A-Za-z0-9_.:{}-]+")
SURFACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """`functions`: what may be enqueued where a queue's policy lists none. `surface` "": no limits of its own."""

    store_url: StoreUrl
    tokens_file: Path
    prefix: str = "rq"
    host: str = "127.0.0.1"
    port: int = 9190
    surface: str = "headgate-api"
    functions: tuple[str, ...] = ()
    pod: str = "headgate-api"
    log_level: str = "info"


def inherited(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment, for who adds to it before `load`."""
    return environ


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises InvalidInput: one sentence that names the variable, its value, and what would be right."""
    tokens = environ.get("HEADGATE_TOKENS_FILE", "")
    if not tokens:
        raise InvalidInput("HEADGATE_TOKENS_FILE is not set: it must name a file of tokens, see `headgate-api token`")
    return Settings(
        store_url=store_url(environ),
        tokens_file=Path(tokens),
        prefix=_matching(environ, "RQ_KEY_PREFIX", "rq", RQ_PREFIX, "letters, digits and _ . : - { }"),
        host=environ.get("HEADGATE_HOST") or "127.0.0.1",
        port=_port(environ),
        surface=_surface(environ),
        functions=tuple(name.strip() for name in environ.get("HEADGATE_FUNCTIONS", "").split(",") if name.strip()),
        pod=environ.get("HEADGATE_POD_NAME") or socket.gethostname(),
        log_level=environ.get("HEADGATE_LOG_LEVEL") or "info",
    )


def _surface(environ: Mapping[str, str]) -> str:
    """Set and empty turns the limits of the service itself off."""
    if environ.get("HEADGATE_SURFACE") == "":
        return ""
    return _matching(environ, "HEADGATE_SURFACE", "headgate-api", SURFACE, "lower case letters, digits and dashes")


def _matching(environ: Mapping[str, str], name: str, default: str, pattern: re.Pattern[str], right: str) -> str:
    value = environ.get(name) or default
    if not pattern.fullmatch(value):
        raise InvalidInput(f"{name} is {value!r}: it must be {right}")
    return value


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("HEADGATE_PORT") or "9190"
    if not text.isascii() or not text.isdigit() or not 0 <= int(text[:6]) <= 65535:
        raise InvalidInput(f"HEADGATE_PORT is {text!r}: it must be a whole number from 0 to 65535")
    return int(text)
