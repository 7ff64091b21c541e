"""Requests that a proxy asks about: judged as the middleware does, settled by a report or when their time is over."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from headgate.gates.http import PROXY_INSTANCE, Settle
from headgate_api.adapters import Original
from headgate_api.gate.judge import Judge, Ruling, Scope
from headgate_api.gate.matching import candidates
from headgate_api.gate.ruleset import Facts, RuleSet
from headgate_api.gate.snapshot import Snapshot
from headgate_api.gate.surface import Surface
from headgate_api.problems import Problem
from headgate_api.settings import Settings

MOST_SURFACES = 64
_PURPOSE = b"headgate report id"


class ProxyJudge(Judge):
    """Knows only the target as it was sent: every rule applies that applies to any reading of it."""

    def _rules(self, snapshot: Snapshot, scope: Scope, facts: Facts) -> RuleSet | None:
        host = facts.get(b"host", b"").decode("latin-1")
        indexes = snapshot.matcher.union(scope["method"], candidates(scope["path"]), host)
        if scope["method"] == "OPTIONS" and b"origin" in facts and b"access-control-request-method" in facts:
            indexes = snapshot.matcher.names_options(indexes)
        return snapshot.rule_set(indexes) if indexes else None


@dataclass(frozen=True, slots=True)
class Checked:
    """`ruling` None: no rule applies. `report`: the id to report with, "" when nothing is to be reported."""

    ruling: Ruling | None
    report: str = ""


class Proxies:
    """One judge a surface, made when a proxy first asks for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._judges: dict[tuple[str, bool], tuple[Surface, ProxyJudge]] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}

    async def check(self, surface: str, asked: Original, headers: Iterable[tuple[bytes, bytes]]) -> Checked:
        found, judge = self._judge(surface, asked.reports)
        snapshot = await self._snapshot(found)
        if snapshot is None:
            return Checked(None)
        facts = {**snapshot.facts(headers), b"host": asked.host.encode("latin-1", "replace")}
        facts.pop(b"x-forwarded-for", None)
        if asked.forwarded:
            facts[b"x-forwarded-for"] = asked.forwarded
        scope = {"type": "http", "method": asked.method, "path": asked.target, "client": (asked.peer or None, 1)}
        ruling = await judge.rule(snapshot, scope, facts)
        if ruling is None or ruling.allowed is None or ruling.refusal is not None:
            return Checked(ruling)
        return Checked(ruling, self._expect_end(judge, ruling, asked.reports))

    @staticmethod
    async def _snapshot(surface: Surface) -> Snapshot | None:
        """None when nothing is published, or the store did not answer while everybody waited for the first look."""
        return surface.snapshot if surface.loop is asyncio.get_running_loop() else await surface.enter()

    async def settle(self, report: str, failed: bool, taken: Any) -> int:
        """`taken(digest, seconds)`: False when this id was reported before. Places given back and starts refunded."""
        surface, settle = await self._open(report, failed)
        digest = hashlib.sha256(report.encode()).hexdigest()[:32]
        if not await taken(digest):
            raise Problem(409, "This report was taken already.")
        timer = self._ends.pop(report, None)
        if timer is not None:
            timer.cancel()
        surface.places.difference_update(settle.places)
        return await surface.door.settle([settle])

    async def close(self) -> None:
        for timer in self._ends.values():
            timer.cancel()
        for surface, _ in self._judges.values():
            await surface.leave()

    def _judge(self, name: str, reports: bool) -> tuple[Surface, ProxyJudge]:
        """The name of the instance tells the operator whether ends are reported: some rules need them."""
        key = (name, reports)
        if key not in self._judges:
            if len(self._judges) >= MOST_SURFACES:
                raise Problem(403, f"This process already checks {MOST_SURFACES} surfaces.")
            settings = self._settings
            pod = settings.pod if reports else f"{PROXY_INSTANCE}{settings.pod}"
            surface = Surface(name, settings.store_url, settings.prefix, pod, None)
            self._judges[key] = (surface, ProxyJudge(surface, None))
        return self._judges[key]

    # ---- reports ----

    def _expect_end(self, judge: ProxyJudge, ruling: Ruling, reports: bool) -> str:
        """What is not reported in time counts as failed, and its places come free."""
        allowed = ruling.allowed
        if allowed is None or not allowed.places or ruling.source != "store":
            return ""
        request = allowed.places[0].partition(" ")[0][1:]
        settle = Settle(ruling.rules.surface, request, allowed.places, allowed.stamp, True)
        report = self._sign(settle, ruling.snapshot)
        seconds = ruling.snapshot.document.request_timeout_seconds
        loop = asyncio.get_running_loop()
        self._ends[report] = loop.call_later(seconds, self._overdue, report, judge, ruling)
        return report if reports else ""

    def _overdue(self, report: str, judge: ProxyJudge, ruling: Ruling) -> None:
        self._ends.pop(report, None)
        judge.settle(ruling, failed=True)

    def _sign(self, settle: Settle, snapshot: Snapshot) -> str:
        """The whole of what is to be settled, so that any replica can: nothing is looked up."""
        return signed({**asdict(settle), "salt": secrets.token_hex(4)}, snapshot.identities.secret)

    async def _open(self, report: str, failed: bool) -> tuple[Surface, Settle]:
        body, _, mac = report.partition(".")
        try:
            content: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(body.encode() + b"=" * (-len(body) % 4)))
            surface = self._judge(str(content["surface"]), True)[0] if isinstance(content, dict) else None
        except (ValueError, KeyError, binascii.Error, UnicodeEncodeError, RecursionError):
            surface = None
        snapshot = await self._snapshot(surface) if surface else None
        if surface is None or snapshot is None:
            raise Problem(404, "No request is known by this id.")
        if not _is_mac(mac, snapshot.identities.secret, body.encode()):
            raise Problem(404, "No request is known by this id.")
        try:
            settle = Settle(content["surface"], content["request"], tuple(content["places"]), content["stamp"], failed)
        except (KeyError, TypeError) as error:
            raise Problem(
                404, "Another version of headgate-api made this id: its places lapse by themselves."
            ) from error
        return surface, settle


def signed(content: Mapping[str, Any], secret: bytes) -> str:
    """A report's id: what is to be settled, and that we said so."""
    body = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).rstrip(b"=")
    return f"{body.decode()}.{_mac(secret, body)}"


def _mac(secret: bytes, body: bytes) -> str:
    return hmac.digest(hmac.digest(secret, _PURPOSE, "sha256"), body, "sha256").hex()[:32]


def _is_mac(mac: str, secret: bytes, body: bytes) -> bool:
    return hmac.compare_digest(_mac(secret, body).encode(), mac.encode("ascii", "replace"))
