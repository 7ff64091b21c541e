"""The Cluster port over a real API server: what each of its verbs means in REST."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Literal

from headgate.control.ports import FIELD_MANAGER, SCALE_MANAGER, SUBJECTS, Kind, Manifest
from headgate.errors import ClusterError, Conflict, Rejected
from headgate_operator.cluster import APPLY, MERGE, ApiServer, NotFound, path_of
from headgate_operator.events import EVENT, new_event
from headgate_operator.metrics import Metrics, Subject
from headgate_operator.repeats import Repeats

PAGE = 100
"""Objects in one answer of a LIST: a thousand at once would be the largest thing in memory."""
Manifests = list[Manifest]


class NotLeading(ClusterError):
    """This process no longer holds the Lease, so it writes nothing more."""


class LiveCluster:
    """`namespaces` None serves all. `may_write` is asked before every write, so that a lost Lease stops them."""

    def __init__(
        self,
        api: ApiServer,
        metrics: Metrics,
        *,
        namespaces: Sequence[str] | None = None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._namespaces = namespaces
        self._may_write = may_write
        self._events = Repeats()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        try:
            found: Manifest = await self._api.call("GET", path_of(kind, namespace, name), resource=kind.plural)
        except NotFound:
            self._metrics.conditions.forget((kind.kind, namespace, name))
            return None
        self._see(kind, found)
        return found

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Manifests:
        places: Sequence[str | None] = [namespace] if namespace else self._namespaces or [None]
        return [item for place in places async for item in self._pages(kind, place, labels)]

    async def scan(self, kind: Kind) -> AsyncIterator[Manifest]:
        places: Sequence[str | None] = self._namespaces or [None]
        for place in places:
            alive: set[Subject] = set()
            async for item in self._pages(kind, place):
                alive.add(self._see(kind, item))
                yield item
            if kind in SUBJECTS:
                self._metrics.conditions.keep_only(kind.kind, place, alive)

    async def apply(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        metadata = manifest["metadata"]
        if dry_run:
            query["dryRun"] = "All"
        else:
            self._check_lease()
        path = path_of(kind, metadata["namespace"], metadata["name"])
        stored: Manifest = await self._api.call(
            "PATCH", path, resource=kind.plural, query=query, body=manifest, content_type=APPLY
        )
        return stored

    async def apply_status(self, kind: Kind, manifest: Manifest, status: Manifest) -> Manifest:
        self._check_lease()
        metadata = manifest["metadata"]
        path = path_of(kind, metadata["namespace"], metadata["name"], "status")
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        body = {**manifest, "apiVersion": kind.api_version, "kind": kind.kind, "status": status}
        stored: Manifest = await self._api.call("PUT", path, resource=f"{kind.plural}/status", query=query, body=body)
        self._see(kind, stored)
        return stored

    async def scale(self, kind: Kind, manifest: Manifest, replicas: int) -> None:
        self._check_lease()
        metadata = manifest["metadata"]
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "spec": {"replicas": replicas}}
        await self._api.call(
            "PATCH", path_of(kind, metadata["namespace"], metadata["name"], "scale"), resource=f"{kind.plural}/scale",
            query={"fieldManager": SCALE_MANAGER}, body=body, content_type=MERGE,
        )  # fmt: skip

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        self._check_lease()
        with contextlib.suppress(NotFound):
            await self._api.call(
                "PATCH", path_of(kind, namespace, name), resource=kind.plural, query={"fieldManager": SCALE_MANAGER},
                body={"metadata": {"annotations": dict(annotations)}}, content_type=MERGE,
            )  # fmt: skip

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._check_lease()
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            await self._api.call("DELETE", path_of(kind, namespace, name), resource=kind.plural, body=options)
        except (NotFound, Conflict):
            return  # a Conflict says that the name now belongs to another object: the one that was meant is gone

    async def post_event(
        self, regarding: Manifest, *, reason: str, message: str, type_: Literal["Normal", "Warning"]
    ) -> None:
        """An Event that says the same of the same object again within ten minutes is left out."""
        metadata = regarding["metadata"]
        if not self._events.is_new((metadata["uid"], reason, message)):
            return
        self._check_lease()
        path = path_of(EVENT, metadata["namespace"])
        event = new_event(regarding, reason=reason, message=message, type_=type_)
        try:
            await self._api.call("POST", path, resource=EVENT.plural, body=event)
        except (NotFound, Rejected):
            return  # the namespace is going away: nobody is left to read it

    async def _pages(
        self, kind: Kind, namespace: str | None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Manifest]:
        """Every page of one LIST. Its items carry no kind of their own, it is added; managedFields are left out."""
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        while True:
            page = await self._api.call("GET", path_of(kind, namespace), resource=kind.plural, query=query)
            for item in page.get("items") or ():
                item["metadata"].pop("managedFields", None)  # the larger part of most objects, and nobody reads them
                yield {**item, "apiVersion": kind.api_version, "kind": kind.kind}
            more = page.get("metadata", {}).get("continue")
            if not more:
                return
            query["continue"] = more

    def _see(self, kind: Kind, manifest: Manifest) -> Subject:
        subject = (kind.kind, manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        if kind in SUBJECTS:
            self._metrics.conditions.see(subject, manifest.get("status", {}))
        return subject

    def _check_lease(self) -> None:
        if not self._may_write():
            raise NotLeading("this operator lost its Lease: another one acts now")
