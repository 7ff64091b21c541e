"""What reconcile needs of the world: a cluster of objects, stores of gates, a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from headgate.gates.http import SurfaceState
from headgate.gates.runs import TaskState
from headgate.gates.verbs import Owner, PublishAnswer, Reaped, StoreState
from headgate.model.documents import Document, DocumentKind

Manifest = dict[str, Any]
"""A Kubernetes object as JSON."""

FIELD_MANAGER = "headgate"
SCALE_MANAGER = "headgate-autoscaler"


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource type as the REST paths name it."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


QUEUE_POLICY = Kind("headgate.dev", "v1alpha1", "queuepolicies", "QueuePolicy")
BUDGET = Kind("headgate.dev", "v1alpha1", "budgets", "Budget")
HTTP_POLICY = Kind("headgate.dev", "v1alpha1", "httppolicies", "HTTPPolicy")
PERIODIC_TASK = Kind("headgate.dev", "v1alpha1", "periodictasks", "PeriodicTask")
SUBJECTS = (QUEUE_POLICY, BUDGET, HTTP_POLICY, PERIODIC_TASK)
"""What users declare and reconcile is about; the other kinds are made of these."""
DECLARED_BY: Mapping[DocumentKind, Kind] = {
    "queue": QUEUE_POLICY, "budget": BUDGET, "http": HTTP_POLICY, "task": PERIODIC_TASK,
}  # fmt: skip
"""Which kind of object declares which kind of document."""
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
POD = Kind("", "v1", "pods", "Pod")
POD_DISRUPTION_BUDGET = Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
SERVICE_ACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
CRON_JOB = Kind("batch", "v1", "cronjobs", "CronJob")
JOB = Kind("batch", "v1", "jobs", "Job")
KINDS = (*SUBJECTS, DEPLOYMENT, POD, POD_DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE_ACCOUNT, CRON_JOB, JOB)


class Key(NamedTuple):
    """One policy or budget: what the work queue holds and reconcile is called with."""

    kind: Kind
    namespace: str
    name: str

    @property
    def full_name(self) -> str:
        """`<namespace>/<name>`"""
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.full_name}"


class Cluster(Protocol):
    """Objects by (kind, namespace, name). Raises `Conflict`, `Rejected` or `ClusterError`."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """The live object, or None when there is none."""

    async def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects of a kind, of one namespace or of all that this operator serves."""

    def scan(self, kind: Kind) -> AsyncIterator[Manifest]:
        """The same of all namespaces, one after the other: thousands are never in memory together."""

    async def apply(self, kind: Kind, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Server-side apply with `FIELD_MANAGER`, force and strict field validation; answers the object as stored."""

    async def apply_status(self, kind: Kind, manifest: Manifest, status: Manifest) -> Manifest:
        """Replace the status of `manifest` (as read: its resourceVersion must still hold, else `Conflict`)."""

    async def scale(self, kind: Kind, manifest: Manifest, replicas: int) -> None:
        """Write its replicas through /scale as `SCALE_MANAGER` (as read: as for `apply_status`)."""

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Merge annotations into an object that is not ours. Absent is fine."""

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this object (uid precondition), in the background. Absent is fine."""

    async def post_event(
        self, regarding: Manifest, *, reason: str, message: str, type_: Literal["Normal", "Warning"]
    ) -> None:
        """Post one events.k8s.io/v1 Event about an object."""


class Store(Protocol):
    """One administrator-named store of gates. Raises `StoreUnavailable` or `StoreUnsuitable`."""

    async def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer: ...

    async def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        """Remove the document if this owner (name and uid) declares it; False when it does not."""

    async def inspect(self) -> StoreState:
        """Everything about every declared queue and budget, in one read."""

    async def inspect_http(self) -> Mapping[str, SurfaceState]:
        """Every declared HTTP surface: its rules' counts and who renews for it."""

    async def inspect_tasks(self) -> Mapping[str, TaskState]:
        """Every declared periodic task: what runs, what ran, what was skipped."""

    async def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        """Count ticks (ms) that did not run because another run did; how many were new."""

    async def reap(self, limit: int = 100) -> Sequence[Reaped]:
        """Put back what lapsed on queues whose workers are all gone."""

    async def check(self) -> None:
        """Raise StoreUnsuitable when the server is too old or evicts keys."""


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that only grow."""

    def now(self) -> str:
        """Wall time for conditions, RFC 3339 with Z, whole seconds."""


class Telemetry:
    """Told what reconcile does, for metrics and health. This one keeps silent."""

    def reconciled(self, key: Key, result: Literal["ok", "retry", "error"], seconds: float) -> None:
        """One reconcile ended. retry: the world failed it; error: we did, which is a bug."""

    def repaired(self, kind: Kind) -> None:
        """A child that somebody else had changed or deleted was put right."""

    def scaled(self, key: Key, before: int, after: int) -> None:
        """The autoscaler wrote workers.replicas."""

    def quarantined(self, store: str) -> None:
        """A store lost data or its clock stepped back: nothing starts for one lease."""

    def resynced(self) -> None:
        """Everything was listed and put into the queue."""
