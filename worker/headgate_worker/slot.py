"""A slot: one process, one job at a time. Finish the last job and claim the next in one round trip, run it, again.

When there is nothing to start it tells the supervisor why and waits on its channel; it never asks again unbidden.
"""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any, cast

from headgate.errors import NewerDocument, StoreFull, StoreUnavailable
from headgate.gates import replies
from headgate.gates.client import UNREACHABLE
from headgate.gates.cycle import Cycle
from headgate.gates.verbs import (
    Blocker,
    Claim,
    ClaimAnswer,
    Empty,
    Finish,
    Finished,
    Grant,
    Held,
    KeysWanted,
    NoPolicy,
    Quarantine,
    Returned,
    Wait,
)
from headgate.model.documents import QueueDocument
from headgate_worker.access import Access
from headgate_worker.cells import Cell, Phase, Word, WorkerWord
from headgate_worker.channel import Channel, Message
from headgate_worker.endings import BOUNCES, Endings
from headgate_worker.fast_path import FastPath
from headgate_worker.lane_keys import LaneKeys, merged
from headgate_worker.logs import JobLines
from headgate_worker.rules import Rules, rules_of
from headgate_worker.runs import Run
from headgate_worker.settings import Settings

_PHASE, _TRIPS, _PLAIN, _PLAIN_US = int(Word.PHASE), int(Word.TRIPS), int(Word.PLAIN), int(Word.PLAIN_US)
_CLAIMS, _SUCCEEDED, _ASKING = int(Word.CLAIMS), int(Word.SUCCEEDED), int(Phase.ASKING)
_BOUNCES = BOUNCES.encode()
_QUIT, _HOLD = int(Word.QUIT), int(Word.HOLD)
_DRAINING, _IDLE_SLOTS = int(WorkerWord.DRAINING), int(WorkerWord.IDLE_SLOTS)


