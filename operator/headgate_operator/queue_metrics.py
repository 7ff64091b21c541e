"""Queues, budgets and tasks as numbers, from the looks at the stores that the operator makes anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from headgate.control.pictures import Picture
from headgate.control.ports import Key
from headgate.gates.runs import TaskState
from headgate.gates.verbs import QueueState
from headgate_operator.families import Family

NAMES = ("namespace", "name")
Looks = Callable[[], Sequence[Picture]]


class QueueMetrics:
    """`pictures` answers the newest picture of each store; only objects of the cluster `cluster_id` are shown.

    `wanted`: how many workers each autoscaled policy should have.
    """

    def __init__(self, pictures: Looks, wanted: Callable[[], Mapping[Key, int]], cluster_id: str) -> None:
        self._pictures, self._wanted, self._cluster_id = pictures, wanted, cluster_id

    def families(self) -> Iterator[Family]:
        queues, budgets, tasks = {}, {}, {}
        for picture in self._pictures():
            state = picture.state
            if state is None:
                continue
            for field, owner in state.owners.items():
                kind, _, name = field.partition("/")
                if owner.cluster != self._cluster_id or "/" not in owner.name:
                    continue
                if kind == "queue" and name in state.queues:
                    queues[owner.name] = state.queues[name]
                elif kind == "budget":
                    budgets[owner.name] = [gate for gate in state.budgets.get(name, ()) if not gate.period_ms]
                elif kind == "task" and name in picture.tasks:
                    tasks[owner.name] = picture.tasks[name]
        yield from _queues(queues)
        workers = _gauge("headgate_queue_workers_wanted", "Worker pods that autoscaling asks for")
        for key, count in self._wanted().items():
            workers.add([key.namespace, key.name], count)
        yield workers
        used = _gauge("headgate_budget_places_used", "Places taken of a budget of concurrency")
        total = _gauge("headgate_budget_places", "Places of a budget of concurrency")
        for name, gates in budgets.items():
            for gate in gates:
                used.add(name.split("/", 1), gate.used)
                total.add(name.split("/", 1), gate.limit)
        yield from (used, total)
        yield from _tasks(tasks)


def _queues(queues: dict[str, QueueState]) -> Iterator[Family]:
    jobs = _gauge("headgate_queue_jobs", "Jobs of a queue that wait, run, or are due and not yet queued", "state")
    workers = _gauge("headgate_queue_workers", "Worker pods that renew")
    short = _gauge("headgate_queue_workers_short_of_memory", "Of them, those that start nothing for want of memory")
    foreign = _gauge("headgate_queue_foreign_workers", "Workers on the queue that no gate holds")
    poison = _gauge("headgate_queue_poison_jobs", "Jobs in the dead set that killed their process too often")
    poisoned = Family("headgate_queue_poisoned_jobs_total", "How many became so", NAMES, "counter")
    for name, queue in queues.items():
        labels = name.split("/", 1)
        for state, count in (("queued", queue.queued), ("running", queue.running), ("due", queue.due)):
            jobs.add([*labels, state], count)
        workers.add(labels, len(queue.instances))
        short.add(labels, sum(instance.short_of_memory for instance in queue.instances))
        foreign.add(labels, len(queue.foreign_workers))
        poison.add(labels, queue.poison)
        poisoned.add(labels, queue.poisoned)
    yield from (jobs, workers, short, foreign, poison, poisoned)


def _tasks(tasks: dict[str, TaskState]) -> Iterator[Family]:
    running = _gauge("headgate_task_running", "1 while a run of the task holds its lease")
    skipped = Family("headgate_task_skipped_ticks_total", "Ticks that another run made it skip", NAMES, "counter")
    ended = _gauge("headgate_task_last_run_timestamp_seconds", "When the last run ended")
    success = _gauge("headgate_task_last_success_timestamp_seconds", "When the last run that succeeded ended")
    seconds = _gauge("headgate_task_last_run_seconds", "How long the last run that ended took")
    for name, task in tasks.items():
        labels = name.split("/", 1)
        running.add(labels, bool(task.running))
        skipped.add(labels, task.skipped)
        if task.last_ended:
            ended.add(labels, task.last_ended / 1000)
        if task.last_success:
            success.add(labels, task.last_success / 1000)
        if task.last_ended >= task.last_started > 0:
            seconds.add(labels, (task.last_ended - task.last_started) / 1000)
    yield from (running, skipped, ended, success, seconds)


def _gauge(name: str, text: str, *more: str) -> Family:
    return Family(name, text, (*NAMES, *more))
