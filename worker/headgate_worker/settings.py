"""What one worker was told: parsed once, frozen, passed in. The only file that reads the environment."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headgate.errors import InvalidInput

DEFAULT_DEADLINE_SECONDS = 3600
DEFAULT_PORT = 9180
DEFAULT_PAYLOAD_LIMIT = 64 * 1024 * 1024
LOG_LEVELS = ("debug", "info", "warning", "error")
QUEUE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
RQ_PREFIX = re.compile(r"[A-Za-z0-9_.:{}-]+")


@dataclass(frozen=True, slots=True)
class Settings:
    """`store_url` may be read again from `store_url_file` when the password rotates: see `current_store_url`."""

    queue: str
    store_url: str
    store_url_file: str | None
    prefix: str
    pod: str
    pod_ip: str
    port: int
    drain_seconds: int
    deadline_seconds: int
    recycle_above_mib: int | None
    preload: tuple[str, ...]
    log_format: str
    log_level: str
    webhook_hosts: tuple[str, ...]
    payload_limit: int

    def to_json(self) -> dict[str, Any]:
        """For the template process, through its channel: a command line would show the password to everybody."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        lists = {"preload": tuple(data["preload"]), "webhook_hosts": tuple(data["webhook_hosts"])}
        return cls(**{**data, **lists})


def load(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Settings:
    """Read everything, or raise `InvalidInput` with the name of the variable, its value and what would be right."""
    deadline = _number(environ, "HEADGATE_DEADLINE_SECONDS", DEFAULT_DEADLINE_SECONDS, 1)
    url_file = environ.get("HEADGATE_STORE_URL_FILE") or None
    return Settings(
        queue=_queue(argv, environ),
        store_url=_read_url(url_file) if url_file else _url(environ),
        store_url_file=url_file,
        prefix=_prefix(environ),
        pod=environ.get("HEADGATE_POD_NAME") or socket.gethostname(),
        pod_ip=environ.get("HEADGATE_POD_IP") or "127.0.0.1",
        port=_number(environ, "HEADGATE_METRICS_PORT", DEFAULT_PORT, 0, 65535),
        drain_seconds=_number(environ, "HEADGATE_DRAIN_SECONDS", deadline, 0),
        deadline_seconds=deadline,
        recycle_above_mib=_optional(environ, "HEADGATE_RECYCLE_SLOT_ABOVE_MIB", 16),
        preload=_names(environ.get("HEADGATE_PRELOAD", "")),
        log_format=_choice(environ, "HEADGATE_LOG_FORMAT", ("text", "json"), "text"),
        log_level=_choice(environ, "HEADGATE_LOG_LEVEL", LOG_LEVELS, "info"),
        webhook_hosts=_names(environ.get("HEADGATE_WEBHOOK_HOSTS", "")),
        payload_limit=_number(environ, "HEADGATE_PAYLOAD_LIMIT_BYTES", DEFAULT_PAYLOAD_LIMIT, 1),
    )


def current_store_url(settings: Settings) -> str:
    """The URL as the mounted Secret has it now; a file that cannot be read leaves the one in use."""
    if settings.store_url_file is None:
        return settings.store_url
    try:
        return _read_url(settings.store_url_file)
    except InvalidInput:
        return settings.store_url


def child_environment(settings: Settings) -> dict[str, str]:
    """What the template process inherits: all of ours, and the prefix that rq reads when it is imported."""
    return {**os.environ, "RQ_KEY_PREFIX": settings.prefix}


def show_worker_id(worker: str) -> None:
    """`RQ_WORKER_ID` as RQ's forking worker sets it for the code of jobs."""
    os.environ["RQ_WORKER_ID"] = worker


def show_job_id(job_id: bytes) -> None:
    """`RQ_JOB_ID` as RQ's forking worker sets it for the code of jobs."""
    os.environb[b"RQ_JOB_ID"] = job_id


def _queue(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    if len(argv) > 1:
        raise InvalidInput(f"headgate-worker takes one queue, not {len(argv)}: {' '.join(argv)}")
    name = argv[0] if argv else environ.get("HEADGATE_QUEUE", "")
    if not name:
        raise InvalidInput("which queue? run `headgate-worker QUEUE` or set HEADGATE_QUEUE")
    if not QUEUE_NAME.fullmatch(name):
        raise InvalidInput(f"queue {name!r}: 1 to 63 letters, digits, '_', '.' or '-', a letter or digit at both ends")
    return name


def _url(environ: Mapping[str, str]) -> str:
    url = environ.get("HEADGATE_STORE_URL") or environ.get("REDIS_URL") or ""
    if not url:
        raise InvalidInput("where is the store? set HEADGATE_STORE_URL_FILE, HEADGATE_STORE_URL or REDIS_URL")
    return _checked(url, "the store's URL")


def _read_url(path: str) -> str:
    try:
        url = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise InvalidInput(
            f"HEADGATE_STORE_URL_FILE={path}: {reason}; mount the Secret that holds key `url`"
        ) from error
    return _checked(url, f"the URL in HEADGATE_STORE_URL_FILE={path}")


def _checked(url: str, what: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise InvalidInput(f"{what} must begin with redis://, rediss:// or unix://")
    return url


def _prefix(environ: Mapping[str, str]) -> str:
    prefix = environ.get("RQ_KEY_PREFIX", "rq")
    if not RQ_PREFIX.fullmatch(prefix):
        raise InvalidInput(f"RQ_KEY_PREFIX={prefix!r}: only letters, digits and _ . : - {{ }} are allowed")
    return prefix


def _number(environ: Mapping[str, str], name: str, default: int, least: int, most: int = 2**53) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,16}", text) or not least <= int(text) <= most:
        bound = f"from {least} to {most}" if most < 2**53 else f"of at least {least}"
        raise InvalidInput(f"{name}={text!r}: a whole number {bound} is needed")
    return int(text)


def _optional(environ: Mapping[str, str], name: str, least: int) -> int | None:
    return _number(environ, name, 0, least) or None


def _choice(environ: Mapping[str, str], name: str, allowed: Sequence[str], default: str) -> str:
    value = environ.get(name) or default
    if value not in allowed:
        raise InvalidInput(f"{name}={value!r}: one of {', '.join(allowed)}")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
