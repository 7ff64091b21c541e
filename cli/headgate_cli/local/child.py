"""Start a program that ends with the process that started it, however that one ends.

Run as a script, it is the small program in between: `python child.py PARENT COMMAND...` asks the kernel for SIGKILL at
the parent's death (Linux; elsewhere nothing does that), puts the signals that Python ignores back, and becomes COMMAND.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from asyncio import ReadTransport as ReadPipe
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
CANNOT_START = 126
"""Exit code when COMMAND exists but cannot be executed."""


class Child:
    """A started program. `output` is stdout and stderr; it may stay open for as long as any descendant has it."""

    def __init__(self, process: asyncio.subprocess.Process, output: asyncio.StreamReader, pipe: ReadPipe) -> None:
        self.process = process
        self.pid = process.pid
        self.output = output
        self._pipe = pipe

    async def lines(self) -> AsyncIterator[str]:
        """Its output, however long the lines are."""
        rest = b""
        while read := await self.output.read(65_536):
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                yield _text(line)
        if rest:
            yield _text(rest)

    def kill_group(self) -> None:
        """SIGKILL to every process of its group, if any is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Read no more output."""
        self._pipe.close()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")


async def start_child(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Child:
    """Start `command` in a session and process group of its own.

    Call it from the main thread: the kernel takes the end of the starting *thread* for the parent's death. The pipe is
    our own, because asyncio's `wait` would not return before its pipes are closed, by descendants too.
    """
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", __file__, str(os.getpid()), *command),
            env=dict(env),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    output = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(output)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(reading, "rb"))
    return Child(process, output, pipe)


def _become(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(CANNOT_START)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  becoming the command is what this script is for
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        raise SystemExit(CANNOT_START) from error


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
