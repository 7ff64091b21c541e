"""Periodic tasks in the words of a person: `sync * * * * * Etc/UTC: app.sync, at most 300 s, overlap Skip`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headgate.errors import InvalidInput
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy
from headgate.schedule import parsed


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One periodic task. `queue`: which takes the job of an Enqueue task, else empty."""

    task: str
    schedule: str
    time_zone: str
    function: str
    type: str
    queue: str
    on_overlap: str
    deadline_seconds: int
    stop_policy: str

    def __str__(self) -> str:
        where = f" as a job of {self.queue}" if self.queue else ""
        held = " (held)" if self.stop_policy == "Hold" else ""
        overlap = "a tick that meets a run is skipped" if self.on_overlap == "Skip" else "one run is made up for late"
        return (
            f"task {self.task}: {self.schedule} {self.time_zone} runs {self.function}{where}, "
            f"at most {self.deadline_seconds} s, never twice at once, {overlap}{held}"
        )


def task_plans(tasks: Iterable[PeriodicTask], policies: Mapping[str, QueuePolicy]) -> tuple[list[TaskPlan], list[str]]:
    """`policies` by full name. Also what would not be accepted, a sentence each."""
    tasks = list(tasks)
    problems = [f"PeriodicTask {task.full_name}: {sentence}" for task in tasks for sentence in _unmet(task, policies)]
    return [_plan(task, policies) for task in tasks], problems


def as_task_lines(plans: Iterable[TaskPlan]) -> list[str]:
    return [str(plan) for plan in plans]


def _plan(task: PeriodicTask, policies: Mapping[str, QueuePolicy]) -> TaskPlan:
    spec, policy = task.spec, _policy(task, policies)
    return TaskPlan(
        task=task.full_name,
        schedule=spec.schedule,
        time_zone=spec.time_zone,
        function=spec.function,
        type=spec.type,
        queue=policy.queue if policy and spec.type == "Enqueue" else "",
        on_overlap=spec.on_overlap,
        deadline_seconds=spec.deadline_seconds,
        stop_policy=spec.stop_policy,
    )


def _unmet(task: PeriodicTask, policies: Mapping[str, QueuePolicy]) -> list[str]:
    ref, policy = task.spec.queue_policy_ref, _policy(task, policies)
    found = []
    try:
        parsed(task.spec.schedule, task.spec.time_zone)
    except InvalidInput as error:
        found.append(str(error))
    if ref and policy is None:
        found.append(f"spec.queuePolicyRef.name: there is no QueuePolicy {ref.name}, create it or correct the name")
    if policy and policy.spec.store != task.spec.store:
        found.append(f"spec.store: QueuePolicy {policy.metadata.name} is in store {policy.spec.store}, name the same")
    allowed = policy.spec.jobs.functions if policy else None
    if policy and allowed is not None and task.spec.function not in allowed:
        found.append(
            f"spec.function: {task.spec.function} is not in jobs.functions of QueuePolicy {policy.metadata.name}"
        )
    return found


def _policy(task: PeriodicTask, policies: Mapping[str, QueuePolicy]) -> QueuePolicy | None:
    ref = task.spec.queue_policy_ref
    return policies.get(f"{task.metadata.namespace}/{ref.name}") if ref else None
