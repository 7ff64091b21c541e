"""Real `headgate-worker` processes as the Pod contract starts them, and documents as a publisher writes them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import Document, QueueDocument

WORKER = Path(sys.executable).with_name("headgate-worker")


def publish(url: str, *documents: Document, generation: int = 1) -> None:
    """Declare the documents as one publisher, in their order (budgets before the queues that use them)."""
    with closing(Door(url)) as door:
        for document in documents:
            name = document.queue if isinstance(document, QueueDocument) else document.name.rpartition("/")[2]
            door.publish(document, Owner(f"test/{name}", f"{document.kind}/{name}", generation))


def environment(
    url: str, queue: str, *, paths: Iterable[Path] = (), more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All of the environment of a worker: health on any free port, quiet logs, `paths` importable."""
    imports = [*map(str, paths), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, imports)),
        "HEADGATE_QUEUE": queue,
        "HEADGATE_STORE_URL": url,
        "HEADGATE_METRICS_PORT": "0",
        "HEADGATE_DRAIN_SECONDS": "10",
        "HEADGATE_LOG_LEVEL": "warning",
        **(more or {}),
    }
