"""What the operator counts, for Prometheus. One object, passed in: no global registry."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from sys import intern
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from headgate_operator.families import Family

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds of one reconcile: five reads of a healthy API server take some 10 ms."""

Subject = tuple[str, str, str]
"""(kind, namespace, name) of a policy or budget."""


MOST_SHARED = 1_000


class Conditions:
    """What the status of every object last said: each condition as a line that is 1, its bound, since when held."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._seen: dict[Subject, tuple[tuple[str, str, str], ...]] = {}
        self._bounds: dict[Subject, int] = {}
        self._held_since: dict[Subject, float] = {}
        self._same: dict[tuple[tuple[str, str, str], ...], tuple[tuple[str, str, str], ...]] = {}

    def see(self, subject: Subject, status: Mapping[str, Any]) -> None:
        """`status` of an object, as read or written."""
        conditions: Iterable[Mapping[str, str]] = status.get("conditions", ())
        said = tuple((intern(each["type"]), intern(each["status"]), intern(each["reason"])) for each in conditions)
        if len(self._same) > MOST_SHARED:
            self._same.clear()
        self._seen[subject] = self._same.setdefault(said, said)  # most objects say the same
        if "capacity" in status:
            self._bounds[subject] = int(status["capacity"]["bound"])
        held = [each for each in conditions if each["type"] == "Throttled" and each["status"] == "True"]
        self._held_since.pop(subject, None)
        for each in held:
            self._held_since[subject] = datetime.fromisoformat(each["lastTransitionTime"]).timestamp()

    def forget(self, subject: Subject) -> None:
        self._seen.pop(subject, None)
        self._bounds.pop(subject, None)
        self._held_since.pop(subject, None)

    def keep_only(self, kind: str, namespace: str | None, alive: set[Subject]) -> None:
        """Drop what a LIST of this kind (of one namespace, or of all) no longer shows."""
        gone = [
            subject
            for subject in self._seen
            if subject[0] == kind and namespace in (None, subject[1]) and subject not in alive
        ]
        for subject in gone:
            self.forget(subject)

    def families(self) -> Iterator[Family]:
        family = Family(
            "headgate_status_condition",
            "1 for the status and reason that each condition of each object has now",
            ("kind", "namespace", "name", "type", "status", "reason"),
        )
        for subject, conditions in list(self._seen.items()):
            for condition in conditions:
                family.add([*subject, *condition], 1)
        yield family
        names = ("namespace", "name")
        bound = Family("headgate_queue_bound", "Most jobs of a queue that can run at once", names)
        for subject, value in list(self._bounds.items()):
            bound.add(subject[1:], value)
        yield bound
        held = Family(
            "headgate_queue_held_seconds",
            "For how long some gate has held jobs of a queue back, 0 when none does",
            names,
        )
        for subject in self._bounds:
            since = self._held_since.get(subject)
            held.add(subject[1:], max(0.0, self._now() - since) if since else 0.0)
        yield held


class Metrics:
    """Every series that `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.reconciles = Counter(
            "headgate_reconcile", "Reconciles by result", ["kind", "result"], registry=self.registry
        )
        self.reconcile_seconds = Histogram(
            "headgate_reconcile_duration_seconds",
            "Seconds of one reconcile",
            ["kind"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.leader = Gauge("headgate_leader", "1 while this process holds the Lease", registry=self.registry)
        self.drift_corrected = Counter(
            "headgate_drift_corrected",
            "Children that somebody else had changed or deleted",
            ["kind"],
            registry=self.registry,
        )
        self.scalings = Counter(
            "headgate_scalings",
            "Times that autoscaling wrote workers.replicas",
            ["namespace", "name", "direction"],
            registry=self.registry,
        )
        self.api_requests = Counter(
            "headgate_api_requests",
            "Calls to the API server by what it answered",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.store_up = Gauge(
            "headgate_store_up",
            "1 when the store answered the last time it was asked",
            ["store"],
            registry=self.registry,
        )
        self.quarantines = Counter(
            "headgate_store_quarantines",
            "Times that a store lost data or its clock stepped back",
            ["store"],
            registry=self.registry,
        )
        self.conditions = Conditions()
        self.tables: list[Callable[[], Iterator[Family]]] = [self.conditions.families]
        """What has a line for each object."""

    def watch_queue(self, depth: Callable[[], float], oldest_seconds: Callable[[], float]) -> None:
        """Read the work queue's figures whenever somebody looks at the metrics."""
        self._function("headgate_workqueue_depth", "Keys that wait for a reconcile", depth)
        self._function("headgate_workqueue_oldest_seconds", "Age of the key that waits longest", oldest_seconds)

    def _function(self, name: str, text: str, read: Callable[[], float]) -> None:
        Gauge(name, text, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """The text format of `/metrics`."""
        lines = [line for table in self.tables for family in table() for line in family]
        return generate_latest(self.registry) + "".join(lines).encode()
