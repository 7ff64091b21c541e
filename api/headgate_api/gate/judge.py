"""Decides about one request: a refusal still in force, the store, or what the policy says for when it is away."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from headgate.errors import HeadgateError
from headgate.gates.http import Admit, Allowed, Denied, HttpGate, Settle, StaleRules
from headgate_api.gate.denials import Asked
from headgate_api.gate.headers import Header, retry_after
from headgate_api.gate.matching import routed
from headgate_api.gate.metrics import COUNTS, Result, Source
from headgate_api.gate.problems import Refusal, quota_exceeded, reduced_capacity
from headgate_api.gate.refusal_log import RefusalLog
from headgate_api.gate.ruleset import Facts, RuleSet, user_of
from headgate_api.gate.snapshot import Snapshot
from headgate_api.gate.surface import Surface

Scope = MutableMapping[str, Any]
User = Callable[[Scope], str | Awaitable[str | None] | None]
"""Names the verified user of a request; None when there is none."""

logger = logging.getLogger("headgate.gate")


@dataclass(slots=True)
class Ruling:
    """`answer` None: nobody could be asked. `refusal` None: it may start."""

    snapshot: Snapshot
    rules: RuleSet
    asked: Asked
    request: str
    answer: Allowed | Denied | None
    source: Source
    refusal: Refusal | None = None
    headers: tuple[Header, ...] = ()


class Judge:
    def __init__(self, surface: Surface, user: User | None) -> None:
        self._surface, self._user = surface, user
        self._log = RefusalLog()
        self._warned = False

    async def rule(self, snapshot: Snapshot | None, scope: Scope, facts: Facts) -> Ruling | None:
        """None: no rule applies."""
        for last in (False, True):
            if snapshot is None:
                return None
            rules = self._rules(snapshot, scope, facts)
            if rules is None:
                return None
            ruling = await self._decide(snapshot, rules, await self._asked(snapshot, rules, scope, facts), last)
            if ruling is not None:
                return ruling
            snapshot = self._surface.snapshot
        return None

    def settle(self, ruling: Ruling, *, failed: bool) -> None:
        """It ended: give its places back, and forget it where only failures count."""
        answer, rules = ruling.answer, ruling.rules
        if not isinstance(answer, Allowed) or not rules.settles:
            return
        if ruling.source == "local":
            ruling.snapshot.local.settle(ruling.asked, answer, failed=failed)
            return
        self._surface.places.difference_update(answer.places)
        if answer.places:
            self._surface.door.settle_soon(
                Settle(rules.surface, ruling.request, ruling.asked, answer.places, answer.stamp, failed)
            )

    # ---- who and what ----

    def _rules(self, snapshot: Snapshot, scope: Scope, facts: Facts) -> RuleSet | None:
        method = scope.get("method", "GET")  # a websocket's handshake is a GET
        matcher = snapshot.matcher
        host = facts.get(b"host", b"").decode("latin-1") if matcher.by_host else ""
        path = routed(scope)
        indexes = matcher.rules(method, path, host)
        if scope.get("root_path") and path != scope["path"]:
            indexes = tuple(sorted({*indexes, *matcher.rules(method, scope["path"], host)}))
        if method == "OPTIONS" and b"origin" in facts and b"access-control-request-method" in facts:
            indexes = matcher.names_options(indexes)
        return snapshot.rule_set(indexes) if indexes else None

    async def _asked(self, snapshot: Snapshot, rules: RuleSet, scope: Scope, facts: Facts) -> Asked:
        peer = scope.get("client")
        forwarded = facts.get(b"x-forwarded-for", b"")
        # A port 0 is what uvicorn writes beside an address it took from the header.
        rewritten = bool(forwarded) and peer is not None and peer[1] == 0
        address = snapshot.addresses.client(peer[0] if peer else None, forwarded, rewritten=rewritten)
        user = await self._user_of(scope) if rules.by_user else None
        return rules.asked(snapshot.identities, address, user, facts)

    async def _user_of(self, scope: Scope) -> str | None:
        """A callable that fails names nobody: the request is then counted by its address, not let through."""
        if self._user is None:
            return user_of(scope)
        try:
            user = self._user(scope)
            return await user if inspect.isawaitable(user) else user
        except Exception:
            if not self._warned:
                self._warned = True
                logger.exception("GateMiddleware's user= failed: counted by address; further failures are not logged")
            return None

    # ---- may it start ----

    async def _decide(self, snapshot: Snapshot, rules: RuleSet, asked: Asked, last: bool) -> Ruling | None:
        """None: the policy changed meanwhile, and what applies must be found again."""
        surface = self._surface
        if snapshot.denials:
            now = time.monotonic()
            denial = snapshot.denials.find(asked, now)
            if denial is not None:
                elapsed = int((now - denial.at) * 1000)
                ruling = Ruling(snapshot, rules, asked, "", denial.answer, "cache")
                return self._denied(ruling, denial.answer, elapsed)
        request = surface.request_id()
        if snapshot.revision == 0:
            return self._local(snapshot, rules, asked, request)
        try:
            answer = await surface.door.admit(Admit(surface.name, snapshot.revision, surface.instance, request, asked))
        except HeadgateError:
            return self._fallback(snapshot, rules, asked, request)
        if isinstance(answer, Allowed):
            return self._allowed(Ruling(snapshot, rules, asked, request, answer, "store"), answer)
        if isinstance(answer, StaleRules):
            if last or not await surface.reload():
                return self._fallback(snapshot, rules, asked, request)
            return None
        if answer.gate == HttpGate.QUARANTINE:
            return self._fallback(snapshot, rules, asked, request)
        snapshot.denials.keep(asked, answer, time.monotonic(), refundable=rules.refundable)
        return self._denied(Ruling(snapshot, rules, asked, request, answer, "store"), answer)

    def _fallback(self, snapshot: Snapshot, rules: RuleSet, asked: Asked, request: str) -> Ruling:
        mode = snapshot.document.on_store_failure
        if mode == "Local":
            return self._local(snapshot, rules, asked, request)
        ruling = Ruling(snapshot, rules, asked, request, None, "open")
        if mode == "Allow":
            rules.count_allowed("open")
            return ruling
        enforced = [index for index, rule in rules.rules.items() if rule.mode == "Enforce"]
        for index in enforced:
            rules.count(index, Result.UNAVAILABLE, "open")
        if enforced:
            ruling.refusal = reduced_capacity(None, retry_after(1000))
        return ruling

    def _local(self, snapshot: Snapshot, rules: RuleSet, asked: Asked, request: str) -> Ruling:
        answer = snapshot.local.admit(asked, time.monotonic_ns() // 1_000_000)
        ruling = Ruling(snapshot, rules, asked, request, answer, "local")
        return self._allowed(ruling, answer) if isinstance(answer, Allowed) else self._denied(ruling, answer)

    def _allowed(self, ruling: Ruling, answer: Allowed) -> Ruling:
        rules = ruling.rules
        rules.count_allowed(ruling.source)
        for index in answer.shadowed:
            rules.count(index, Result.SHADOWED, ruling.source)
        if answer.places and ruling.source == "store":
            self._surface.places.update(answer.places)
        ruling.headers = rules.allowed_headers(answer.states)
        return ruling

    def _denied(self, ruling: Ruling, answer: Denied, elapsed_ms: int = 0) -> Ruling:
        rules = ruling.rules
        rules.count(answer.index, Result.DENIED, ruling.source)
        rule, identity = rules.rules[answer.index], dict(ruling.asked)[answer.index]
        retry_ms = max(0, answer.retry_ms - elapsed_ms)
        after = retry_after(retry_ms)
        limits = rules.denied_headers(answer, elapsed_ms, retry_ms)
        by_time = answer.gate in (HttpGate.RATE, HttpGate.BAN)
        ruling.refusal = (quota_exceeded if by_time else reduced_capacity)(rule.name, after, limits)
        self._log.refused(rules.surface, rule, identity, answer.gate, after, time.monotonic())
        return ruling


def unpolicied(surface: str) -> None:
    COUNTS.decision(surface, "", Result.UNPOLICIED, "open").value += 1