class Slot:
    """`fast` and `endings` run jobs; this class talks: to the gates about claims, to the supervisor about waiting."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        instance: str,
        access: Access,
        cell: Cell,
        worker_words: memoryview,
        channel: Channel,
        lines: JobLines,
        keys: LaneKeys,
    ) -> None:
        self._settings = settings
        self._name = name
        self._instance = instance
        self._access = access
        self._cell = cell
        self._words = cell.words
        self._worker_words = worker_words
        self._channel = channel
        self._lines = lines
        self._keys = keys
        self._rules: Rules | None = None
        self._prefix = secrets.token_hex(8)
        self._prefix_bytes = self._prefix.encode()
        self._hot = Cycle(settings.queue, name, instance)
        self._claims = 0
        self.fast: FastPath
        self.endings: Endings

    def work(self) -> None:
        """Until the supervisor wants this slot to leave, or is gone."""
        self._channel.send({"t": "up", "prefix": self._prefix, "pid": os.getpid()})
        pending: Run | Finish | None = None
        keys: dict[str, str | None] = {}
        while not self._leaving():
            if self._words[_HOLD]:
                if pending is not None:
                    self._finish(pending)
                    pending = None
                self._wait({"why": Blocker.MEMORY.value})
                continue
            # Named only now: until the grant is on record in the cell, its nonce is what a dead slot's job is found by.
            finished, answer = self._ask(pending, self._next_execution(), keys)
            pending, known, keys = None, keys, {}
            if type(answer) is Run:
                if answer.more and self._worker_words[_IDLE_SLOTS]:
                    self._channel.send({"t": "more"})
                pending = self._hand_back(answer) if self._leaving() else self._run(answer)
            elif type(answer) is KeysWanted:
                # With what was read for the last claim: jobs that arrived in between make the store ask again for both.
                keys = merged(known, self._lane_keys(answer))
            elif finished is not Finished.SLOW:
                self._wait(_why(answer))
        if pending is not None:
            self._finish(pending)
        self._lines.flush()
        self._cell.clear(Phase.IDLE)

    def store_down(self, error: Exception) -> None:
        """Tell the supervisor and wait until it has renewed our leases again; a supervisor that is gone ends us."""
        self._lines.flush()
        self._channel.send({"t": "down", "why": str(error)})
        self._await_word()
        self._access.refresh()

    def _ask(
        self, pending: Run | Finish | None, execution: bytes, keys: dict[str, str | None]
    ) -> tuple[Finished | None, Run | ClaimAnswer | None]:
        """One round trip. The same finish and the same nonce again and again while the store is away."""
        while True:
            self._words[_PHASE] = _ASKING
            self._words[_TRIPS] += 1
            try:
                if type(pending) is Run and _BOUNCES not in pending.known:
                    return self._cycle(pending, execution)
                return self._call(pending, execution, keys)
            except StoreFull:
                return None, self._full(pending)
            except StoreUnavailable as error:
                self.store_down(error)

    def _cycle(self, run: Run, execution: bytes) -> tuple[Finished, Run | ClaimAnswer]:
        """What happens between two jobs when nothing is unusual."""
        began, ended = self.fast.stamps(run)
        _epoch, _seq, _now, code, answer = self._hot.call(
            self._access.door,
            execution,
            run.job_id,
            run.execution,
            run.places,
            run.result,
            run.result_ttl,
            began,
            ended,
        )
        granted = answer is not None and answer[0] in (b"B", b"G")
        if code == b"ok":
            finished = Finished.OK
            self._succeeded(run, granted)
        else:
            finished = replies.finished(code)
            self._ended(run, finished)
        if granted:
            return finished, Run.of_answer(answer, execution)
        return finished, Empty(0) if answer is None else replies.claim(answer, "")

    def _call(
        self, pending: Run | Finish | None, execution: bytes, keys: dict[str, str | None]
    ) -> tuple[Finished | None, Run | ClaimAnswer]:
        """The same through the verbs."""
        door, name = self._access.door, execution.decode()
        claim = Claim(self._settings.queue, self._name, self._instance, name, name, keys)
        finished: Finished | None = None
        if pending is None:
            answer = door.claim(claim)
        else:
            finished, answer = door.finish_claim(self._as_finish(pending), claim)
            self._ended(pending, finished)
        return finished, Run.of_grant(answer) if type(answer) is Grant else answer

    def _as_finish(self, pending: Run | Finish) -> Finish:
        return self.fast.finish_of(pending) if type(pending) is Run else cast(Finish, pending)

    def _full(self, pending: Run | Finish | None) -> ClaimAnswer | None:
        """Above maxmemory: what ran is finished all the same, nothing is claimed."""
        if pending is not None:
            self._finish(pending)
        return Wait("store.full", None, 0)

    def _finish(self, pending: Run | Finish) -> None:
        self._words[_CLAIMS] = 0
        self._words[_PHASE] = _ASKING
        while True:
            try:
                self._words[_TRIPS] += 1
                self._ended(pending, self._access.door.finish(self._as_finish(pending)))
                return
            except StoreUnavailable as error:
                self.store_down(error)

    def _ended(self, pending: Run | Finish, finished: Finished) -> None:
        """What became of the last run: counted and logged once the store has said so."""
        if finished is Finished.SLOW:
            self.fast.slowly()
            return
        run, words = self.fast.last, self._words
        if run is None:
            words[Word.RETURNED] += 1
        elif finished is not Finished.OK:
            words[Word.LOST] += 1
            self._over(run, "lost")
        elif type(pending) is Run:
            self._succeeded(run, False)
        else:
            words[Word.DEFERRED] += 1
            self._over(run, "limited")

    def _succeeded(self, run: Run, granted: bool) -> None:
        """`granted`: the next job's record takes the place of this one's."""
        words = self._words
        words[_SUCCEEDED] += 1
        words[_PLAIN] += 1
        words[_PLAIN_US] += int(run.seconds * 1e6)
        if granted and not self._lines.enabled:
            self.fast.last = None
        else:
            self._over(run, "ok")

    def _over(self, run: Run, outcome: str) -> None:
        if self._lines.enabled:
            self._lines.end(run.job_id.decode(), run.function, run.seconds, outcome)
        self.fast.last = None
        self._cell.clear(Phase.ASKING)

    def _hand_back(self, run: Run) -> Finish:
        """Granted while the order to leave was on its way."""
        self.fast.last = None
        grant = run.grant
        return Finish(
            self._settings.queue, self._name, grant.job_id, grant.execution, grant.fence, Returned(), grant.places
        )

    def _run(self, run: Run) -> Run | Finish | None:
        rules = self._rules
        try:
            if rules is None or rules.revision != run.revision:
                rules = self._rules_now(run.revision)
            run.rules = rules
            return self.fast.go(run)
        except BaseException:
            # The job's alarm rang between its last line and ours, or its hash is garbage: it fails, the slot goes on.
            if self.fast.last is None:
                raise
            self.endings.failed(self.fast.last, sys.exc_info())
            return None

    def _rules_now(self, revision: int = -1) -> Rules:
        """The rules of the policy as published now. A policy deleted under a running grant leaves the last ones."""
        if self._rules is not None and self._rules.revision == revision:
            return self._rules
        while True:
            try:
                found = self._access.door.read_document(self._settings.queue)
                break
            except StoreUnavailable as error:
                self.store_down(error)
            except NewerDocument as error:
                if self._rules is not None:
                    return self._rules
                self.store_down(error)
        if found is None and self._rules is not None:
            return self._rules
        number, document = found or (0, QueueDocument(queue=self._settings.queue))
        self._rules = rules_of(number, document, self._settings.payload_limit)
        return self._rules

    def _lane_keys(self, wanted: KeysWanted) -> dict[str, str | None]:
        while True:
            try:
                return self._keys.read(wanted.job_ids, self._rules_now().key_field)
            except UNREACHABLE as error:
                self.store_down(error)

    def _next_execution(self) -> bytes:
        self._claims += 1
        self._words[_CLAIMS] = self._claims
        return b"%b%016x" % (self._prefix_bytes, self._claims)

    def _leaving(self) -> bool:
        return bool(self._words[_QUIT] or self._worker_words[_DRAINING] or self._channel.closed)

    def _wait(self, why: Message) -> None:
        self._lines.flush()
        self.fast.idle()
        self._cell.clear(Phase.IDLE)
        self._channel.send({"t": "idle", **why})
        self._await_word()

    def _await_word(self) -> None:
        """Any message wakes; the end of the supervisor ends us through `_leaving`."""
        while not self._channel.receive(wait=True) and not self._channel.closed:
            pass


def _why(answer: Any) -> Message:
    """An answer that starts nothing, for the supervisor."""
    if type(answer) is Empty:
        return {"why": "empty", "length": answer.length}
    if type(answer) is Wait:
        return {"why": "wait", "blocker": answer.blocker, "open_at": answer.open_at, "holders": answer.holders}
    if type(answer) is Held:
        return {"why": "suspended" if answer.suspended else "held"}
    if type(answer) is NoPolicy:
        return {"why": "nopolicy"}
    if type(answer) is Quarantine:
        return {"why": "quarantine", "until": answer.until}
    return {"why": "none"}
