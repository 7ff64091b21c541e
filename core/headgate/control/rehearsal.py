"""A new Deployment or CronJob is shown to the API server first: what it refuses must not leave limits without workers.

Many policies differ in nothing that a server judges: of those one is shown, and the others are believed for a while. A
refusal that comes later all the same (a quota, a webhook) is told as it is, after the limits were published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any

from headgate.control.ports import CRON_JOB, DEPLOYMENT, Clock, Cluster, Manifest
from headgate.desired.children import Child
from headgate.errors import Rejected

BELIEVED_SECONDS = 300.0
MOST_BELIEVED = 1_000


class Rehearsal:
    def __init__(self, cluster: Cluster, clock: Clock) -> None:
        self._cluster, self._clock = cluster, clock
        self._taken: dict[str, float] = {}

    async def show(self, new: Sequence[Child]) -> None:
        """Raises Rejected with the server's own text."""
        for child in new:
            if child.kind in (DEPLOYMENT, CRON_JOB):
                await self._show(child, likeness(child.manifest))

    async def _show(self, child: Child, like: str) -> None:
        now = self._clock.monotonic()
        if now - self._taken.get(like, float("-inf")) < BELIEVED_SECONDS:
            return
        try:
            await self._cluster.apply(child.kind, child.manifest, dry_run=True)
        except Rejected:
            self._taken.pop(like, None)
            raise
        if len(self._taken) >= MOST_BELIEVED:
            self._taken.clear()
        self._taken[like] = now

    def refused(self, child: Child) -> None:
        """In earnest: none like it is believed any more."""
        self._taken.pop(likeness(child.manifest), None)


def likeness(manifest: Manifest) -> str:
    """The same for objects of one namespace that differ only in whose they are and in the values of variables."""
    metadata = manifest["metadata"]
    own = {metadata["name"], *metadata.get("labels", {}).values()}
    return json.dumps([manifest["kind"], metadata["namespace"], _judged(manifest.get("spec"), own)])


def _judged(part: Any, own: Set[str]) -> Any:
    if isinstance(part, Mapping):
        return {
            key: [_without_value(each) for each in value] if key == "env" else _judged(value, own)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_judged(each, own) for each in part]
    return "" if isinstance(part, str) and part in own else part


def _without_value(variable: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in variable.items() if key != "value"}
