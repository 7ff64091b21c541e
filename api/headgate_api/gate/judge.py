"""Decides about one request: a refusal still in force, the store, or what the policy says for when it is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from headgate.errors import HeadgateError
from headgate.gates.http import Allowed, Denied, HttpGate, Settle, StaleRules
from headgate.gates.http_door import Question
from headgate.gates.wire import ReplyError
from headgate_api.gate.headers import Header, retry_after
from headgate_api.gate.matching import routed
from headgate_api.gate.metrics import COUNTS, Result, Source
from headgate_api.gate.problems import Refusal, quota_exceeded, reduced_capacity
from headgate_api.gate.refusal_log import AGAIN_SECONDS, RefusalLog
from headgate_api.gate.ruleset import Facts, RuleSet, Who, flat, user_of
from headgate_api.gate.snapshot import Snapshot
from headgate_api.gate.surface import Surface

Scope = MutableMapping[str, Any]
User = Callable[[Scope], str | Awaitable[str | None] | None]
"""Names the verified user of a request; None when there is none."""

_NOBODY = (None, None)
_ALLOWED = 1
"""What the store's raw answer says fourth: `http_replies.admit`."""

logger = logging.getLogger("headgate.gate")


class Ruling:
    """`refusal` None: it may start. `allowed` only where something must be settled at its end."""

    __slots__ = ("allowed", "headers", "question", "refusal", "rules", "snapshot", "source")

    def __init__(self, snapshot: Snapshot, rules: RuleSet, question: Question, source: Source) -> None:
        self.snapshot, self.rules, self.question, self.source = snapshot, rules, question, source
        self.allowed: Allowed | None = None
        self.refusal: Refusal | None = None
        self.headers: tuple[Header, ...] = ()


