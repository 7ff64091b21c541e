"""The gates in a real store, blocking: typed verbs over one connection. For slots, supervisors and the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.errors import StoreFull, StoreUnavailable
from headgate.gates import faults, overrides, replies, requests, samples, state, suitability
from headgate.gates.http_verbs import HttpVerbs
from headgate.gates.keys import Keys
from headgate.gates.overrides import Override
from headgate.gates.run_verbs import RunVerbs
from headgate.gates.samples import Sample, Samples
from headgate.gates.scripts import Script, scripts
from headgate.gates.verbs import (
    LEASE_MS,
    Beat,
    Blocker,
    Claim,
    ClaimAnswer,
    Declarations,
    Declared,
    Empty,
    Enqueue,
    EnqueueAnswer,
    Finish,
    Finished,
    Holding,
    Owner,
    PublishAnswer,
    Reaped,
    Renewal,
    Seen,
    StoreState,
    Wait,
)  # fmt: skip
from headgate.gates.wire import Argument, ReplyError, Wire, pack
from headgate.model.documents import Document, DocumentKind, QueueDocument

TRIES = 3
PATIENCE_SECONDS = 2.0
"""A call whose reply is lost is sent again, unchanged, at most so often and for so long; every verb is idempotent."""


class Door(HttpVerbs, RunVerbs):
    """The gates of one store. Make it after a fork; not for several threads. `Gates`, `HttpGates`, `RunGates`."""

    def __init__(
        self, url: str, prefix: str = "rq", *, timeout: float = 0.65, verbs: Mapping[str, Script] | None = None
    ) -> None:
        self.keys = Keys(prefix)
        self._meta, self._prefix = self.keys.meta, prefix
        self.epoch, self.seq = b"", 0
        self.now = 0
        """The store's clock (ms) at the last reply."""
        self._wire = Wire(url, timeout=timeout)
        self._scripts = verbs or scripts()

    @property
    def seen(self) -> Seen:
        """The newest epoch and seq of any reply, sent along with each call."""
        return Seen(self.epoch.decode(), self.seq)

    @seen.setter
    def seen(self, seen: Seen) -> None:
        self.epoch, self.seq = seen.epoch.encode(), seen.seq

    def close(self) -> None:
        self._wire.close()

    # ---- jobs ----

    def claim(self, claim: Claim) -> ClaimAnswer:
        return replies.claim(self._run("claim", requests.claim(claim))[3], claim.execution)

    def finish(self, finish: Finish) -> Finished:
        return replies.finished(self._run("finish", requests.finish(finish))[3])

    def finish_claim(self, finish: Finish, claim: Claim) -> tuple[Finished, ClaimAnswer]:
        if claim.lane_keys:
            return self.finish(finish), self.claim(claim)
        try:
            reply = self._run("finish_claim", requests.finish_claim(finish, claim))
        except StoreFull:
            return self.finish(finish), Wait(Blocker.STORE_FULL, self.now + LEASE_MS // 4, 0)
        answer = Empty(0) if reply[4] is None else replies.claim(reply[4], claim.execution)
        return replies.finished(reply[3]), answer

    def seal(self, holding: Holding) -> bool:
        return bool(self._run("seal", requests.holding(holding))[3])

    def release(self, holding: Holding) -> bool:
        return bool(self._run("release", requests.holding(holding))[3])

    def renew(self, beat: Beat) -> Renewal:
        reply = self._run("renew", requests.renew(beat))
        return replies.renewal(reply[3:], beat.holdings, reply[2])

    def reap(self, limit: int = 100, *, dead: bool = False) -> Sequence[Reaped]:
        return replies.reaped(self._run("reap", requests.reap(limit, dead))[3])

    def enqueue(self, enqueue: Enqueue) -> EnqueueAnswer:
        return replies.enqueued(self._run("enqueue", requests.enqueue(enqueue))[3:], enqueue.job_id)

    # ---- documents ----

    def publish(self, document: Document, owner: Owner, *, replaces_uid: str | None = None) -> PublishAnswer:
        return replies.published(self._run("publish", requests.publish(document, owner, replaces_uid))[3:])

    def unpublish(self, kind: DocumentKind, name: str, owner: Owner) -> bool:
        return bool(self._run("unpublish", requests.unpublish(kind, name, owner))[3])

    def override(self, override: Override) -> int | None:
        return overrides.set_until(self._run("override", overrides.arguments(override))[3:])

    def clear_override(self, queue: str) -> bool:
        return bool(self._run("override", (queue, 0, ""))[3])

    def inspect(self) -> StoreState:
        return state.store_state(self._run("inspect", ()))

    def read_document(self, queue: str) -> tuple[int, QueueDocument] | None:
        revision, text = self.command("HMGET", self.keys.policy(queue), "revision", "doc")
        return replies.document(revision, text)

    def read_declared(self, queue: str) -> Declarations:
        reply = self._run("read_declared", (queue,))
        return replies.declarations(reply[0], reply[3])

    def restore(self, copy: Declared[Document]) -> PublishAnswer:
        return replies.published(self._run("publish", requests.restore(copy))[3:])

    def record_sample(self, sample: Sample) -> None:
        self._run("record_sample", samples.record_arguments(sample))

    def read_samples(self, since: int) -> Samples:
        return samples.samples(self._run("read_samples", (since,)), since)

    def check(self) -> None:
        try:
            server, memory = self.command("INFO", "server"), self.command("INFO", "memory")
        except StoreUnavailable as fault:
            if "NOPERM" not in str(fault):
                raise
            server, memory = suitability.from_hello(self.command("HELLO", "2")), b""
        suitability.judge(server, memory)

    # ---- the wire ----

    def command(self, *arguments: Argument) -> Any:
        """A plain command that may be sent twice."""
        return self._send(pack(arguments), time.monotonic() + PATIENCE_SECONDS)

    def head(self, verb: str) -> tuple[Argument, ...]:
        """How a call of that verb's script begins, up to the epoch; the seq comes next."""
        return "EVALSHA", self._scripts[verb].sha, "1", self._meta, self._prefix, self.epoch

    def run(self, verb: str, command: bytes, tries: int = TRIES) -> Any:
        """A packed call of that verb's script: its whole reply."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            reply = self._send(command, deadline, tries)
        except _NoScript:
            self._send(pack(("SCRIPT", "LOAD", self._scripts[verb].text)), deadline)
            reply = self._send(command, deadline, tries)
        self.now = reply[2]
        if self.epoch != reply[0] or reply[1] > self.seq:
            self.epoch, self.seq = reply[0], reply[1]
        return reply

    def _run(self, verb: str, arguments: Sequence[Argument], *, once: bool = False) -> Any:
        return self.run(verb, pack((*self.head(verb), self.seq, *arguments)), 1 if once else TRIES)

    def _send(self, command: bytes, deadline: float, tries: int = TRIES) -> Any:
        while True:
            tries -= 1
            try:
                return self._wire.call(command)
            except StoreUnavailable:
                if tries == 0 or time.monotonic() >= deadline:
                    raise
            except ReplyError as fault:
                if faults.is_missing_script(str(fault)):
                    raise _NoScript from None
                raise faults.fault_of(str(fault)) from None


class _NoScript(Exception):
    """The store does not know the script (yet, or any more)."""


def __getattr__(name: str) -> Any:
    """`AsyncDoor` is found here too; it is built on `Door`, so it cannot be imported above."""
    if name == "AsyncDoor":
        from headgate.gates.async_door import AsyncDoor

        return AsyncDoor
    raise AttributeError(name)
