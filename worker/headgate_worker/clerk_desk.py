"""The supervisor's end of the clerk: one task at a time, none lost when the clerk dies or the store is away."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from headgate.gates import client
from headgate.gates.verbs import Holding
from headgate_worker import logs, processes
from headgate_worker.channel import Channel, Message
from headgate_worker.loop import Loop
from headgate_worker.nursery import Nursery

MOST_TRIES = 3
"""A task whose callbacks killed the clerk this often is given up: its job's lease lapses and RQ's code fails it."""


@dataclass(slots=True)
class Task:
    message: Message
    holding: Holding | None = None
    tries: int = 0


@dataclass(slots=True)
class ClerkDesk:
    instance: str
    nursery: Nursery
    loop: Loop
    pid: int = 0
    closing: bool = False
    _channel: Channel | None = None
    _tasks: deque[Task] = field(default_factory=deque)
    _sent: bool = False
    _next_id: int = 0
    _early: dict[int, int] = field(default_factory=dict)

    def holdings(self) -> list[Holding]:
        """What the clerk still has to end: its leases are renewed until then; the store's own marks last."""
        return [task.holding for task in self._tasks if task.holding is not None and task.holding.slot]

    @property
    def settled(self) -> bool:
        return all(task.holding is None for task in self._tasks)

    def end(self, holding: Holding, worker: str, how: str, reason: str, *, sealed: bool) -> None:
        """Have RQ's code end a dead slot's job. `how`: fail, stop, bury, abandon, recover (see clerk.py)."""
        message = {
            "do": "end", "how": how, "reason": reason, "sealed": sealed, "worker": worker, "slot": holding.slot,
            "job_id": holding.job_id, "execution": holding.execution, "fence": holding.fence,
            "places": list(holding.places),
        }  # fmt: skip
        self._add(Task(message, holding))

    def maintain(self) -> None:
        self._add(Task({"do": "maintain"}))

    def policy_changed(self) -> None:
        if self._channel is not None:
            self._channel.send({"id": 0, "do": "policy"})

    def fill(self) -> None:
        """Start the clerk when there is none."""
        if self._channel is not None or self.closing:
            return
        request = {"role": "clerk", "key": f"{self.instance}.clerk", "instance": self.instance}
        channel = self.nursery.fork(request, self._born)
        if channel is not None:
            self._channel, self._sent = channel, False
            self.loop.watch(channel, self._read)
            self._send()

    def exited(self, pid: int, status: int) -> bool:
        """Whether `pid` was the clerk."""
        if pid != self.pid:
            return False
        self._died(status)
        return True

    def close(self) -> None:
        """It ends when its channel does, after the task it is at."""
        self.closing = True
        self._drop()

    def _born(self, pid: int) -> None:
        self.pid = pid
        if self._channel is None and not self.closing:
            self._died(None)  # it ended before its pid was known

    def _add(self, task: Task) -> None:
        self._tasks.append(task)
        self._send()

    def _send(self) -> None:
        if self._channel is None or self._sent or not self._tasks:
            return
        task = self._tasks[0]
        self._next_id += 1
        task.message["id"], task.message["tries"] = self._next_id, task.tries
        self._sent = True
        self._channel.send(task.message)

    def _read(self) -> None:
        channel = self._channel
        if channel is None:
            return
        for message in channel.receive():
            if message.get("id") != self._next_id or not self._sent:
                continue
            self._sent = False
            if message["t"] == "again":
                self.loop.after(next(client.backoff()), self._send)
                continue
            self._tasks.popleft()
            self._send()
        if channel.closed:
            self._drop()
            if self.pid and not processes.ADOPTED:
                self._died(None)
            elif self.pid:
                processes.kill_group(self.pid)  # its exit follows; without a channel it is of no use

    def _drop(self) -> None:
        if self._channel is not None:
            self.loop.forget(self._channel)
            self._channel.close()
            self._channel = None

    def _died(self, status: int | None) -> None:
        self._drop()
        self.pid = 0
        if self.closing:
            return
        if self._sent and self._tasks:
            task = self._tasks[0]
            task.tries += 1
            logs.get().error(
                "the clerk died at a task", task=task.message.get("how", "maintain"), id=task.message.get("job_id"),
                why=processes.describe_exit(status),
            )  # fmt: skip
            if task.tries >= MOST_TRIES:
                self._tasks.popleft()
        self._sent = False
        self.loop.after(0.1, self.fill)
