"""Workers in a few words, over any bench: slots claim, finish, renew and die; the suite tells its stories with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from headgate.gates.verbs import (
    Beat,
    Claim,
    ClaimAnswer,
    Done,
    Enqueue,
    Finish,
    Finished,
    Gates,
    Grant,
    Holding,
    KeysWanted,
    Outcome,
    Owner,
    PublishAnswer,
    Published,
    Renewal,
    SlotBeat,
    Wait,
)  # fmt: skip
from headgate.model.documents import BudgetDocument, QueueDocument
from tests.gates.conformance.bench import Bench

DONE = Done(b"gASVAgAAAAAAAACMAJQu", 86_400, "2026-11-24T23:11:38.000042Z", "2026-11-24T23:11:38.100042Z")
QUEUE = "mail"


@dataclass(frozen=True, slots=True)
class Running:
    queue: str
    slot: str
    grant: Grant

    @property
    def holding(self) -> Holding:
        grant = self.grant
        return Holding(self.queue, self.slot, grant.job_id, grant.execution, grant.fence, grant.places)

    def end(self, outcome: Outcome = DONE) -> Finish:
        grant = self.grant
        return Finish(self.queue, self.slot, grant.job_id, grant.execution, grant.fence, outcome, grant.places)


def instance_of(slot: str) -> str:
    """A slot is `<instance>.<i>`."""
    return slot.rpartition(".")[0]


class Fleet:
    """`running`: what each slot believes it runs. A slot's calls go through its instance's own door."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.running: dict[str, Running] = {}
        self._count = 0
        self._generation = 0

    @property
    def operator(self) -> Gates:
        return self.bench.gates("operator")

    def door(self, slot: str) -> Gates:
        return self.bench.gates(instance_of(slot))

    # ---- documents and jobs ----

    def policy(self, queue: str = QUEUE, **limits: Any) -> int:
        """Publish it with the next generation; answers the revision."""
        self._generation += 1
        owner = Owner(f"ns/{queue}", f"uid-{queue}", self._generation)
        return _revision(self.operator.publish(QueueDocument(queue=queue, **limits), owner))

    def budget(self, name: str = "ns/mail", **limits: Any) -> int:
        self._generation += 1
        owner = Owner(name, f"uid-{name}", self._generation)
        return _revision(self.operator.publish(BudgetDocument(name=name, **limits), owner))

    def jobs(self, *job_ids: str, queue: str = QUEUE, key: str | None = None) -> None:
        for job_id in job_ids:
            self.bench.enqueue(queue, job_id, key=key)

    def produce(self, job_id: str, queue: str = QUEUE, **how: Any) -> Any:
        fields = {"data": b"data", "status": b"queued", "origin": queue.encode()}
        return self.operator.enqueue(Enqueue(queue, job_id, fields, **how))

    # ---- slots ----

    def ask(self, slot: str, queue: str = QUEUE, keys: Mapping[str, str | None] | None = None) -> Claim:
        self._count += 1
        return Claim(queue, slot, instance_of(slot), f"nonce{self._count}", f"execution{self._count}", keys or {})

    def claim(self, slot: str, queue: str = QUEUE) -> ClaimAnswer:
        """One claim by an idle slot; asked again at once while part of a long queue is not looked through."""
        answer: ClaimAnswer = KeysWanted(())
        for _ in range(200):
            answer = self.door(slot).claim(self.ask(slot, queue))
            if answer != KeysWanted(()):
                break
        return self._took(slot, queue, answer)

    def _took(self, slot: str, queue: str, answer: ClaimAnswer) -> ClaimAnswer:
        if isinstance(answer, Grant):
            self.running[slot] = Running(queue, slot, answer)
        return answer

    def start(self, slot: str, queue: str = QUEUE) -> str:
        """A claim that must be granted; the job's id."""
        answer = self.claim(slot, queue)
        assert isinstance(answer, Grant), answer
        return answer.job_id

    def starts(self, *slots: str, queue: str = QUEUE) -> list[str]:
        return [self.start(slot, queue) for slot in slots]

    def refused(self, slot: str, queue: str = QUEUE) -> Wait:
        """A claim that a gate must refuse."""
        answer = self.claim(slot, queue)
        assert isinstance(answer, Wait), answer
        assert answer.open_at is None or answer.open_at > self.bench.now, "told to come back in the past"
        return answer

    def start_and_defer(self, slot: str, outcome: Outcome, job_id: str = "other", queue: str = QUEUE) -> None:
        """A job without a key runs and ends so at once; it goes to the front."""
        self.bench.enqueue(queue, job_id, at_front=True)
        assert self.start(slot, queue) == job_id
        self.finish(slot, outcome)

    def finish(self, slot: str, outcome: Outcome = DONE) -> Finished:
        return self.door(slot).finish(self.running.pop(slot).end(outcome))

    def finish_claim(self, slot: str, outcome: Outcome = DONE) -> tuple[Finished, ClaimAnswer]:
        ended = self.running.pop(slot)
        finished, answer = self.door(slot).finish_claim(ended.end(outcome), self.ask(slot, ended.queue))
        return finished, self._took(slot, ended.queue, answer)

    def beat(self, instance: str, slots: int = 3, queue: str = QUEUE, *, short_of_memory: bool = False) -> Renewal:
        names = [f"{instance}.{i}" for i in range(slots)]
        holdings = [running.holding for slot, running in self.running.items() if slot in names]
        beats = tuple(SlotBeat(slot) for slot in names)
        return self.bench.gates(instance).renew(Beat(instance, instance, queue, 1, beats, holdings, short_of_memory))

    def kill(self, instance: str) -> None:
        """The whole pod dies: nobody renews or finishes what its slots ran."""
        for slot in [slot for slot in self.running if instance_of(slot) == instance]:
            del self.running[slot]

    def pass_time(self, ms: int, *alive: str, queue: str = QUEUE) -> None:
        """As it passes for pods that are well: they renew every five seconds of it."""
        while ms > 0:
            step = min(ms, 5_000)
            self.bench.advance(step)
            ms -= step
            for instance in alive:
                self.beat(instance, queue=queue)

    # ---- eyes ----

    def statuses(self, job_ids: Iterable[str]) -> dict[str, str]:
        seen = {job_id: self.bench.job(job_id) for job_id in job_ids}
        return {job_id: job.status if job else "gone" for job_id, job in seen.items()}

    def live(self, queue: str = QUEUE) -> int:
        """Holders that count now."""
        return sum(end > self.bench.now for end in self.bench.holders(queue).values())


def _revision(answer: PublishAnswer) -> int:
    assert isinstance(answer, Published), answer
    return answer.revision
