"""A Wanted made from a few words of YAML."""

from collections.abc import Callable
from typing import Any

import pytest

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.desired.wanted import Wanted
from headgate.model.parse import parse
from headgate.model.queue_policy import QueuePolicy

STORE = StoreEntry("default", key_prefix="rq", worker_secret_name="headgate-store")
IMAGE = WorkerDefaults(image="registry.example/app:1")


@pytest.fixture
def wanted() -> Callable[..., Wanted]:
    def make(
        spec: dict[str, Any] | None = None, *, defaults: WorkerDefaults = IMAGE, namespace: str = "mail"
    ) -> Wanted:
        metadata = {"name": "campaigns", "namespace": namespace, "uid": "00000000-0000-0000-0000-000000000001"}
        policy = parse(
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy", "metadata": metadata, "spec": spec or {}}
        )
        assert isinstance(policy, QueuePolicy)
        return Wanted(policy, STORE, defaults, policy.spec.workers.replicas)

    return make
