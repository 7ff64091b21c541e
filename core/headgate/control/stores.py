"""What the administrator decides and no resource can: the stores, the worker defaults of each namespace, who we are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EVERY_NAMESPACE = "*"


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """One store, without its address. `worker_secret_name` is a Secret of the workers' namespace, with key `url`."""

    name: str
    key_prefix: str = "rq"
    namespaces: tuple[str, ...] = (EVERY_NAMESPACE,)
    worker_secret_name: str = "headgate-store"  # noqa: S105  the name of a Secret, no secret

    def serves(self, namespace: str) -> bool:
        return EVERY_NAMESPACE in self.namespaces or namespace in self.namespaces


@dataclass(frozen=True, slots=True)
class WorkerDefaults:
    """What worker pods of a namespace get where `workers.template` does not say it. Mappings are as in core/v1."""

    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[Mapping[str, str], ...] = ()
    service_account_name: str | None = None
    env: tuple[Mapping[str, Any], ...] = ()
    env_from: tuple[Mapping[str, Any], ...] = ()
    volumes: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[Mapping[str, Any], ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Site:
    """All of it. `worker_defaults` by namespace, `*` for those that are not named.

    `cluster_id` tells clusters (and scopes of files) apart in the store: only owners that carry it are ever removed.
    `own_namespace` is the operator's own, where no policy may live; empty outside a cluster.
    `admission_policy`: requesters of a template are known to hold the right to create Deployments.
    """

    stores: tuple[StoreEntry, ...]
    worker_defaults: Mapping[str, WorkerDefaults] = field(default_factory=dict)
    cluster_id: str = ""
    own_namespace: str = ""
    admission_policy: bool = False

    def store(self, name: str, namespace: str) -> StoreEntry | None:
        """The store of that name, if this namespace may use it."""
        return next((entry for entry in self.stores if entry.name == name and entry.serves(namespace)), None)

    def stores_for(self, namespace: str) -> list[str]:
        """Names of the stores that a namespace may use."""
        return [entry.name for entry in self.stores if entry.serves(namespace)]

    def defaults_for(self, namespace: str) -> WorkerDefaults:
        found = self.worker_defaults.get(namespace) or self.worker_defaults.get(EVERY_NAMESPACE)
        return found or WorkerDefaults()
