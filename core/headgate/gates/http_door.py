"""The gates for requests in a real store, for asyncio: one round trip each, many at once on one connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.errors import HeadgateError, StoreUnavailable
from headgate.gates import faults, http_replies, http_requests
from headgate.gates.async_wire import DEADLINE_SECONDS, AsyncWire
from headgate.gates.http import Admit, AdmitAnswer, RequestsBeat, RequestsRenewal, Settle
from headgate.gates.keys import Keys
from headgate.gates.samples import Sample, record_arguments
from headgate.gates.scripts import Script, scripts
from headgate.gates.wire import Argument, ReplyError, pack
from headgate.model.documents import HttpDocument

SETTLE_SECONDS = 0.005
"""Requests that ended within it are settled in one call."""
SETTLE_AGAIN_SECONDS = 1.0
SETTLES_KEPT = 10_000
"""While the store is away; what is dropped above it counts as failed, and its places lapse."""
SETTLES_A_CALL = 100
LOADS = 3
"""So often a store is told a script that it does not know."""
_MARK = "\0request\0"
_PACKED_MARK = pack((_MARK,)).partition(b"\r\n")[2]
"""Where the request's own name goes in a packed question."""

logger = logging.getLogger("headgate.gate")


class Question:
    """Which rules, for whom: packed once, for all requests that ask the same."""

    __slots__ = ("_seen", "_start", "_tail", "revision", "rules", "surface")

    def __init__(self, surface: str, revision: int, rules: tuple[tuple[int, str], ...]) -> None:
        self.surface, self.revision, self.rules = surface, revision, rules
        self._seen: object = None
        self._start = self._tail = b""

    def packed(self, head: tuple[Argument, ...], seen: object, request: bytes) -> bytes:
        """`head`: all before the surface. It is packed again when `seen` is another object."""
        if self._seen is not seen:
            whole = pack((*head, *http_requests.admit(Admit(self.surface, self.revision, "", _MARK, self.rules))))
            self._start, _, self._tail = whole.partition(_PACKED_MARK)
            self._seen = seen
        return b"%b$%d\r\n%b\r\n%b" % (self._start, len(request), request, self._tail)


