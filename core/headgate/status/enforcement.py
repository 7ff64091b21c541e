"""Enforced: the store holds this spec, and every worker or API process that must act says it has it in use.

Limits themselves need no word from a process: they are read in the step that starts a job or request. What a process
holds does: slots, functions, payload rule, deadline; matchers, timeouts, trusted proxies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.gates.verbs import Instance
from headgate.status import reasons
from headgate.status.conditions import Verdict


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Of the pods, or API processes, that must act (`expected`), so many have `revision` in use."""

    revision: int
    expected: int
    acknowledged: int

    def as_status(self) -> dict[str, int | str]:
        return {
            "revision": self.revision,
            "expected": self.expected,
            "acknowledged": self.acknowledged,
            "summary": f"{self.acknowledged}/{self.expected}",
        }


def acknowledged(revision: int, instances: Sequence[Instance], ready_pods: Sequence[str] | int) -> Acknowledged:
    """Ready pods must act, and so must whoever still renews: a terminating pod finishes its jobs.

    `ready_pods` by name, or their number where nothing suggests that they are others than the instances.
    """
    # A restarted container is a new instance of the same pod: the one that renewed last counts.
    renewing = {one.pod: one.revision for one in sorted(instances, key=lambda one: one.renewed_at)}
    expected = max(len(renewing), ready_pods if isinstance(ready_pods, int) else len(renewing.keys() | set(ready_pods)))
    return Acknowledged(revision, expected, sum(in_use == revision for in_use in renewing.values()))


@dataclass(frozen=True, slots=True)
class Publication:
    """Whether the store holds this spec; `problem` says why not. `reachable`: it answered within 15 s."""

    revision: int
    held: bool
    reachable: bool = True
    problem: str = ""


def enforced(
    publication: Publication, count: Acknowledged, *, shadow: bool, foreign_workers: Sequence[str] = ()
) -> Verdict:
    """Of a queue."""
    if missing := _not_held(publication):
        return missing
    if foreign_workers:
        names = ", ".join(sorted(foreign_workers)[:5])
        return Verdict(
            reasons.FOREIGN_WORKERS, f"{names}: not Headgate's, passes every gate of this queue by; stop it."
        )
    if shadow:
        return Verdict(reasons.SHADOW)
    if count.expected == 0:
        return Verdict(reasons.NO_INSTANCES)
    return _taken(count, "workers")


def _not_held(publication: Publication) -> Verdict | None:
    if not publication.reachable:
        return Verdict(reasons.STORE_UNREACHABLE, publication.problem)
    return None if publication.held else Verdict(reasons.NOT_PUBLISHED, publication.problem)


def _taken(count: Acknowledged, who: str) -> Verdict:
    words = f"{count.acknowledged} of {count.expected} {who} have revision {count.revision} in use."
    if count.acknowledged < count.expected:
        return Verdict(reasons.PARTIALLY_ACKNOWLEDGED, words)
    return Verdict(reasons.ALL_ACKNOWLEDGED, words)


def enforced_surface(publication: Publication, count: Acknowledged, surface: str) -> Verdict:
    """Of an HTTP surface. `count.expected`: the API processes that renew for it."""
    missing = _not_held(publication)
    if missing or count.expected:
        return missing or _taken(count, "API processes")
    return Verdict(reasons.NO_INSTANCES, f"The store holds this spec; no API process serves surface {surface} now.")


def enforced_budget(publication: Publication, members: int) -> Verdict:
    return _not_held(publication) or Verdict(reasons.PUBLISHED if members else reasons.UNREFERENCED)
