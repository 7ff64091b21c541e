"""The Cluster port in memory, with those semantics of the API server that reconcile, controllers and kubelet rely on.

uid, resourceVersion, generation (grows when something outside metadata and status changes), the status subresource,
server-side apply that writes nothing when nothing changes, preconditions, graceful deletion of bound Pods, garbage
collection by ownerReferences, watchers. `tests/cli/cluster_port_suite.py` holds it and the real API server to the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Literal
from uuid import uuid4

from headgate.control.ports import FIELD_MANAGER, POD, Clock, Kind, Manifest
from headgate.errors import Conflict, InvalidInput, Rejected
from headgate.model.common import API_VERSION
from headgate.model.parse import parse
from headgate_cli.local.merge import merge

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Watcher = Callable[[EventType, Kind, Manifest], None]
Key = tuple[Kind, str, str]
SERVER_OWNED = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
)


@dataclass(slots=True)
class _Stored:
    manifest: Manifest
    applied: dict[str, Manifest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PostedEvent:
    """An events.k8s.io Event: `regarding` is `Kind/name`."""

    namespace: str
    regarding: str
    type_: str
    reason: str
    message: str


class MemoryCluster:
    """Objects of any kind. Callers get copies; every write is atomic, because nothing in here awaits."""

    def __init__(self, clock: Clock) -> None:
        self.events: list[PostedEvent] = []
        self.on_event: Callable[[PostedEvent], None] | None = None
        self._clock = clock
        self._objects: dict[Key, _Stored] = {}
        self._by_uid: dict[str, Key] = {}
        self._dependents: defaultdict[str, set[Key]] = defaultdict(set)
        self._watchers: list[Watcher] = []
        self._versions = count(1)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` after every write, in order, with a copy of the object."""
        self._watchers.append(watcher)

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        stored = self._objects.get((kind, namespace, name))
        return deepcopy(stored.manifest) if stored else None

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        wanted = (labels or {}).items()
        return [
            deepcopy(stored.manifest)
            for (its_kind, its_namespace, _), stored in sorted(self._objects.items(), key=lambda item: item[0][1:])
            if its_kind == kind
            and namespace in (None, its_namespace)
            and wanted <= stored.manifest["metadata"].get("labels", {}).items()
        ]

    async def scan(self, kind: Kind) -> AsyncIterator[Manifest]:
        for manifest in await self.list(kind):
            yield manifest

    async def apply(
        self, kind: Kind, manifest: Manifest, *, dry_run: bool = False, manager: str = FIELD_MANAGER
    ) -> Manifest:
        """Server-side apply, forced. `manager` is for tests that play somebody else."""
        key = self._key(kind, manifest)
        intent = {name: value for name, value in deepcopy(manifest).items() if name != "status"}
        stored = self._objects.get(key)
        live = stored.manifest if stored else {}
        self._check_preconditions(key, intent["metadata"], live)
        for server_owned in SERVER_OWNED:
            intent["metadata"].pop(server_owned, None)
        last = stored.applied.get(manager, {}) if stored else {}
        merged = merge(deepcopy(live), last, intent)
        written = self._write(key, merged, dry_run=dry_run)
        if not dry_run and key in self._objects:
            self._objects[key].applied[manager] = intent
        return written

    async def put(self, kind: Kind, manifest: Manifest) -> Manifest:
        """Create, or replace all but status and what the server owns, like `kubectl replace`. A given uid is kept."""
        key = self._key(kind, manifest)
        stored = self._objects.get(key)
        wanted = {name: value for name, value in deepcopy(manifest).items() if name != "status"}
        if stored:
            self._check_preconditions(key, wanted["metadata"], stored.manifest)
            if "status" in stored.manifest:
                wanted["status"] = deepcopy(stored.manifest["status"])
        return self._write(key, wanted)

    async def apply_status(self, kind: Kind, manifest: Manifest, status: Manifest) -> Manifest:
        key = self._key(kind, manifest)
        stored = self._objects.get(key)
        if stored is None:
            raise Conflict(f"{_words(key)} is gone, its status cannot be written")
        self._check_preconditions(key, manifest["metadata"], stored.manifest)
        return self._write(key, {**deepcopy(stored.manifest), "status": deepcopy(status)})

    async def scale(self, kind: Kind, manifest: Manifest, replicas: int) -> None:
        """Only of a QueuePolicy: where the number stands, its CRD says."""
        key = self._key(kind, manifest)
        stored = self._objects.get(key)
        if stored is None:
            raise Conflict(f"{_words(key)} is gone, it cannot be scaled")
        self._check_preconditions(key, manifest["metadata"], stored.manifest)
        wanted = deepcopy(stored.manifest)
        wanted["spec"].setdefault("workers", {})["replicas"] = replicas
        self._write(key, wanted)

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        stored = self._objects.get((kind, namespace, name))
        if stored is not None:
            wanted = deepcopy(stored.manifest)
            wanted["metadata"].setdefault("annotations", {}).update(annotations)
            self._write((kind, namespace, name), wanted)

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, grace_seconds: int | None = None
    ) -> None:
        """A Pod that a kubelet has (spec.nodeName) is only marked; the kubelet deletes it with `grace_seconds=0`."""
        key = (kind, namespace, name)
        stored = self._objects.get(key)
        if stored is None or stored.manifest["metadata"]["uid"] != uid:
            return  # gone, also when another object has its name now
        self._end(key, _grace(kind, stored.manifest) if grace_seconds is None else grace_seconds)

    async def post_event(
        self, regarding: Manifest, *, reason: str, message: str, type_: Literal["Normal", "Warning"]
    ) -> None:
        metadata = regarding["metadata"]
        posted = PostedEvent(
            metadata.get("namespace", ""), f"{regarding['kind']}/{metadata['name']}", type_, reason, message
        )
        self.events.append(posted)
        if self.on_event:
            self.on_event(posted)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def _key(self, kind: Kind, manifest: Manifest) -> Key:
        metadata = manifest.get("metadata", {})
        if (manifest.get("apiVersion"), manifest.get("kind")) != (kind.api_version, kind.kind):
            raise Rejected(f"apiVersion and kind must be {kind.api_version} {kind.kind}")
        if not metadata.get("name"):
            raise Rejected(f"{kind.kind}: metadata.name is required")
        return kind, metadata.get("namespace", ""), metadata["name"]

    def _check_preconditions(self, key: Key, metadata: Manifest, live: Manifest) -> None:
        for name in ("uid", "resourceVersion"):
            wanted = metadata.get(name)
            if wanted and wanted != live.get("metadata", {}).get(name):
                raise Conflict(f"{_words(key)}: {name} is no longer {wanted}, read it again")

    def _write(self, key: Key, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        live = self._objects[key].manifest if key in self._objects else None
        _check_schema(manifest, live)
        metadata = manifest["metadata"]
        if live:
            metadata |= {name: live["metadata"][name] for name in SERVER_OWNED if name in live["metadata"]}
            metadata["generation"] += _declared(live) != _declared(manifest)
        else:
            metadata |= {
                "uid": metadata.get("uid") or str(uuid4()),
                "creationTimestamp": self._clock.now(),
                "generation": 1,
            }
        if live == manifest or dry_run:
            return deepcopy(manifest)
        metadata["resourceVersion"] = str(next(self._versions))
        self._keep(key, manifest)
        self._tell("MODIFIED" if live else "ADDED", key, manifest)
        self._collect_if_ownerless(key)
        return deepcopy(manifest)

    def _keep(self, key: Key, manifest: Manifest) -> None:
        stored = self._objects.setdefault(key, _Stored(manifest))
        self._by_uid[manifest["metadata"]["uid"]] = key
        for owner in stored.manifest["metadata"].get("ownerReferences", []):
            self._dependents[owner["uid"]].discard(key)
        stored.manifest = manifest
        for owner in manifest["metadata"].get("ownerReferences", []):
            self._dependents[owner["uid"]].add(key)

    def _remove(self, key: Key) -> None:
        """Take the object out, then what only it owned."""
        manifest = self._objects.pop(key).manifest
        uid = manifest["metadata"]["uid"]
        self._by_uid.pop(uid, None)
        for owner in manifest["metadata"].get("ownerReferences", []):
            self._dependents[owner["uid"]].discard(key)
        self._tell("DELETED", key, manifest)
        for dependent in sorted(self._dependents.pop(uid, set()), key=lambda key: key[1:]):
            self._collect_if_ownerless(dependent)

    def _end(self, key: Key, grace_seconds: int) -> None:
        """Remove it now, or mark it so that its kubelet ends it within the grace."""
        manifest = self._objects[key].manifest
        if not grace_seconds:
            self._remove(key)
        elif "deletionTimestamp" not in manifest["metadata"]:
            # Marked in place: what the server owns cannot come in through a write.
            ending = {"deletionTimestamp": self._clock.now(), "deletionGracePeriodSeconds": grace_seconds}
            manifest["metadata"] |= ending | {"resourceVersion": str(next(self._versions))}
            self._tell("MODIFIED", key, manifest)

    def _collect_if_ownerless(self, key: Key) -> None:
        """Garbage collection: what had owners and has none left is deleted, in the background."""
        stored = self._objects.get(key)
        owners = stored.manifest["metadata"].get("ownerReferences", []) if stored else []
        if stored and owners and not any(owner["uid"] in self._by_uid for owner in owners):
            self._end(key, _grace(key[0], stored.manifest))

    def _tell(self, type_: EventType, key: Key, manifest: Manifest) -> None:
        for watcher in self._watchers:
            watcher(type_, key[0], deepcopy(manifest))


def _check_schema(manifest: Manifest, live: Manifest | None) -> None:
    """Our own kinds are judged by their models, as the API server judges them by the CRDs made from these."""
    if manifest["apiVersion"] == API_VERSION:
        try:
            parse(manifest, live)
        except InvalidInput as error:
            raise Rejected(str(error)) from error


def _declared(manifest: Manifest) -> Manifest:
    return {name: value for name, value in manifest.items() if name not in ("metadata", "status")}


def _grace(kind: Kind, manifest: Manifest) -> int:
    """Seconds; 0 for all that no kubelet has to end first."""
    spec = manifest.get("spec", {})
    if kind != POD or not spec.get("nodeName") or manifest.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _words(key: Key) -> str:
    return f"{key[0].kind} {key[1]}/{key[2]}"
