"""WorkersReady, Enforced, Degraded, Throttled: every row of the condition table."""

from dataclasses import replace
from typing import Any

import pytest

from headgate.gates.verbs import Instance, QueueState, StoreState
from headgate.status.degraded import Troubles, degraded
from headgate.status.enforcement import Acknowledged, Publication, acknowledged, enforced, enforced_budget
from headgate.status.throttled import Memory, noticed, remembered, verdict
from headgate.status.workers import workers_ready

QUEUE = QueueState("q", 7, None, 0, 0, 0, (), (), (), "", None)
STORE = StoreState(1_000, "e", 1, 0, {"q": QUEUE}, {}, {})


def deployment(
    wanted: int = 2, *, generation: int = 1, conditions: tuple[Any, ...] = (), **status: int
) -> dict[str, Any]:
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": 1, "conditions": list(conditions), **status},
    }


def condition(type_: str, status: str, message: str) -> dict[str, str]:
    return {"type": type_, "status": status, "message": message}


QUOTA = condition("ReplicaFailure", "True", 'pods "x" is forbidden: exceeded quota: small')
REFUSED = condition("ReplicaFailure", "True", "violates PodSecurity")
STUCK = condition("Progressing", "False", "ReplicaSet has timed out progressing.")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (deployment(availableReplicas=2), "MinimumAvailable"),
        (deployment(availableReplicas=3), "MinimumAvailable"),
        (deployment(availableReplicas=1), "Progressing"),
        (deployment(), "Progressing"),
        (deployment(generation=2, availableReplicas=2), "Progressing"),
        (deployment(0), "ScaledToZero"),
        (deployment(conditions=(QUOTA,)), "QuotaExceeded"),
        (deployment(conditions=(REFUSED,)), "Unavailable"),
        (deployment(availableReplicas=1, conditions=(STUCK,)), "Unavailable"),
        ({"metadata": {"generation": 1}, "spec": {"replicas": 1}}, "Progressing"),
        (None, "NotReconciled"),
    ],
)
def test_workers_ready(found: dict[str, Any] | None, reason: str) -> None:
    """By the Deployment's own numbers, observed ones only."""
    assert workers_ready(found).reason.name == reason


def test_a_foreign_object_is_named() -> None:
    """It goes before whatever the foreign Deployment says of itself."""
    found = workers_ready(deployment(availableReplicas=2), foreign="Deployment mail/a-worker is not ours")
    assert (found.reason.name, found.text) == ("NotOwned", "Deployment mail/a-worker is not ours")


def instance(pod: str, revision: int, renewed_at: int = 0) -> Instance:
    return Instance(f"{pod}-{renewed_at}", pod, "q", revision, 3, 0, renewed_at)


@pytest.mark.parametrize(
    ("instances", "ready_pods", "summary"),
    [
        ([instance("a", 7), instance("b", 7)], 2, "2/2"),
        ([instance("a", 7), instance("b", 6)], 2, "1/2"),
        ([instance("a", 7)], 2, "1/2"),
        ([], 0, "0/0"),
        ([instance("a", 7), instance("old", 6)], 1, "1/2"),
        ([instance("old", 7)], ["a"], "1/2"),
        ([instance("a", 7), instance("old", 7)], ["a"], "2/2"),
        ([instance("a", 6, 1), instance("a", 7, 2)], 1, "1/1"),
    ],
)
def test_who_must_acknowledge(instances: list[Instance], ready_pods: list[str] | int, summary: str) -> None:
    """Ready pods and whoever still renews; a restarted container counts once, as it is now."""
    assert acknowledged(7, instances, ready_pods).as_status()["summary"] == summary


HELD = Publication(7, held=True)


@pytest.mark.parametrize(
    ("publication", "count", "options", "reason"),
    [
        (HELD, (2, 2), {}, "AllAcknowledged"),
        (HELD, (2, 1), {}, "PartiallyAcknowledged"),
        (HELD, (0, 0), {}, "NoInstances"),
        (HELD, (2, 2), {"shadow": True}, "Shadow"),
        (HELD, (2, 2), {"foreign_workers": ("old.1",), "shadow": True}, "ForeignWorkers"),
        (replace(HELD, held=False), (2, 2), {"foreign_workers": ("old.1",)}, "NotPublished"),
        (replace(HELD, reachable=False), (2, 2), {}, "StoreUnreachable"),
    ],
)
def test_enforced(publication: Publication, count: tuple[int, int], options: dict[str, Any], reason: str) -> None:
    """The gravest reason first."""
    assert enforced(publication, Acknowledged(7, *count), **{"shadow": False} | options).reason.name == reason


@pytest.mark.parametrize(
    ("publication", "members", "reason"),
    [
        (HELD, 2, "Published"),
        (HELD, 0, "Unreferenced"),
        (replace(HELD, held=False), 2, "NotPublished"),
        (replace(HELD, reachable=False), 2, "StoreUnreachable"),
    ],
)
def test_enforced_budget(publication: Publication, members: int, reason: str) -> None:
    """Nobody acknowledges a budget: it is read in the script."""
    assert enforced_budget(publication, members).reason.name == reason


