"""What the builders build from, and the parts that every child has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.model.queue_policy import QueuePolicy
from headgate.names import HASH_ANNOTATION, labels, worker_name

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One policy with all that shapes its workers. `replicas` is 0 while the workers are to be drained away."""

    policy: QueuePolicy
    store: StoreEntry
    defaults: WorkerDefaults
    replicas: int

    @property
    def name(self) -> str:
        return self.policy.metadata.name

    @property
    def template_spec(self) -> Manifest:
        """The user's pod spec, {} when there is none."""
        template = self.policy.spec.workers.template
        return template.pod_spec() if template else {}

    @property
    def image(self) -> str | None:
        """Of the worker container: the template's, else the namespace's default."""
        return worker_container(self.template_spec).get("image") or self.defaults.image

    @property
    def service_account(self) -> str | None:
        """The one that somebody named; None: the policy's own, without any right."""
        return self.template_spec.get("serviceAccountName") or self.defaults.service_account_name

    @property
    def drain_seconds(self) -> int:
        workers, jobs = self.policy.spec.workers, self.policy.spec.jobs
        return jobs.deadline_seconds if workers.drain_seconds is None else workers.drain_seconds


def worker_container(pod_spec: Mapping[str, Any]) -> Manifest:
    """The container named worker, {} when there is none."""
    containers: list[Manifest] = pod_spec.get("containers", [])
    return next((container for container in containers if container["name"] == "worker"), {})


def child(wanted: Wanted, api_version: str, kind: str, body: Manifest) -> Manifest:
    """A child object: its head, its owner, `body`, and the hash of all of it."""
    metadata = wanted.policy.metadata
    owner = {
        "apiVersion": wanted.policy.api_version,
        "kind": wanted.policy.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    manifest: Manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": worker_name(metadata.name),
            "namespace": metadata.namespace,
            "labels": labels(metadata.name),
            "ownerReferences": [owner],
        },
        **body,
    }
    manifest["metadata"]["annotations"] = {HASH_ANNOTATION: content_hash(manifest)}
    return manifest


def content_hash(content: Mapping[str, Any]) -> str:
    """Short, and the same for equal JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> Manifest:
    """`over` on `base`, mapping by mapping; lists and values of `over` replace."""
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = overlaid(below, value)
        merged[name] = value
    return merged


def by_name(*lists: list[Manifest] | tuple[Mapping[str, Any], ...], key: str = "name") -> list[Manifest]:
    """The lists joined; a later item replaces an earlier one of the same name, in its place."""
    merged: dict[str, Manifest] = {}
    for items in lists:
        merged |= {item[key]: dict(item) for item in items}
    return list(merged.values())
