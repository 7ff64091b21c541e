"""What `headgate up` prints: lines with their source in front, each source in its own colour on a terminal."""

from __future__ import annotations

import re
import sys
import zlib
from typing import IO

import structlog
from rich.console import Console as RichConsole
from rich.text import Text

COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green", "bright_blue", "bright_magenta")
POD = re.compile(r"(.+)-worker-[0-9a-f]+-(\w+)")
WIDTH = 18
JOB_LINE = " Queue job "
"""Two lines of a worker for every job: they must not drown the others."""


class Console:
    """`say` with a source (a Pod, `store`, `run`) or, with "", for Headgate itself."""

    def __init__(self, output: IO[str] = sys.stdout) -> None:
        self._rich = RichConsole(file=output, highlight=False, markup=False, soft_wrap=True)

    def say(self, source: str, line: str) -> None:
        if not source:
            self._rich.print(Text(line))
            return
        name, said = _short(source), Text.from_ansi(line)
        if JOB_LINE in line:
            said.stylize("dim")
        self._rich.print(Text.assemble((f"{name:<{WIDTH}}| ", _colour(name)), said))

    def warn(self, line: str) -> None:
        """Something that a person should look at."""
        self._rich.print(Text(line, style="bold red"))

    def note(self, line: str) -> None:
        """Something in passing, such as the status line."""
        self._rich.print(Text(line, style="bold"))


def quiet_logs(console: Console) -> None:
    """The reconcile loop logs for operators; here only its warnings are of interest."""

    def show(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("event", "exception"))
        return "\n".join(part for part in (f"{event['event']} {fields}".strip(), event.get("exception", "")) if part)

    structlog.configure(
        processors=[structlog.processors.format_exc_info, show],
        wrapper_class=structlog.make_filtering_bound_logger(30),
        logger_factory=lambda *_: _Warner(console),
        cache_logger_on_first_use=False,
    )


class _Warner:
    """The logger that structlog writes to."""

    def __init__(self, console: Console) -> None:
        self.warning = self.error = self.exception = self.critical = console.warn


def _short(source: str) -> str:
    """`campaigns-worker-5d8f-x2k9q` as `campaigns-x2k9q`"""
    found = POD.fullmatch(source)
    return f"{found[1]}-{found[2]}" if found else source


def _colour(name: str) -> str:
    policy = name.rpartition("-")[0] or name
    return COLOURS[zlib.crc32(policy.encode()) % len(COLOURS)]
