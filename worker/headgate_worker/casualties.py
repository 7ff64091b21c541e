"""What becomes of the job of a slot that died: by whose fault it died decides."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from headgate.gates.verbs import Claim, Finish, Finished, Grant, Holding, Lost, Outcome, Returned
from headgate_worker import logs
from headgate_worker.cells import Held, Phase, Word
from headgate_worker.clerk_desk import ClerkDesk
from headgate_worker.logs import JobLines
from headgate_worker.processes import describe_exit
from headgate_worker.slots import Slot
from headgate_worker.store_link import StoreLink

ABANDONED = "Moved to FailedJobRegistry, due to AbandonedJobError: the lease of its worker lapsed"
_HANDED_BACK = ("drain", "cutoff")


@dataclass(slots=True)
class Casualties:
    """`slot_died` is called once for each end of a slot's process, expected or not."""

    queue: str
    instance: str
    link: StoreLink
    clerk: ClerkDesk
    lines: JobLines
    most_losses: int = 3
    rescued: Counter[str] = field(default_factory=Counter)
    _open: dict[str, Holding] = field(default_factory=dict)

    def holdings(self) -> list[Holding]:
        """Jobs not handed back yet, because the store is away: nobody else may take them meanwhile."""
        return list(self._open.values())

    def slot_died(self, slot: Slot, status: int | None) -> None:
        held = slot.held()
        phase = slot.cell.phase
        exit_text = describe_exit(status)
        expected = slot.leaving or slot.kill is not None or status == 0
        if not expected or held is not None:
            logs.get().warning(
                "a slot died", slot=slot.name, why=exit_text, killed_for=slot.kill.why if slot.kill else None,
                job=held.job_id if held else None, function=held.function if held else None,
            )  # fmt: skip
        if phase is Phase.ASKING:
            self._recover_claim(slot)
        if held is not None and held.job_id:
            self._job(slot, held, status, self._why(slot, held, status))

    def _why(self, slot: Slot, held: Held, status: int | None) -> str:
        """`crash` when nobody killed it, `mistaken` when it was killed for a job that it had finished by then."""
        if slot.kill is not None:
            return slot.kill.why if slot.kill.execution in ("", held.execution) else "mistaken"
        alarmed = status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
        return "timeout" if alarmed and slot.nudged == held.execution else "crash"

    def _job(self, slot: Slot, held: Held, status: int | None, why: str) -> None:
        holding = Holding(self.queue, slot.name, held.job_id, held.execution, held.fence, held.places)
        reason = _rq_reason(status)
        if why == "gone":
            self._line(held, "lost")
        elif held.phase is Phase.SEALED:
            how = "fail" if why == "timeout" else "recover"
            self.clerk.end(holding, slot.name, how, reason, sealed=False)
            self._line(held, "killed")
        elif why == "stop":
            self.clerk.end(holding, slot.name, "stop", "Job stopped by user, work-horse terminated.", sealed=False)
            self._line(held, "stopped")
        elif why in ("timeout", "kill-horse"):
            self.clerk.end(holding, slot.name, "fail", reason, sealed=False)
            self._line(held, "killed")
        elif why in _HANDED_BACK or why == "mistaken":
            self._finish(slot, held, holding, Returned(), reason)
        else:
            self._finish(slot, held, holding, Lost(), reason)

    def _finish(self, slot: Slot, held: Held, holding: Holding, outcome: Outcome, reason: str) -> None:
        self._open[held.execution] = holding
        finish = Finish(self.queue, slot.name, held.job_id, held.execution, held.fence, outcome, held.places)

        def hand_back() -> None:
            finished = self.link.door.finish(finish)
            self._open.pop(held.execution, None)
            self._finished(slot.name, held, finished, lost=isinstance(outcome, Lost), reason=reason)

        self.link.do(hand_back)

    def _finished(self, worker: str, held: Held, finished: Finished, *, lost: bool, reason: str) -> None:
        mark = Holding(self.queue, "", held.job_id, held.execution, 0, ())
        if finished is Finished.OK:
            self.rescued["crash" if lost else "returned"] += 1
            self._line(held, "requeued" if lost else "returned")
        elif finished is Finished.FAILED:
            self.clerk.end(mark, worker, "fail", reason, sealed=True)
            self._line(held, "crashed")
        elif finished is Finished.POISON:
            self.rescued["poison"] += 1
            self.clerk.end(mark, worker, "bury", poison(self.most_losses, reason), sealed=True)
            self._line(held, "poison")
        else:
            self._line(held, "lost")

    def _recover_claim(self, slot: Slot) -> None:
        """It died with a claim on its way: ask with the same nonce, and hand back what was granted."""
        nonce = slot.nonce(slot.cell.words[Word.CLAIMS])
        if nonce is None:
            return
        claim = Claim(self.queue, slot.name, self.instance, nonce, nonce)

        def recover() -> None:
            answer = self.link.door.claim(claim)
            if isinstance(answer, Grant):
                finish = Finish(
                    self.queue, slot.name, answer.job_id, answer.execution, answer.fence, Returned(), answer.places
                )
                self.link.do(lambda: self._returned(finish))

        self.link.do(recover)

    def _returned(self, finish: Finish) -> None:
        if self.link.door.finish(finish) is Finished.OK:
            self.rescued["returned"] += 1

    def _line(self, held: Held, outcome: str) -> None:
        seconds = max(0, time.monotonic_ns() - held.started_ns) / 1e9
        self.lines.end(held.job_id, held.function or "-", seconds, outcome)
        self.lines.flush()


def _rq_reason(status: int | None) -> str:
    """RQ's own words for a dead work-horse."""
    signalled = status is not None and os.WIFSIGNALED(status)
    text = f" (signal {os.WTERMSIG(status)})" if signalled and status is not None else ""
    return f"Work-horse terminated unexpectedly; waitpid returned {status}{text}; "


def poison(most_losses: int, reason: str) -> str:
    """Why a job is in the dead set after too many lost processes."""
    return f"Poison: the process that ran this job died more than {most_losses} times (jobs.maxLosses). {reason}"
