"""Every interleaving of two workers, the reaper, deaths and time on the reference, breadth first.

A step is one whole call (the store is atomic) or one tick of the clock. States in which everything is equal are one.
`I1`, `I3`, ..: the invariants of the design, judged from what the workers were told and RQ's own books.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from headgate.gates.model.reference import ReferenceGates
from headgate.gates.model.state import Store
from headgate.gates.verbs import (
    LEASE_MS,
    RENEW_MS,
    Beat,
    Claim,
    ClaimAnswer,
    Finish,
    Finished,
    Grant,
    Holding,
    Kept,
    Owner,
    SlotBeat,
)
from headgate.model.documents import QueueDocument
from tests.gates.conformance.fleet import DONE, QUEUE

TICK_MS = 10_000
"""Two of them without a renewal, and a lease has lapsed; when nobody renewed, the store calls it a loss of its own."""
EVERY = 50
"""From each so-manieth state it is seen that everything ends well: that takes as long as many steps."""


class Broken(AssertionError):
    """A promise that does not hold, with the shortest way to it."""


@dataclass
class Worker:
    """What a worker with one slot believes. `lease_end`: its own, from what it was told."""

    name: str
    grants: int = 0
    lives: int = 1
    grant: Grant | None = None
    lease_end: int = 0

    @property
    def instance(self) -> str:
        return f"{self.name}{self.lives}"

    @property
    def slot(self) -> str:
        return f"{self.instance}.0"

    def claim(self) -> Claim:
        number = f"{self.instance}-{self.grants}"
        return Claim(QUEUE, self.slot, self.instance, f"nonce-{number}", f"run-{number}")


@dataclass
class Program:
    """`ticks` and `kills`: how many of each a run may have."""

    total: int
    jobs: int
    ticks: int
    kills: int


@dataclass
class Node:
    store: Store
    workers: list[Worker]
    ticks: int
    kills: int
    successes: dict[str, int] = field(default_factory=dict)

    def key(self) -> int:
        return hash(plain(self))


def plain(value: object) -> Hashable:
    """Equal for equal states, whatever they are made of and in whatever order they came about."""
    if isinstance(value, (str, bytes, int, float, type(None), Enum)):
        return value
    if isinstance(value, dict):
        return frozenset((plain(name), plain(one)) for name, one in value.items())
    if isinstance(value, (set, frozenset)):
        return frozenset(map(plain, value))
    if isinstance(value, (list, tuple, deque)):
        return tuple(map(plain, value))
    names = getattr(type(value), "__slots__", None) or vars(value)
    return tuple(plain(getattr(value, name)) for name in names)


class Search:
    """`run` answers how many states there are, or raises `Broken`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.settled = 0

    def run(self) -> int:
        first = self._first()
        seen, ways = {first.key()}, deque([(pickle.dumps(first), ())])
        while ways:
            packed, way = ways.popleft()
            for step in self._steps(pickle.loads(packed)):  # noqa: S301 - its own
                node: Node = pickle.loads(packed)  # noqa: S301
                here = (*way, step)
                try:
                    self._take(node, step)
                    judge(node, self._program)
                    key = node.key()
                    if key in seen:
                        continue
                    seen.add(key)
                    ways.append((pickle.dumps(node), here))
                    if len(seen) % EVERY == 0:
                        self._settles(pickle.loads(pickle.dumps(node)))  # noqa: S301
                except Broken as broken:
                    raise Broken(f"{broken}, after {' '.join(here)}") from None
        return len(seen)

    def _first(self) -> Node:
        store = Store()
        door = ReferenceGates(store)
        document = QueueDocument(queue=QUEUE, total=self._program.total, per_worker=1)
        door.publish(document, Owner(f"ns/{QUEUE}", "uid", 1))
        for number in range(self._program.jobs):
            store.rq.enqueue(QUEUE, f"job{number}", {"data": b"data"}, at_front=False)
        node = Node(store, [Worker("a"), Worker("b")], self._program.ticks, self._program.kills)
        for worker in node.workers:
            _beat(node, worker)
        return node

    def _steps(self, node: Node) -> Iterator[str]:
        for index, worker in enumerate(node.workers):
            if worker.grant is None:
                yield f"claim:{index}"
            else:
                yield from (f"finish:{index}", f"finish_claim:{index}")
            if node.ticks < self._program.ticks:
                yield f"renew:{index}"
            if node.kills and worker.grant is not None:
                yield f"kill:{index}"
        if node.ticks:
            yield "tick"
        yield "reap"

    def _take(self, node: Node, step: str) -> None:
        verb, _, index = step.partition(":")
        if verb == "tick":
            node.ticks -= 1
            node.store.clock.advance(TICK_MS)
        elif verb == "reap":
            ReferenceGates(node.store).reap(dead=True)
        else:
            _act(node, node.workers[int(index)], verb)
        node.store.woken.clear()

    def _settles(self, node: Node) -> None:
        """I8: from here, with workers that are well, every job ends, and nothing of it stays (I7)."""
        self.settled += 1
        for _ in range(15 + 2 * self._program.jobs):
            for worker in node.workers:
                _act(node, worker, "finish" if worker.grant else "claim")
            node.store.clock.advance(RENEW_MS)
            for worker in node.workers:
                _beat(node, worker)
            judge(node, self._program)
        left = {name: job.status for name, job in node.store.rq.jobs.items() if job.status != "finished"}
        _promise(not left, "I8", f"{left} never ended")
        _promise(not node.store.gates(QUEUE).held.ends, "I7", f"left: {node.store.gates(QUEUE).held.ends}")


