"""The folder of policies as the user of the cluster in memory: what the files declare is what the cluster is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import awatch

from headgate.control.ports import BUDGET, HTTP_POLICY, PERIODIC_TASK, QUEUE_POLICY, Kind
from headgate.errors import HeadgateError
from headgate_cli.local.files import ObjectKey, PolicyFiles, Reading
from headgate_cli.local.memory_cluster import MemoryCluster
from headgate_cli.local.memory_pods import CONFIG_MAP, SECRET

ORDER = (SECRET, CONFIG_MAP, BUDGET, HTTP_POLICY, QUEUE_POLICY, PERIODIC_TASK)
"""What others name comes first."""
MANAGER = "headgate-files"
"""Fields that the files do not name are others': the number of workers, where autoscaling writes it."""


class Folder:
    """`read` the files, `apply` what they say, `watch` them. `warn` gets each mistake once for as long as it stands."""

    def __init__(
        self, files: PolicyFiles, where: Path, scope: str, cluster: MemoryCluster, warn: Callable[[str], None]
    ) -> None:
        self._files = files
        self._where = where
        self._scope = scope
        self._cluster = cluster
        self._warn = warn
        self._warned: set[str] = set()
        self._known: set[ObjectKey] = set()

    async def watch(self, applied: Callable[[Reading, Sequence[str]], None]) -> None:
        """For ever: after every change of a file `applied` gets what is in force and the names of what changed."""
        async for _ in awatch(self._where if self._where.is_dir() else self._where.parent, step=20, debounce=200):
            try:
                reading = self._files.read()
            except HeadgateError as error:
                self._warn(str(error))
                continue
            changed = await self.apply(reading)
            if changed:
                applied(reading, changed)

    async def apply(self, reading: Reading) -> list[str]:
        """Put and delete until the cluster says what `reading` says. Answers what changed, in words."""
        self._tell(reading)
        changed = [name for key in _in_order(reading.objects) if (name := await self._put(key, reading))]
        for key in reversed(_in_order(self._known - reading.objects.keys())):
            await self._delete(*key)
            changed.append(f"{key[0].kind} {key[1]} deleted")
        self._known = set(reading.objects)
        return changed

    async def _put(self, key: ObjectKey, reading: Reading) -> str:
        kind, name = key
        before = await self._cluster.get(kind, self._scope, name)
        if before is None:
            await self._cluster.put(kind, reading.objects[key])  # its uid is given, an apply takes none
        after = await self._cluster.apply(kind, reading.objects[key], manager=MANAGER)
        if before and before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]:
            return ""
        return f"{kind.kind} {name}"

    async def _delete(self, kind: Kind, name: str) -> None:
        found = await self._cluster.get(kind, self._scope, name)
        if found:
            await self._cluster.delete(kind, self._scope, name, found["metadata"]["uid"])

    def _tell(self, reading: Reading) -> None:
        sentences = [str(mistake) for mistake in reading.mistakes]
        for sentence in sentences:
            if sentence not in self._warned:
                self._warn(sentence)
        if self._warned and not sentences:
            self._warn("all files are readable again")
        self._warned = set(sentences)


def _in_order(keys: Iterable[ObjectKey]) -> list[ObjectKey]:
    return sorted(keys, key=lambda key: (ORDER.index(key[0]), key[1]))
