"""The example's backend as real processes: uvicorn, with its database and its notes in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.processes import tree
from tests.stores import free_port
from tests.story.world import EXAMPLE

UVICORN = Path(sys.executable).parent / "uvicorn"


class Site:
    """`factory`: create_app or create_before. `processes` of uvicorn listen on one port."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        factory: str = "create_app",
        *,
        processes: int = 1,
        options: Sequence[str] = ("--no-proxy-headers",),
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.notes = folder / "notes"
        folder.mkdir(parents=True, exist_ok=True)
        target = factory if ":" in factory else f"taskforce.backend:{factory}"
        self._command = [
            str(UVICORN), "--factory", target, "--port", str(self.port), "--workers", str(processes),
            "--log-level", "warning", "--no-access-log", *options,
        ]  # fmt: skip
        self._env = {
            **os.environ,
            "REDIS_URL": store_url,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(EXAMPLE.parents[2])]),
            "TASKFORCE_DATABASE": str(folder / "mails.sqlite"),
            "TASKFORCE_NOTES": str(self.notes),
            **(more or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Site:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        with (self.folder / "site.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self._look()
            except httpx.TransportError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise AssertionError(f"the backend does not answer: {self.log()[-2000:]}") from None
                time.sleep(0.1)

    def _look(self) -> None:
        """A path that no rule is about."""
        httpx.get(f"{self.url}/", timeout=5)

    def pids(self) -> list[int]:
        return tree.members(self.process.pid) if self.process else []

    def stop(self) -> None:
        """TERM, as a supervisor sends it."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def kill(self) -> None:
        if self.process is not None:
            tree.end(self.process.pid)
            self.process.wait()

    def log(self) -> str:
        return (self.folder / "site.log").read_text(errors="replace")

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A client from this loopback address."""
        transport = httpx.HTTPTransport(local_address=address, limits=httpx.Limits(max_connections=64))
        return httpx.Client(base_url=self.url, transport=transport, timeout=30)

    def questions(self) -> dict[str, int]:
        """How often each question was put to the database."""
        counts: dict[str, int] = {}
        for line in self.notes.read_text().splitlines() if self.notes.exists() else ():
            what, _at, _pid, phase = line.split()
            counts[what] = counts.get(what, 0) + (phase == "S")
        return counts
