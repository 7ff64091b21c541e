"""One leader among the replicas: a coordination.k8s.io Lease, held around everything that writes.

The client library's own election keeps renewing when its task has died and never releases, so this is our own. Safety
rests on two clocks that need not agree: the leader stops `deadline` after it *sent* its last successful renewal, others
take over `duration` after they *saw* it; both count on their own monotonic clock, and deadline < duration.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

import structlog

from headgate.control.ports import Kind, Manifest
from headgate.errors import ClusterError, Conflict
from headgate_operator.cluster import ApiServer, NotFound, path_of
from headgate_operator.events import microtime

LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A killed leader is followed at most `retry + duration` after its last renewal."""

    duration: float = 10.0
    renew: float = 3.0
    deadline: float = 7.0
    retry: float = 2.0


class LeaseLost(Exception):
    """The Lease could not be renewed in time, or somebody else holds it: stop at once, write nothing more."""


class Leadership:
    """`acquire` waits for the Lease, `hold` keeps it, `release` hands it on. `leading` is safe to ask at any time."""

    def __init__(
        self,
        api: ApiServer,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._path = path_of(LEASE, namespace, name)
        self._collection = path_of(LEASE, namespace)
        self._metadata = {"namespace": namespace, "name": name}
        self._identity = identity
        self._timing = timing or Timing()
        self._now = now
        self._lease: Manifest | None = None
        self._renewed_at = -math.inf
        self._observed: str | None = None
        self._observed_at = -math.inf
        self._free_at = math.inf
        self.seen_at = -math.inf
        """When the API server last answered about the Lease (monotonic seconds): the pulse of a follower."""

    @property
    def leading(self) -> bool:
        return self._now() - self._renewed_at < self._timing.deadline

    async def acquire(self) -> None:
        """Return once this process holds the Lease."""
        while True:
            try:
                if await self._try_to_take():
                    log.info("Leading", lease=self._metadata["name"], identity=self._identity)
                    return
            except ClusterError as error:
                log.warning("Cannot read the Lease", error=str(error))
            await asyncio.sleep(self._until_next_try())

    async def hold(self) -> NoReturn:
        """Renew until cancelled. Raises LeaseLost `deadline` after the last renewal, or as soon as it is known."""
        while True:
            await asyncio.sleep(self._timing.renew)
            while True:
                left = self._renewed_at + self._timing.deadline - self._now()
                if left <= 0:
                    raise LeaseLost(f"the Lease was not renewed within {self._timing.deadline:g} s")
                try:
                    async with asyncio.timeout(left):
                        await self._renew()
                    break
                except (ClusterError, TimeoutError) as error:
                    log.warning("Cannot renew the Lease", error=str(error) or "no answer", seconds_left=round(left, 1))
                    await asyncio.sleep(min(1.0, self._timing.retry))

    async def release(self) -> None:
        """Give the Lease up so that the next one need not wait; a failure only costs it that wait."""
        if not self.leading or self._lease is None:
            return
        self._renewed_at = -math.inf
        try:
            async with asyncio.timeout(self._timing.retry):
                await self._write(self._lease, holder="")
        except (ClusterError, TimeoutError) as error:
            log.warning("Cannot release the Lease", error=str(error) or "no answer")

    async def _try_to_take(self) -> bool:
        lease = await self._read()
        holder, promised = _holder_of(lease)
        record = lease["metadata"]["resourceVersion"] if lease else None
        if record != self._observed:
            self._observed, self._observed_at = record, self._now()
        if holder not in ("", self._identity) and self._now() < self._observed_at + promised:
            self._free_at = self._observed_at + promised
            return False
        try:
            await self._write(lease, holder=self._identity)
        except Conflict:
            return False
        return True

    async def _renew(self) -> None:
        try:
            await self._write(self._lease, holder=self._identity)
        except (Conflict, NotFound):
            # Either an earlier renewal arrived though its answer did not, or the Lease is somebody else's, or deleted.
            self._lease = await self._read()
            holder, _ = _holder_of(self._lease)
            if self._lease is not None and holder != self._identity:
                self._renewed_at = -math.inf
                raise LeaseLost(f"{holder or 'nobody'} holds the Lease now") from None
            await self._write(self._lease, holder=self._identity)

    async def _read(self) -> Manifest | None:
        try:
            lease: Manifest = await self._api.call("GET", self._path, resource=LEASE.plural, urgent=True)
        except NotFound:
            self.seen_at = self._now()
            return None
        self.seen_at = self._now()
        return lease

    async def _write(self, lease: Manifest | None, *, holder: str) -> None:
        sent = self._now()
        body = self._next(lease, holder)
        verb, path = ("PUT", self._path) if lease else ("POST", self._collection)
        self._lease = await self._api.call(verb, path, resource=LEASE.plural, body=body, urgent=True)
        self.seen_at = self._now()
        if holder:
            self._renewed_at = sent

    def _next(self, lease: Manifest | None, holder: str) -> Manifest:
        """The Lease with a new holder or a new renewTime; resourceVersion makes the write lose to any other."""
        now = microtime(datetime.now(UTC))
        old = lease.get("spec", {}) if lease else {}
        taken = holder != old.get("holderIdentity")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(self._timing.duration) if holder else 1,
            "acquireTime": now if taken else old.get("acquireTime", now),
            "renewTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0) + (1 if lease and holder and taken else 0),
        }
        metadata = dict(lease["metadata"]) if lease else dict(self._metadata)
        metadata.pop("managedFields", None)
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}

    def _until_next_try(self) -> float:
        """Soon enough to see a release, and not later than the moment at which the holder's promise ends."""
        left = self._free_at - self._now()
        return min(self._timing.retry, left) if left > 0 else self._timing.retry


def _holder_of(lease: Manifest | None) -> tuple[str, float]:
    """(identity, seconds it may stay silent); the identity is empty when nobody holds it."""
    spec = lease.get("spec", {}) if lease else {}
    return str(spec.get("holderIdentity") or ""), float(spec.get("leaseDurationSeconds") or 0)
