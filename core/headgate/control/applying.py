"""Child objects into the cluster: applied only where they differ, repaired where somebody else wrote, pruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sys import intern

from headgate.control.memory import Applied, Memory, Object
from headgate.control.ownership import standing
from headgate.control.ports import Clock, Cluster, Kind, Manifest, Telemetry
from headgate.control.rehearsal import Rehearsal
from headgate.desired.children import Child
from headgate.errors import Rejected
from headgate.model.common import Metadata
from headgate.names import HASH_ANNOTATION

Live = Mapping[Kind, Manifest]


class Children:
    """The annotation alone would hide drift (an edit keeps it), so the version that our last apply made counts too."""

    def __init__(self, cluster: Cluster, memory: Memory, clock: Clock, telemetry: Telemetry) -> None:
        self._cluster, self._memory, self._clock, self._telemetry = cluster, memory, clock, telemetry
        self._rehearsal = Rehearsal(cluster, clock)

    async def rehearse(self, wanted: Sequence[Child], live: Live) -> None:
        """Ask the API server about what is new, before anything is done. Raises Rejected with its own text."""
        await self._rehearsal.show([each for each in wanted if _hash(live.get(each.kind)) != _hash(each.manifest)])

    async def apply(self, wanted: Sequence[Child], live: Live) -> dict[Kind, Manifest]:
        """Every child as it is afterwards."""
        after = dict(live)
        for child in wanted:
            found = live.get(child.kind)
            if self._as_applied(child, found):
                continue
            drifted = self._drifted(child, found)
            try:
                stored = await self._cluster.apply(child.kind, child.manifest)
            except Rejected:
                self._rehearsal.refused(child)
                raise
            self._memory.applied[_key(child.kind, stored)] = Applied(_hash(child.manifest), _version(stored))
            if drifted:
                self._memory.repaired(_key(child.kind, stored), self._clock.monotonic())
                self._telemetry.repaired(child.kind)
            after[child.kind] = stored
        return after

    async def prune(self, wanted: Sequence[Child], live: Live, policy: Metadata) -> None:
        """Delete what is ours and no longer wanted."""
        kept = {child.kind for child in wanted}
        for kind, found in live.items():
            if kind not in kept and standing(found, policy) == "ours" and not _ending(found):
                metadata = found["metadata"]
                await self._cluster.delete(kind, metadata["namespace"], metadata["name"], metadata["uid"])
                self._memory.forget_child(_key(kind, found))

    def fighting(self, live: Live) -> str:
        """The objects that others keep changing."""
        now = self._clock.monotonic()
        names = [
            f"{kind.kind} {found['metadata']['name']}"
            for kind, found in live.items()
            if self._memory.fighting(_key(kind, found), now)
        ]
        return ", ".join(names)

    def _as_applied(self, child: Child, found: Manifest | None) -> bool:
        """Nothing to do: it is what our last apply made, and still has what makes it ours."""
        if found is None:
            return False
        if _ending(found):
            return True  # it goes; its last event brings us back
        applied = self._memory.applied.get(_key(child.kind, found))
        return applied == Applied(_hash(child.manifest), _version(found)) and _metadata_holds(child.manifest, found)

    def _drifted(self, child: Child, found: Manifest | None) -> bool:
        """We applied exactly this before, so somebody else changed or deleted it."""
        metadata = child.manifest["metadata"]
        applied = self._memory.applied.get((child.kind, metadata["namespace"], metadata["name"]))
        return applied is not None and applied.hash == _hash(child.manifest)


def _key(kind: Kind, manifest: Manifest) -> Object:
    metadata = manifest["metadata"]
    return kind, intern(metadata["namespace"]), intern(metadata["name"])  # four children have the same


def _hash(manifest: Manifest | None) -> str:
    annotations = (manifest or {}).get("metadata", {}).get("annotations", {})
    return str(annotations.get(HASH_ANNOTATION, ""))


def _version(manifest: Manifest) -> str:
    """Changes with the declared content, not with status; a ServiceAccount has no generation, nor any status."""
    metadata = manifest["metadata"]
    return f"{metadata.get('uid')}/{metadata.get('generation') or metadata.get('resourceVersion')}"


def _metadata_holds(wanted: Manifest, found: Manifest) -> bool:
    """Labels, our annotation and the owner are still there: they are outside what a generation counts."""
    ours, theirs = wanted["metadata"], found["metadata"]
    owners = {owner.get("uid") for owner in theirs.get("ownerReferences", [])}
    return (
        ours["labels"].items() <= theirs.get("labels", {}).items()
        and _hash(wanted) == _hash(found)
        and all(owner["uid"] in owners for owner in ours["ownerReferences"])
    )


def _ending(manifest: Manifest) -> bool:
    return "deletionTimestamp" in manifest["metadata"]
