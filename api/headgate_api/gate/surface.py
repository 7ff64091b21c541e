"""The policy in force and this process's places, kept in step with the store in the background."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from contextlib import suppress

from pydantic import ValidationError

from headgate.errors import HeadgateError
from headgate.gates.http import RequestsBeat, RequestsRenewal
from headgate.gates.http_door import HttpDoor
from headgate.gates.verbs import RENEW_MS
from headgate.model.documents import HttpDocument
from headgate_api.gate.identity import SECRET_BYTES
from headgate_api.gate.local import LocalLimits
from headgate_api.gate.sampling import Sampling
from headgate_api.gate.snapshot import Snapshot
from headgate_api.gate.store_url import StoreUrl

FIRST_LOOK_SECONDS = 0.3
"""How long the first request of a process may wait for the policy."""

ANSWER_SECONDS = 1.0

logger = logging.getLogger("headgate.gate")


class Surface:
    """One surface in one process. `snapshot` is None while no policy was found and the application declares none.

    What was read last stays in force while the store is away or holds what cannot be read.
    """

    def __init__(self, surface: str, url: StoreUrl, prefix: str, pod: str, default: HttpDocument | None) -> None:
        self.name = surface
        self._url, self._prefix, self._pod, self._default = url, prefix, pod, default
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self.instance = f"{pod}-{secrets.token_hex(3)}"
        self._instance = self.instance.encode()
        self.places: set[str] = set()
        self.refused: Counter[str] = Counter()
        """By rule, since the last beat: what was refused here without asking the store."""
        self._instances = 1
        """Live processes of this surface as the store last counted them: local limits are shared among so many."""
        self.snapshot: Snapshot | None = self._snapshot(0, default) if default else None
        self.loop: asyncio.AbstractEventLoop | None = None
        """In which the policy was looked for: until then nobody may take a missing snapshot for a missing policy."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._requests = 0
        self.sampling = Sampling(surface, self.instance, pod)
        self._read = False
        self._loading: asyncio.Task[bool] | None = None
        self._tending: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        return self.snapshot.revision if self.snapshot is not None else 0

    def request_id(self) -> bytes:
        self._requests += 1
        return b"%b:%d" % (self._instance, self._requests)

    async def enter(self) -> Snapshot | None:
        """For the first request or the start of the application, in each event loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self.loop = loop, None
            self._dialled = self._url.now()
            self.door = HttpDoor(self._dialled, self._prefix)
            self.places.clear()
            self._loading = None
            self._tending = loop.create_task(self._tend())
        if not self._read:
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK_SECONDS):
                    await self.reload()
        self.loop = loop
        return self.snapshot

    async def leave(self) -> None:
        """The application ends: say goodbye, so that its places are free at once."""
        if self._loop is not asyncio.get_running_loop():
            return
        self._loop = self.loop = None
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        await self.sampling.goodbye(self.door)
        with suppress(HeadgateError):
            await self.door.drain()
            await self._beat()
            await self.door.renew_requests(RequestsBeat(self.instance, self._pod, {}, ()))
        await self.door.close()

    async def reload(self) -> bool:
        """Read the policy, once for all who ask meanwhile. False: it could not be read."""
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)

    def _loaded(self, task: asyncio.Task[bool]) -> None:
        if self._loading is task:
            self._loading = None

    async def _load(self) -> bool:
        try:
            secret = await self.door.http_secret(self._secret)
            found = await self.door.read_http(self.name)
        except (HeadgateError, ValidationError) as fault:
            logger.warning("Policy not read surface=%s revision=%d: %s", self.name, self.revision, _line(fault))
            return False
        self._read = True
        revision, document = found or (0, self._default)
        known = self.snapshot
        changed = secret != self._secret or revision != self.revision
        self._secret = secret
        if document is None:
            self.snapshot = None
        elif changed or known is None or known.document != document:  # another store counts revisions anew
            self.snapshot = self._snapshot(revision, document)
            logger.info("Policy in force surface=%s revision=%d rules=%d", self.name, revision, len(document.rules))
        return True

    def _snapshot(self, revision: int, document: HttpDocument) -> Snapshot:
        local = LocalLimits(document)
        if revision:
            local.share(self._instances)
        return Snapshot(revision, document, self._secret, local)

    async def _tend(self) -> None:
        """Renew every `RENEW_MS`; read again what changed; say each minute what this process uses."""
        try:
            while True:
                await self._follow()
                await self._renew_once()
                await self.sampling.look(self.door)
                await asyncio.sleep(RENEW_MS / 1000)
        finally:
            if self._loop is not None:  # nobody said that the application ends: its loop just does
                self.door.abort()

    async def _follow(self) -> None:
        """To where the store is now; what was asked at its old address has a second to be answered there."""
        url = self._url.now()
        if url == self._dialled:
            return
        logger.info("Store address changed surface=%s", self.name)
        old, self.door, self._dialled = self.door, HttpDoor(url, self._prefix), url
        self._read = False
        try:
            await asyncio.sleep(ANSWER_SECONDS)
            with suppress(HeadgateError):
                await old.drain()
        finally:
            old.abort()

    async def _renew_once(self) -> None:
        try:
            await self._renew()
        except HeadgateError as fault:
            logger.debug("Not renewed surface=%s: %s", self.name, _line(fault))
        except Exception:
            logger.exception("Not renewed surface=%s", self.name)

    async def _renew(self) -> None:
        if not self._read:
            await self.reload()
        renewal = await self._beat()
        secret = await self.door.http_secret(self._secret)
        if renewal.revisions.get(self.name, 0) != self.revision or secret != self._secret:
            await self.reload()
            await self._beat()  # whoever published waits to hear that it is in use

    async def _beat(self) -> RequestsRenewal:
        rules = {rule.name for rule in self.snapshot.document.rules} if self.revision and self.snapshot else set()
        said = {rule: count for rule, count in self.refused.items() if rule in rules}
        refused = {(self.name, rule): count for rule, count in said.items()}
        beat = RequestsBeat(self.instance, self._pod, {self.name: self.revision}, tuple(self.places), refused)
        renewal = await self.door.renew_requests(beat)
        self._instances = max(1, renewal.instances.get(self.name, 1))
        if self.revision and self.snapshot is not None:
            self.snapshot.local.share(self._instances)
        if renewal.revisions.get(self.name, 0) == beat.surfaces[self.name]:
            self.refused.subtract(said)
            self.refused = Counter({rule: count for rule, count in self.refused.items() if count > 0 and rule in rules})
        return renewal  # else: they wait for the revision that has to be read first


def _line(fault: Exception) -> str:
    return str(fault).partition("\n")[0]
