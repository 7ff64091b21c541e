"""An API server in this process that keeps objects, streams watches, and misbehaves when it is told to.

It is no judge of schemas, RBAC or server-side apply: the real API server in `tests/cluster` is. It exists for what the
real one does only rarely: 410 Gone with deletions in the gap, a stream that falls silent, 429, 409 and 5xx on demand.
"""

import asyncio
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from headgate.control.ports import KINDS, Kind
from headgate_operator.events import EVENT
from headgate_operator.leadership import LEASE

SERVED = (
    *KINDS,
    EVENT,
    LEASE,
    Kind("", "v1", "namespaces", "Namespace"),
    Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"),
)
Key = tuple[str, str, str]  # plural, namespace, name
Manifest = dict[str, Any]


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def writes(self) -> bool:
        return self.method != "GET" and "dryRun" not in self.query


@dataclass
class Fault:
    """Answer the next `times` requests that `matches` with this instead."""

    matches: Callable[[Request], bool]
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "a planted fault"
    times: int = 1
    after: bool = False  # do what was asked first: the answer is lost, the deed is not


class FakeApi:
    def __init__(self) -> None:
        self.objects: dict[Key, Manifest] = {}
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.version = 100
        self.oldest = 0
        self.history: list[tuple[int, str, str, Manifest]] = []  # version, type, plural, object
        self.streams = 0
        self.without: set[str] = set()
        self.frozen = 0
        self.changed = asyncio.Condition()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.writes]

    async def put(self, kind: Kind, namespace: str, name: str, **content: Any) -> Manifest:
        """Create or replace an object as another client would."""
        key = (kind.plural, namespace, name)
        old = self.objects.get(key)
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind, **content}
        manifest["metadata"] = {**content.get("metadata", {}), "namespace": namespace, "name": name}
        return await self._store(key, manifest, old)

    async def remove(self, kind: Kind, namespace: str, name: str, *, tell: bool = True) -> None:
        """Delete an object; with `tell` False no watch ever hears of it."""
        gone = self.objects.pop((kind.plural, namespace, name))
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        if tell:
            await self._announce("DELETED", kind.plural, gone)

    async def compact(self) -> None:
        """Forget all history: every open watch ends with 410 Gone and every older resourceVersion is refused."""
        self.oldest = self.version
        await self._announce("ERROR", "", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})

    def freeze(self) -> None:
        """Every watch that is open now stays open and says nothing more, as behind a dead load balancer."""
        self.frozen = self.streams

    async def _store(self, key: Key, manifest: Manifest, old: Manifest | None) -> Manifest:
        self.version += 1
        metadata = manifest["metadata"]
        metadata["uid"] = old["metadata"]["uid"] if old else f"uid-{self.version}"
        changed = old is None or old.get("spec") != manifest.get("spec")
        metadata["generation"] = (old["metadata"]["generation"] if old else 0) + int(changed)
        metadata["resourceVersion"] = str(self.version)
        self.objects[key] = manifest
        await self._announce("MODIFIED" if old else "ADDED", key[0], manifest)
        return manifest

    async def _announce(self, type_: str, plural: str, manifest: Manifest) -> None:
        self.history.append((self.version, type_, plural, copy.deepcopy(manifest)))
        async with self.changed:
            self.changed.notify_all()

    async def _handle(self, web_request: web.Request) -> web.StreamResponse:
        text = await web_request.text()
        request = Request(
            web_request.method, web_request.path, dict(web_request.query), json.loads(text) if text else None
        )
        self.requests.append(request)
        fault = next((each for each in self.faults if each.matches(request)), None)
        if fault:
            fault.times -= 1
            if not fault.times:
                self.faults.remove(fault)
            if fault.after:
                await self._serve(request, web_request)
            return _status(fault.status, fault.message, fault.headers)
        return await self._serve(request, web_request)

    async def _serve(self, request: Request, web_request: web.Request) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        if parts in (["api"], ["apis"]) or (len(parts) == (2 if parts[0] == "api" else 3)):
            return _discovery(parts, self.without)
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "")[:3]
        if name:
            return await self._one(request, (plural, namespace, name), subresource)
        if request.method == "POST":
            return await self._write(request, (plural, namespace, request.body["metadata"]["name"]), "")
        if request.query.get("watch"):
            return await self._watch(request, web_request, plural, namespace)
        return self._list(request, plural, namespace)

    async def _one(self, request: Request, key: Key, subresource: str) -> web.StreamResponse:
        found = self.objects.get(key)
        if request.method == "GET" or (request.method == "DELETE" and found is None):
            return web.json_response(found) if found else _status(404, f"{key[0]} {key[2]!r} not found")
        if request.method != "DELETE":
            return await self._write(request, key, subresource)
        wanted = (request.body or {}).get("preconditions", {}).get("uid")
        if wanted and wanted != found["metadata"]["uid"]:
            return _status(409, "the UID in the precondition does not match")
        kind = next(each for each in SERVED if each.plural == key[0])
        await self.remove(kind, key[1], key[2])
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _write(self, request: Request, key: Key, subresource: str) -> web.StreamResponse:
        old, new = self.objects.get(key), copy.deepcopy(request.body)
        version = new["metadata"].get("resourceVersion")
        if request.method == "POST" and old:
            return _status(409, f"{key[0]} {key[2]!r} already exists")
        if request.method == "PUT" and (old is None or (version and version != old["metadata"]["resourceVersion"])):
            return _status(409 if old else 404, "the object has been modified")
        if subresource:
            new = {**copy.deepcopy(old), "status": new["status"]}
        elif request.method == "PATCH" and old:
            new = _merged(old, new)
        if request.query.get("dryRun"):
            return web.json_response(new)
        return web.json_response(await self._store(key, new, old))

    def _list(self, request: Request, plural: str, namespace: str) -> web.Response:
        items = [
            item
            for (kind, place, _), item in sorted(self.objects.items())
            if kind == plural and namespace in ("", place) and _selected(item, request.query.get("labelSelector"))
        ]
        start, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or 0) or len(items)
        page, left = items[start : start + limit], len(items) - start - limit
        metadata = {"resourceVersion": str(self.version), "continue": str(start + limit) if left > 0 else ""}
        # A real list does not repeat the kind in its items.
        bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in page]
        return web.json_response({"metadata": metadata, "items": bare, "kind": "List", "apiVersion": "v1"})

    async def _watch(
        self, request: Request, web_request: web.Request, plural: str, namespace: str
    ) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or 0)
        response = web.StreamResponse()
        await response.prepare(web_request)
        if since < self.oldest:
            await response.write(_line("ERROR", {"kind": "Status", "code": 410, "message": "too old"}))
            return response
        self.streams += 1
        stream, sent = self.streams, 0
        while True:
            for version, type_, kind, manifest in self.history[sent:] if stream > self.frozen else ():
                if type_ == "ERROR" and version >= since:
                    await response.write(_line(type_, manifest))
                    return response
                place = manifest.get("metadata", {}).get("namespace")
                here = kind == plural and namespace in ("", place)
                if version > since and here and _selected(manifest, request.query.get("labelSelector")):
                    await response.write(_line(type_, manifest))
            sent = len(self.history)
            async with self.changed:
                await self.changed.wait()


def _line(type_: str, manifest: Manifest) -> bytes:
    return json.dumps({"type": type_, "object": manifest}).encode() + b"\n"


def _status(code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return web.json_response(status, status=code, headers=headers)


def _selected(manifest: Manifest, selector: str | None) -> bool:
    labels = manifest["metadata"].get("labels", {})
    pairs = (part.split("=", 1) for part in selector.split(",")) if selector else ()
    return all(labels.get(key) == value for key, value in pairs)


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def _discovery(parts: list[str], without: set[str]) -> web.Response:
    if parts == ["api"]:
        return web.json_response({"versions": ["v1"]})
    if parts == ["apis"]:
        groups = {(kind.group, kind.version) for kind in SERVED if kind.group}
        listed = [
            {"name": group, "versions": [{"version": version}], "preferredVersion": {"version": version}}
            for group, version in sorted(groups)
        ]
        return web.json_response({"groups": listed})
    group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    resources = [
        {"name": k.plural, "kind": k.kind, "singularName": k.kind.lower(), "namespaced": True, "verbs": verbs}
        for k in SERVED
        if (k.group, k.version) == (group, version) and k.plural not in without
    ]
    return web.json_response({"resources": resources})
