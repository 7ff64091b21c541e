"""Every five seconds: all leases, RQ's heartbeats and counters, in one call; and what its answer demands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headgate.gates.verbs import LEASE_MS, RENEW_MS, Beat, Fate, Holding, Kept, Reaped, Renewal, SlotBeat
from headgate_worker import logs
from headgate_worker.casualties import ABANDONED, Casualties, poison
from headgate_worker.cells import Phase, Word
from headgate_worker.clerk_desk import ClerkDesk
from headgate_worker.slots import Slot, Slots
from headgate_worker.store_link import StoreLink

SECONDS = RENEW_MS / 1000
FENCE_SECONDS = LEASE_MS / 1000 - 3
"""With onLeaseLost Stop: cut off this long, jobs are stopped, well before their lease can be given away."""


@dataclass(slots=True)
class Heartbeat:
    """`register` writes the RQ worker hashes of the slots named; `policy_moved` is told its revision, each time."""

    instance: str
    pod: str
    queue: str
    link: StoreLink
    slots: Slots
    clerk: ClerkDesk
    casualties: Casualties
    revision: Callable[[], int]
    stop_when_cut_off: Callable[[], bool]
    register: Callable[[Sequence[str]], None]
    policy_moved: Callable[[int], None]
    wake: Callable[[], None]
    quarantined: Callable[[int], None]
    short_of_memory: Callable[[], bool]
    leases_lost: int = 0
    renewed_at: float = field(default_factory=time.monotonic)
    store_ms_offset: float = 0.0
    quarantine_until: int = 0

    def beat(self) -> None:
        """Called every `SECONDS`. While the store is away the link tries on its own; then only the fence is checked."""
        if not self.link.attempt(self.renew):
            self._fence()

    def renew(self) -> None:
        """Raises StoreUnavailable."""
        busy = [(slot, held) for slot in self.slots if (held := slot.held()) is not None and held.job_id]
        holdings = [
            Holding(self.queue, slot.name, held.job_id, held.execution, held.fence, held.places) for slot, held in busy
        ]
        holdings += self.casualties.holdings() + self.clerk.holdings()
        beats = [_slot_beat(slot) for slot in self.slots]
        beat = Beat(self.instance, self.pod, self.queue, self.revision(), beats, holdings, self.short_of_memory())
        renewal = self.link.door.renew(beat)
        self.renewed_at = time.monotonic()
        self.store_ms_offset = renewal.now - self.renewed_at * 1000
        self._answered(renewal, [slot for slot, _held in busy])

    def goodbye(self) -> None:
        """A beat without slots: the store forgets this instance at once. Raises StoreUnavailable."""
        self.link.door.renew(Beat(self.instance, self.pod, self.queue, self.revision(), (), ()))

    def store_ms(self) -> float:
        """The store's clock now, as far as the last renewal tells."""
        return time.monotonic() * 1000 + self.store_ms_offset

    def _answered(self, renewal: Renewal, busy: Sequence[Slot]) -> None:
        for slot in busy:
            self._check(slot, renewal)
        if renewal.unregistered:
            self.register(renewal.unregistered)
        for reaped in renewal.reaped:
            self._reaped(reaped)
        if renewal.quarantine_until > self.quarantine_until:
            logs.get().error("the store lost data: nothing starts for one lease, what runs was announced again")
            self.quarantined(renewal.quarantine_until)
        self.quarantine_until = renewal.quarantine_until
        self.policy_moved(renewal.revision)
        if renewal.wake:
            self.wake()

    def _check(self, slot: Slot, renewal: Renewal) -> None:
        """A lost lease stops the job, unless the slot has gone on meanwhile: then the fence refuses its finish."""
        held = slot.held()
        if held is None or held.phase is not Phase.RUNNING or renewal.kept.get(held.execution) is not Kept.GONE:
            return
        self.leases_lost += 1
        logs.get().error("lease lost: the job runs elsewhere or was deleted, it is stopped here", id=held.job_id)
        self.slots.kill(slot, "gone", held.execution)

    def _reaped(self, reaped: Reaped) -> None:
        self.casualties.rescued[reaped.fate.value] += 1
        logs.get().warning(
            "a lease lapsed", queue=reaped.queue, id=reaped.job_id, fate=reaped.fate.value, losses=reaped.losses
        )
        if reaped.queue != self.queue or reaped.fate is Fate.REQUEUED:
            return
        if reaped.fate is Fate.POISON:
            how, reason = "bury", poison(self.casualties.most_losses, ABANDONED)
        else:
            how, reason = "abandon", ABANDONED
        self.clerk.end(reaped.holding, self.instance, how, reason, sealed=True)

    def _fence(self) -> None:
        if not self.stop_when_cut_off() or time.monotonic() - self.renewed_at < FENCE_SECONDS:
            return
        for slot in self.slots.busy():
            held = slot.held()
            if held is not None and held.phase is Phase.RUNNING:
                logs.get().error("cut off from the store for longer than the lease, the job is stopped", id=held.job_id)
                self.slots.kill(slot, "cutoff", held.execution)


def _slot_beat(slot: Slot) -> SlotBeat:
    words = slot.cell.words
    return SlotBeat(slot.name, words[Word.PLAIN], words[Word.PLAIN_US] / 1e6)