class Judge:
    def __init__(self, surface: Surface, user: User | None) -> None:
        self._surface, self._user = surface, user
        self._log = RefusalLog()
        self._warned = False
        self._told_until = 0.0

    async def rule(self, snapshot: Snapshot, scope: Scope, facts: Facts, last: bool = False) -> Ruling | None:
        """None: no rule applies. `last`: the policy was read again for this request."""
        rules = self._rules(snapshot, scope, facts)
        if rules is None:
            return None
        user: Any = self._named(scope) if rules.by_user else None
        if user is not None and not isinstance(user, str):
            user = await self._awaited(user)
        question = self._question(snapshot, rules, scope, facts, user)
        if snapshot.denials:
            now = time.monotonic()
            denial = snapshot.denials.find(question.rules, now)
            if denial is not None:
                ruling = Ruling(snapshot, rules, question, "cache")
                return self._denied(ruling, denial.answer, int((now - denial.at) * 1000))
        if snapshot.revision == 0:
            return self._local(snapshot, rules, question)
        door, request = self._surface.door, self._surface.request_id()
        try:
            try:
                reply = await door.ask(question, request)
            except ReplyError as fault:
                reply = await door.ask_again(question, request, fault)
        except HeadgateError as fault:
            return self._fallback(snapshot, rules, question, str(fault))
        if reply[3] == _ALLOWED:
            ruling = Ruling(snapshot, rules, question, "store")
            door.note(reply)
            if rules.settles:
                answer = door.answer(reply)
                assert isinstance(answer, Allowed)  # noqa: S101
                self._surface.places.update(answer.places)
                ruling.allowed = answer
            if reply[7]:
                self._shadowed(ruling, reply[7])
            ruling.headers = rules.passed(reply[5], "store")
            return ruling
        return await self._refused(snapshot, rules, question, reply, (scope, facts, last))

    def settle(self, ruling: Ruling, *, failed: bool) -> None:
        """It ended: give its places back, and forget it where only failures count."""
        answer = ruling.allowed
        if answer is None:
            return
        if ruling.source == "local":
            ruling.snapshot.local.settle(ruling.question.rules, answer, failed=failed)
        elif answer.places:
            self._surface.places.difference_update(answer.places)
            request = answer.places[0].partition(" ")[0][1:]
            settle = Settle(ruling.rules.surface, request, answer.places, answer.stamp, failed)
            self._surface.door.settle_soon(settle)

    # ---- who and what ----

    def _rules(self, snapshot: Snapshot, scope: Scope, facts: Facts) -> RuleSet | None:
        method = scope.get("method", "GET")  # a websocket's handshake is a GET
        matcher = snapshot.matcher
        host = facts.get(b"host", b"").decode("latin-1") if matcher.by_host else ""
        preflight = method == "OPTIONS" and b"origin" in facts and b"access-control-request-method" in facts
        if not preflight and not scope.get("root_path"):
            key = (method, scope["path"], host)
            routes = snapshot.routes
            return routes[key] if key in routes else snapshot.route(key)
        paths = {scope["path"], routed(scope)}
        indexes = tuple(sorted({index for path in paths for index in matcher.rules(method, path, host)}))
        return snapshot.rule_set(matcher.names_options(indexes) if preflight else indexes)

    @staticmethod
    def _question(snapshot: Snapshot, rules: RuleSet, scope: Scope, facts: Facts, user: str | None) -> Question:
        host, port = scope.get("client") or _NOBODY
        forwarded = facts.get(b"x-forwarded-for", b"")
        # A port 0 is what uvicorn writes beside an address it took from the header.
        rewritten = port == 0 and forwarded != b""
        who: Who = (host, forwarded, rewritten, user, *[facts.get(name, b"") for name in rules.header_names])
        return rules.questions.get(who) or rules.question(who, snapshot.addresses, snapshot.identities)

    def _named(self, scope: Scope) -> str | Awaitable[str | None] | None:
        """A callable that fails names nobody: the request is then counted by its address, not let through."""
        if self._user is None:
            return user_of(scope)
        try:
            return self._user(scope)
        except Exception:
            self._failed()
            return None

    async def _awaited(self, user: Any) -> str | None:
        try:
            found: str | None = await user
        except Exception:
            self._failed()
            return None
        return found

    def _failed(self) -> None:
        if not self._warned:
            self._warned = True
            logger.exception("GateMiddleware's user= failed: counted by address; further failures are not logged")

    # ---- may it start ----

    async def _refused(
        self, snapshot: Snapshot, rules: RuleSet, question: Question, reply: Any, asked: tuple[Scope, Facts, bool]
    ) -> Ruling | None:
        scope, facts, last = asked
        answer = self._surface.door.answer(reply)
        if isinstance(answer, StaleRules):
            if last or not await self._surface.reload():
                return self._fallback(snapshot, rules, question, "the policy could not be read")
            fresh = self._surface.snapshot
            return None if fresh is None else await self.rule(fresh, scope, facts, last=True)
        assert isinstance(answer, Denied)  # noqa: S101
        if answer.gate == HttpGate.QUARANTINE:
            return self._fallback(snapshot, rules, question, "the store lost its memory and hears what runs")
        snapshot.denials.keep(question.rules, answer, time.monotonic(), refundable=rules.refundable)
        return self._denied(Ruling(snapshot, rules, question, "store"), answer)

    def _fallback(self, snapshot: Snapshot, rules: RuleSet, question: Question, why: str) -> Ruling:
        """The store is away, full or has lost its memory."""
        mode = snapshot.document.on_store_failure
        now = time.monotonic()
        if now >= self._told_until:
            self._told_until = now + AGAIN_SECONDS
            logger.warning("Decided without the store surface=%s onStoreFailure=%s: %s", rules.surface, mode, why)
        if mode == "Local":
            return self._local(snapshot, rules, question)
        ruling = Ruling(snapshot, rules, question, "open")
        enforced = [index for index, rule in rules.rules.items() if rule.mode == "Enforce"]
        if mode == "Allow" or not enforced:
            rules.count_allowed("open")
            return ruling
        for index in enforced:
            rules.count(index, Result.UNAVAILABLE, "open")
        ruling.refusal = reduced_capacity(None, retry_after(1000))
        return ruling

    def _local(self, snapshot: Snapshot, rules: RuleSet, question: Question) -> Ruling:
        answer = snapshot.local.admit(question.rules, time.monotonic_ns() // 1_000_000)
        ruling = Ruling(snapshot, rules, question, "local")
        if isinstance(answer, Denied):
            return self._denied(ruling, answer)
        ruling.allowed = answer
        self._shadowed(ruling, answer.shadowed)
        ruling.headers = rules.passed(flat(answer.states), "local")
        return ruling

    @staticmethod
    def _shadowed(ruling: Ruling, indexes: Iterable[int]) -> None:
        for index in indexes:
            ruling.rules.count(index, Result.SHADOWED, ruling.source)

    def _denied(self, ruling: Ruling, answer: Denied, elapsed_ms: int = 0) -> Ruling:
        rules = ruling.rules
        rules.count(answer.index, Result.DENIED, ruling.source)
        rule, identity = rules.rules[answer.index], dict(ruling.question.rules)[answer.index]
        if ruling.source != "store":
            self._surface.refused[rule.name] += 1
        retry_ms = max(0, answer.retry_ms - elapsed_ms)
        after = retry_after(retry_ms)
        limits = rules.denied_headers(answer, elapsed_ms, retry_ms)
        by_time = answer.gate in (HttpGate.RATE, HttpGate.BAN)
        ruling.refusal = (quota_exceeded if by_time else reduced_capacity)(rule.name, after, limits)
        self._log.refused(rules.surface, rule, identity, answer.gate, after, time.monotonic())
        return ruling


def unpolicied(surface: str) -> None:
    COUNTS.decision(surface, "", Result.UNPOLICIED, "open").value += 1
