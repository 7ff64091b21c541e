"""Log lines on stderr: `time level message key=value`, or one JSON object with the same names.

structlog renders everything but the two lines of a job, which slots build by hand in the same form: they are written
once a job, with one system call for the end of one and the start of the next.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+,")


def configure(log_format: str, level: str) -> None:
    """For this process; RQ's own loggers, which speak on the slow path, come out in the same form at warning."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _json if log_format == "json" else _text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = _Forward()
    for name in ("rq.worker", "rq.job", "rq.scheduler", "rq.registry", "rq.queue", "rq.webhook"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(max(LEVELS[level], logging.WARNING))


def get(**fields: Any) -> structlog.typing.FilteringBoundLogger:
    return structlog.get_logger(**fields)  # type: ignore[no-any-return]


class JobLines:
    """The `Queue job` lines of one slot. Disabled above level info: then `start` and `end` cost a comparison."""

    def __init__(self, queue: str, worker: str, log_format: str, level: str) -> None:
        self.enabled = LEVELS[level] <= logging.INFO
        self._json = log_format == "json"
        self._tail = self._fields({"queue": queue, "worker": worker})
        self._pending = ""
        self._second = -1
        self._stamp = ""

    def start(self, job_id: str, function: str) -> None:
        """Write the held-back end of the job before and this start, in one call."""
        if self.enabled:
            line = self._line({"event": "start", "id": job_id, "function": function})
            self._write(self._pending + line)
            self._pending = ""

    def end(self, job_id: str, function: str, seconds: float, outcome: str, error: str | None = None) -> None:
        """Held back until the next start or `flush`: both come within one round trip to the store."""
        if self.enabled:
            fields = {"event": "end", "id": job_id, "function": function, "seconds": f"{seconds:.6f}"}
            fields["outcome"] = outcome
            if error is not None:
                fields["error"] = error
            self._pending += self._line(fields)

    def flush(self) -> None:
        if self._pending:
            self._write(self._pending)
            self._pending = ""

    def _write(self, text: str) -> None:
        try:
            os.write(2, text.encode("utf-8", "backslashreplace"))
        except OSError:
            self.enabled = False

    def _line(self, fields: Mapping[str, str]) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        stamp = f"{self._stamp}.{int((now - second) * 1000):03d}Z"
        body = self._fields(fields)
        if self._json:
            return f'{{"time":"{stamp}","level":"info","message":"Queue job",{body},{self._tail}}}\n'
        return f"{stamp} info Queue job {body} {self._tail}\n"

    def _fields(self, fields: Mapping[str, str]) -> str:
        if self._json:
            return ",".join(f'"{key}":{_json_value(key, value)}' for key, value in fields.items())
        return " ".join(f"{key}={quote(value)}" for key, value in fields.items())


def quote(value: Any) -> str:
    """A value as it stands when it is one plain word, else as a JSON string: one line, no forged fields."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else str(value)
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)


def _json_value(key: str, value: str) -> str:
    return value if key == "seconds" else json.dumps(value)


def _stamp() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


def _text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    level, message, trace = event.pop("level"), event.pop("event"), event.pop("exception", None)
    fields = "".join(f" {key}={quote(value)}" for key, value in event.items() if value is not None)
    return f"{_stamp()} {level} {message}{fields}" + (f"\n{trace}" if trace else "")


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    level, message = event.pop("level"), event.pop("event")
    fields = {key: value for key, value in event.items() if value is not None}
    return json.dumps({"time": _stamp(), "level": level, "message": message, **fields}, default=str)


class _Forward(logging.Handler):
    """RQ's own log records in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        log = get(source=record.name)
        log.log(record.levelno, record.getMessage().replace("\n", " | "), trace=trace)
