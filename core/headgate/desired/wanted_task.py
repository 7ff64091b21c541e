"""What the CronJob of a periodic task is built from."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.control.stores import StoreEntry, WorkerDefaults
from headgate.desired.wanted import Wanted
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy, QueuePolicySpec


@dataclass(frozen=True, slots=True)
class WantedTask:
    """`policy`: the one that queuePolicyRef names, None without a reference."""

    task: PeriodicTask
    policy: QueuePolicy | None
    store: StoreEntry
    defaults: WorkerDefaults

    @property
    def as_workers(self) -> Wanted:
        """A policy that has these pods for its workers: the same template under the same rules."""
        template = self.task.spec.template or (self.policy and self.policy.spec.workers.template)
        bare = QueuePolicySpec()
        spec = bare.model_copy(update={"workers": bare.workers.model_copy(update={"template": template})})
        policy = QueuePolicy.model_construct(
            api_version=self.task.api_version, kind="QueuePolicy", metadata=self.task.metadata, spec=spec, status=None
        )
        return Wanted(policy, self.store, self.defaults, replicas=0)

    @property
    def where(self) -> str:
        """Where a reader finds the template that is used."""
        if self.task.spec.template or self.policy is None:
            return "spec.template"
        return f"QueuePolicy {self.policy.metadata.name}: spec.workers.template"