class HttpDoor:
    """The verbs of `http.HttpGates` that an API process needs, for one event loop. No call takes longer than
    `deadline`, or twice that when the store must be told the script; admit is executed at most once."""

    def __init__(
        self,
        url: str,
        prefix: str = "rq",
        *,
        deadline: float = DEADLINE_SECONDS,
        verbs: Mapping[str, Script] | None = None,
    ) -> None:
        self.keys = Keys(prefix)
        self._prefix = prefix
        self._wire = AsyncWire(url, deadline=deadline)
        self._scripts = verbs or scripts()
        self._epoch, self._seq = b"", 0
        self._seen, self._admit = object(), self._head("admit")
        self._settles: list[Settle] = []
        self._settling: asyncio.TimerHandle | asyncio.Task[None] | None = None

    @property
    def fault(self) -> str | None:
        """Why the store is not asked now; None while it answers."""
        return self._wire.fault

    async def close(self) -> None:
        self.abort()
        await self._wire.close()

    def abort(self) -> None:
        """At once, also from a loop that is ending."""
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._wire.abort()

    # ---- requests ----

    async def admit(self, admit: Admit) -> AdmitAnswer:
        question, request = Question(admit.surface, admit.revision, tuple(admit.rules)), admit.request.encode()
        try:
            reply = await self.ask(question, request)
        except ReplyError as fault:
            reply = await self.ask_again(question, request, fault)
        return self.answer(reply)

    def ask(self, question: Question, request: bytes) -> asyncio.Future[Any]:
        """`admit` in parts, for the hot path: the reply comes as it is; `ReplyError` goes to `ask_again`."""
        return self._wire.ask(question.packed(self._admit, self._seen, request))

    async def ask_again(self, question: Question, request: bytes, fault: ReplyError) -> Any:
        """The script was unknown, so nothing was executed: this is not twice. Raises what any other fault means."""
        for _ in range(LOADS):
            if not faults.is_missing_script(str(fault)):
                break
            load = self._load("admit")  # in one write with the question: hardly anybody can flush between them
            question_again = self.ask(question, request)
            await load
            try:
                return await question_again
            except ReplyError as again:
                fault = again
        raise self._fault(fault) from None

    def answer(self, reply: Any) -> AdmitAnswer:
        self.note(reply)
        return http_replies.admit(reply[3:])

    def note(self, reply: Any) -> None:
        """The newest epoch and seq go along with each call."""
        if self._epoch != reply[0] or reply[1] > self._seq:
            self._look(reply[0], reply[1])

    async def settle(self, settles: Sequence[Settle]) -> int:
        return int((await self._run("settle", http_requests.settle(settles)))[3])

    def settle_soon(self, settle: Settle) -> None:
        """Together with all that end within `SETTLE_SECONDS`; kept and sent again while the store is away."""
        if len(self._settles) < SETTLES_KEPT:
            self._settles.append(settle)
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._begin)

    async def drain(self) -> None:
        """Settle what waits. Raises `StoreUnavailable`."""
        while self._settles:
            batch = self._settles[:SETTLES_A_CALL]
            await self.settle(batch)
            del self._settles[: len(batch)]

    async def renew_requests(self, beat: RequestsBeat) -> RequestsRenewal:
        reply = await self._run("renew_requests", http_requests.renew_requests(beat))
        return http_replies.requests_renewal(reply[3:], beat, reply[2])

    async def record_sample(self, sample: Sample) -> None:
        await self._run("record_sample", record_arguments(sample))

    # ---- documents ----

    async def read_http(self, surface: str) -> tuple[int, HttpDocument] | None:
        return http_replies.document(*await self._command("HMGET", self.keys.http(surface), "revision", "doc"))

    async def http_secret(self, proposed: bytes) -> bytes:
        """The secret that all processes make identities with; `proposed` when there is none yet."""
        key = self.keys.http_secret
        found = await self._command("GET", key)
        if found is None:
            await self._command("SET", key, proposed, "NX")
            found = await self._command("GET", key)
        if not isinstance(found, bytes):
            raise StoreUnavailable("the store kept no secret for identities")
        return found

    # ---- the wire ----

    async def _command(self, *arguments: Argument) -> Any:
        return await self._ask(pack(arguments))

    async def _run(self, verb: str, arguments: Sequence[Argument]) -> Any:
        command = pack((*self._head(verb), *arguments))
        for _ in range(LOADS):
            try:
                reply = await self._wire.ask(command)
                break
            except ReplyError as fault:
                if not faults.is_missing_script(str(fault)):
                    raise self._fault(fault) from None
                await self._load(verb)
        else:
            reply = await self._ask(command)
        self.note(reply)
        return reply

    def _look(self, epoch: bytes, seq: int) -> None:
        self._epoch, self._seq = epoch, seq
        self._seen, self._admit = object(), self._head("admit")

    def _head(self, verb: str) -> tuple[Argument, ...]:
        return "EVALSHA", self._scripts[verb].sha, "1", self.keys.meta, self._prefix, self._epoch, self._seq

    def _load(self, verb: str) -> asyncio.Future[Any]:
        return self._wire.ask(pack(("SCRIPT", "LOAD", self._scripts[verb].text)))

    async def _ask(self, command: bytes) -> Any:
        try:
            return await self._wire.ask(command)
        except ReplyError as fault:
            raise self._fault(fault) from None

    def _fault(self, fault: ReplyError) -> HeadgateError:
        """A store that became a replica may have a successor at the same name: connect anew."""
        message = str(fault)
        if message.startswith("READONLY") or "-READONLY" in message:
            self._wire.lost(message)
        return faults.fault_of(message)

    def _begin(self) -> None:
        self._settling = asyncio.get_running_loop().create_task(self._settle_all())

    async def _settle_all(self) -> None:
        again = SETTLE_SECONDS
        try:
            await self.drain()
        except StoreUnavailable:
            again = SETTLE_AGAIN_SECONDS
        except HeadgateError:
            logger.exception("Requests not settled: their places lapse, and what succeeded counts as failed")
            self._settles.clear()
        self._settling = None
        if self._settles:
            self._settling = asyncio.get_running_loop().call_later(again, self._begin)