@pytest.mark.parametrize(
    ("troubles", "store", "queue", "reason"),
    [
        (Troubles(unsuitable="maxmemory-policy evicts"), STORE, QUEUE, "StoreEvicts"),
        (Troubles(drifting="Deployment a"), replace(STORE, quarantine_until=2_000), QUEUE, "Quarantine"),
        (Troubles(drifting="Deployment a"), STORE, QUEUE, "DriftFight"),
        (Troubles(), STORE, replace(QUEUE, poison=2, due=1), "PoisonJobs"),
        (Troubles(), STORE, replace(QUEUE, due=1), "NoScheduler"),
        (Troubles(), STORE, replace(QUEUE, due=1, instances=(instance("a", 7),)), "AsExpected"),
        (Troubles(), replace(STORE, quarantine_until=1_000), QUEUE, "AsExpected"),
        (Troubles(), None, None, "AsExpected"),
    ],
)
def test_degraded(troubles: Troubles, store: StoreState | None, queue: QueueState | None, reason: str) -> None:
    """The gravest reason first."""
    assert degraded(troubles, store, queue).reason.name == reason


def told(looks: list[tuple[float, str]], memory: Memory | None = None) -> list[str]:
    """The reasons after each look, repeats left out."""
    memory, said = memory or Memory(), [""]
    for now, blocked_by in looks:
        memory = noticed(memory, blocked_by, now)
        said += [name for name in [verdict(memory).reason.name] if name != said[-1]]
    return said[1:]


def test_a_queue_that_breathes_at_its_limit_is_told_once() -> None:
    """Blocked and free every five seconds for ten minutes: one write."""
    looks = [(float(now), "concurrency.total" if now % 10 else "") for now in range(5, 600, 5)]
    assert told(looks) == ["ConcurrencyTotal"]


def test_it_is_free_after_a_minute_without_a_block() -> None:
    """Not earlier."""
    looks = [(0.0, "rate.total"), (59.0, ""), (60.0, "")]
    assert told(looks[:2]) == ["RateTotal"]
    assert told(looks) == ["RateTotal", "Free"]


def test_another_reason_waits_a_minute_but_a_person_does_not() -> None:
    """A gate that follows another is told after 60 s; Hold and its end at once."""
    assert told([(0.0, "rate.total"), (30.0, "budget/mail/p"), (59.0, "budget/mail/p")]) == ["RateTotal"]
    assert told([(0.0, "rate.total"), (30.0, "budget/mail/p"), (60.0, "budget/mail/p")]) == ["RateTotal", "Budget"]
    assert told([(0.0, "rate.total"), (1.0, "stop"), (2.0, "")]) == ["RateTotal", "Held", "Free"]


@pytest.mark.parametrize(
    ("blocker", "reason"),
    [
        ("stop", "Held"),
        ("concurrency.total", "ConcurrencyTotal"),
        ("rate.total", "RateTotal"),
        ("budget/mail/provider", "Budget"),
        ("concurrency.perKey", "PerKey"),
        ("rate.perKey", "PerKey"),
        ("rate.perWorker", "WorkerRate"),
        ("deferred", "Deferred"),
        ("quarantine", "Free"),
        ("", "Free"),
    ],
)
def test_every_blocker_has_its_reason(blocker: str, reason: str) -> None:
    """Quarantine is told by Degraded."""
    assert told([(0.0, blocker)]) == [reason]


@pytest.mark.parametrize(
    "blocker", ["stop", "concurrency.total", "budget/mail/provider", "concurrency.perKey", "rate.perKey", "deferred"]
)
def test_a_restart_of_the_operator_tells_nothing_anew(blocker: str) -> None:
    """It goes on from the condition that the object has."""
    said = verdict(noticed(Memory(), blocker, 0.0))
    memory = remembered({"type": "Throttled", "reason": said.reason.name, "message": said.text}, 1_000.0)
    assert memory.blocker == blocker
    assert verdict(memory) == said


def test_after_a_restart_a_minute_must_pass_as_before() -> None:
    memory = remembered({"type": "Throttled", "reason": "Budget", "message": "budget/m/p holds jobs back."}, 1_000.0)
    assert told([(1_030.0, ""), (1_061.0, "")], memory) == ["Budget", "Free"]
    assert remembered({"message": "Nothing has been held back for a minute."}, 1.0) == Memory()
    assert remembered(None, 1.0) == Memory()


@pytest.mark.parametrize(
    ("blocker", "message"),
    [
        ("concurrency.total", "concurrency.total holds jobs back."),
        ("budget/mail/provider", "budget/mail/provider holds jobs back."),
        (
            "concurrency.perKey",
            "concurrency.perKey holds jobs back: all that wait belong to keys that are at their limit.",
        ),
        ("stop", "stopPolicy, or rq suspend, lets nothing start."),
    ],
)
def test_what_holds_back_is_one_sentence_with_its_name(blocker: str, message: str) -> None:
    assert verdict(noticed(Memory(), blocker, 0.0)).text == message
