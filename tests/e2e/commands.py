"""Run a program and say what went wrong in its own words."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.child import DIES_WITH_US


class CommandError(RuntimeError):
    """A program failed; the message has its command line and the end of what it wrote."""


def run(
    command: list[str],
    *,
    stdin: str = "",
    timeout: float = 600,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """Its stdout; it ends with this process. CommandError when it fails or takes longer than `timeout` seconds."""
    try:
        done = subprocess.run(
            [*DIES_WITH_US, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{' '.join(command)}: not done after {timeout:g} s") from error
    if done.returncode:
        said = (done.stdout[-1500:] + "\n" + done.stderr[-2500:]).strip()
        raise CommandError(f"{' '.join(command)}: exit code {done.returncode}\n{said}")
    return done.stdout
