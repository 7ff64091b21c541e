"""kopf as a pair of ears: every event of a policy, a budget or an owned child puts one key into the work queue.

Only `on.event` handlers: no finalizer, no annotation, no write by kopf, nothing that can hang a deletion. After
`410 Gone` kopf lists again without saying what was deleted meanwhile: an event is a hint, the resync is the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import kopf

from headgate.control.ports import CRON_JOB, JOB, PERIODIC_TASK, QUEUE_POLICY, SUBJECTS, Kind
from headgate.desired.children import CHILD_KINDS
from headgate.names import MANAGED_BY, POLICY_LABEL, TASK_LABEL
from headgate_operator.cluster import ApiServer
from headgate_operator.forgetful import NoDifferences, NoProgress

OURS = f"{MANAGED_BY}=headgate"
WATCHED = (*CHILD_KINDS, CRON_JOB, JOB)
"""Also the Jobs of periodic tasks, which the CronJob controller and people make."""

Changed = Callable[[Kind, str, str], None]
"""Told that this policy or budget (kind, namespace, name) deserves a look."""


def registry_of(api: ApiServer, changed: Changed) -> kopf.OperatorRegistry:
    """The handlers and the login, in a registry of their own."""
    registry = kopf.OperatorRegistry()
    for kind in SUBJECTS:
        kopf.on.event(*_selector(kind), id=kind.plural, registry=registry)(_on_subject(kind, changed))
    for kind in WATCHED:
        kopf.on.event(*_selector(kind), id=kind.plural, registry=registry)(_on_child(changed))
    kopf.on.login(id="login", registry=registry, errors=kopf.ErrorsMode.PERMANENT)(_login(api))
    return registry


def settings_of(namespaces: Sequence[str] | None) -> kopf.OperatorSettings:
    """Timeouts that notice a silent stream within 70 s, server-side selection of children, and no posting of Events."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.peering.clusterwide = namespaces is None
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDifferences()
    settings.persistence.progress_storage = NoProgress()
    settings.scanning.disabled = True
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 50  # of each of these kinds at once, whole objects
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.queueing.idle_timeout = 0.2
    settings.queueing.worker_limit = 100  # tasks of kopf for single objects; each ends as soon as its event is a key
    settings.queueing.exit_timeout = 0.5
    settings.process.ultimate_exiting_timeout = 25
    for kind in WATCHED:
        settings.watching.label_selectors[_selector(kind)] = OURS
    return settings


def _selector(kind: Kind) -> tuple[str, str, str]:
    return (kind.group, kind.version, kind.plural)


def _on_subject(kind: Kind, changed: Changed) -> Callable[..., Any]:
    async def on_subject(namespace: str, name: str, **_: Any) -> None:
        changed(kind, namespace, name)

    return on_subject


def _on_child(changed: Changed) -> Callable[..., Any]:
    async def on_child(namespace: str, labels: Mapping[str, str], **_: Any) -> None:
        for kind, label in ((QUEUE_POLICY, POLICY_LABEL), (PERIODIC_TASK, TASK_LABEL)):
            owner = labels.get(label)
            if owner:
                changed(kind, namespace, owner)

    return on_child


def _login(api: ApiServer) -> Callable[..., Any]:
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return api.connection()

    return login