def _act(node: Node, worker: Worker, verb: str) -> None:
    door = ReferenceGates(node.store)
    if verb == "kill":
        node.kills -= 1
        worker.lives, worker.grant = worker.lives + 1, None
        _beat(node, worker)
    elif verb == "renew":
        _beat(node, worker)
    elif verb == "claim":
        _answered(node, worker, door.claim(worker.claim()))
    elif worker.grant is not None:
        grant = worker.grant
        held = f"{grant.job_id}:{grant.execution}" in node.store.gates(QUEUE).held
        end = Finish(QUEUE, worker.slot, grant.job_id, grant.execution, grant.fence, DONE, grant.places)
        answer: ClaimAnswer | None = None
        if verb == "finish":
            finished = door.finish(end)
        else:
            finished, answer = door.finish_claim(end, worker.claim())
        _promise((finished is Finished.OK) == held, "I11", f"{finished} for {grant.execution}, lease {held}")
        if finished is Finished.OK:
            node.successes[grant.job_id] = node.successes.get(grant.job_id, 0) + 1
        worker.grant = None
        if answer is not None:
            _answered(node, worker, answer)


def _answered(node: Node, worker: Worker, answer: ClaimAnswer) -> None:
    if isinstance(answer, Grant):
        worker.grant, worker.lease_end = answer, node.store.now + LEASE_MS
        worker.grants += 1


def _beat(node: Node, worker: Worker) -> None:
    """As the worker does it: what the store says is gone, is dropped."""
    grant = worker.grant
    holdings = []
    if grant is not None:
        holdings = [Holding(QUEUE, worker.slot, grant.job_id, grant.execution, grant.fence, grant.places)]
    beat = Beat(worker.instance, worker.instance, QUEUE, 1, (SlotBeat(worker.slot),), holdings)
    kept = ReferenceGates(node.store).renew(beat).kept
    if grant is not None:
        if kept[grant.execution] is Kept.GONE:
            worker.grant = None
        else:
            worker.lease_end = node.store.now + LEASE_MS


def judge(node: Node, program: Program) -> None:
    store, now = node.store, node.store.now
    held = store.gates(QUEUE).held
    running = [worker.grant for worker in node.workers if worker.grant and worker.lease_end > now]
    _promise(len(running) <= program.total, "I1", f"{len(running)} run")
    _promise(sum(end > now for end in held.ends.values()) <= program.total, "I1", f"held: {held.ends}")
    jobs = [grant.job_id for grant in running]
    _promise(len(set(jobs)) == len(jobs), "I4", f"{jobs} run at once")
    _promise(all(count == 1 for count in node.successes.values()), "I4", f"succeeded: {node.successes}")
    for grant in running:
        _promise(f"{grant.job_id}:{grant.execution}" in held, "I7", f"{grant.execution} runs without a place")
    for name in (f"job{number}" for number in range(program.jobs)):
        _judge_job(node, name)


def _judge_job(node: Node, name: str) -> None:
    """I3: in exactly one place; I7: a job that is not started holds nothing."""
    store = node.store
    job = store.rq.jobs.get(name)
    _promise(job is not None, "I3", f"{name} is gone")
    assert job is not None
    listed = list(store.rq.list_of(QUEUE)).count(name)
    _promise(listed == (job.status == "queued"), "I3", f"{name} is {job.status} and listed {listed} times")
    _promise(job.status in ("queued", "started", "finished"), "I3", f"{name} is {job.status}")
    members = [member for member in store.gates(QUEUE).held.ends if member.startswith(f"{name}:")]
    _promise(len(members) == (job.status == "started"), "I7", f"{name} is {job.status} and holds {members}")
    _promise((job.status == "finished") == (name in node.successes), "I3", f"{name} is {job.status}, not acknowledged")


def _promise(holds: bool, name: str, detail: str) -> None:
    if not holds:
        raise Broken(f"{name}: {detail}")
