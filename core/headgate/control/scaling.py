"""How many workers a queue wants: numbers in, a number out. No clock, no cluster, no store."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from headgate.model.queue_policy import Autoscaling

SILENCE_SECONDS = 30.0
"""Nobody looked for so long: what was seen before says nothing about the time between."""


@dataclass(frozen=True, slots=True)
class Need:
    """Of one queue now. `waiting`: queued and due, 0 while it is stopped. `bound`: most jobs that its gates let run."""

    running: int
    waiting: int
    per_worker: int
    bound: int


def recommended(rules: Autoscaling, need: Need) -> int:
    """Enough for the jobs there are, no more than can have work by the gates, never fewer than what runs needs.

    minReplicas and maxReplicas have the last word.
    """
    by_jobs = ceil((need.running + need.waiting) / (rules.target_backlog_per_slot * need.per_worker))
    useful = ceil(need.bound / need.per_worker)
    for_running = ceil(need.running / need.per_worker)
    return max(rules.min_replicas, min(rules.max_replicas, max(min(by_jobs, useful), for_running)))


@dataclass(slots=True)
class Stabilization:
    """More workers at once; fewer only when nothing in the whole window asked for more (as a HorizontalPodAutoscaler).

    Times are monotonic seconds. A fresh one has seen nothing yet, so the first window passes without a scale-in.
    """

    _began: float = float("inf")
    _looked: float = float("-inf")
    _highest: deque[tuple[float, int]] = field(default_factory=deque)
    """Each lower than all before it: the first is the highest of the window."""

    def settled(self, replicas: int, wanted: int, now: float, window: float) -> int:
        """The number to have now, `replicas` being the one there is."""
        if now - self._looked > SILENCE_SECONDS:
            self._began = now
            self._highest.clear()
        self._looked = now
        while self._highest and self._highest[-1][1] <= wanted:
            self._highest.pop()
        self._highest.append((now, wanted))
        while self._highest[0][0] < now - window:
            self._highest.popleft()
        if wanted >= replicas:
            return wanted
        return min(replicas, self._highest[0][1]) if now - self._began >= window else replicas
