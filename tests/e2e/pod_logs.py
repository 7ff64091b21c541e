"""The logs of pods, also of those that are gone: the kubelet deletes the files, a second name keeps them."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class PodLogs:
    """Keeps what containers of `namespace` write while it is open. `folder`: the node's working folder."""

    def __init__(self, folder: Path, namespace: str) -> None:
        self._logs = folder / "pod-logs"
        self._kept = folder / f"kept-{namespace}"
        self._namespace = namespace
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        self._kept.mkdir()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def by_pod(self, container: str = "worker") -> dict[str, str]:
        """Pod name -> everything that its container wrote, restarts included."""
        texts: dict[str, str] = {}
        for path in sorted(self._kept.glob(f"*__{container}__*")):
            pod = path.name.split("__")[0]
            texts[pod] = texts.get(pod, "") + path.read_text(errors="replace")
        return texts

    def _keep(self) -> None:
        while not self._done.wait(0.05):
            self._link()
        self._link()

    def _link(self) -> None:
        for path in self._logs.glob(f"{self._namespace}_*/*/*.log"):
            pod = path.parent.parent.name.split("_")[1]
            kept = self._kept / f"{pod}__{path.parent.name}__{path.name}"
            if not kept.exists():
                with suppress(OSError):
                    os.link(path, kept)
