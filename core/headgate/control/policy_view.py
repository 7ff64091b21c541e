"""From what was read and done to what the status is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from headgate.control.decision import Decision
from headgate.control.facts import Facts, PolicyFacts
from headgate.control.memory import Memory
from headgate.control.ports import Manifest
from headgate.control.publishing import Answer
from headgate.control.reading import Policy
from headgate.desired.documents import budget_document, queue_document
from headgate.gates.verbs import Blocker, QueueState
from headgate.model.documents import BudgetDocument, QueueDocument
from headgate.names import worker_name
from headgate.status.capacity import capacity, stop_policy_in_force
from headgate.status.conditions import Verdict
from headgate.status.degraded import Troubles
from headgate.status.enforcement import Acknowledged, Publication, acknowledged
from headgate.status.queue_policy import View
from headgate.status.throttled import Memory as Throttle
from headgate.status.throttled import verdict


@dataclass(frozen=True, slots=True)
class Seen:
    """`deployment` as it is now; `pods` only when they had to be listed; `now` in monotonic seconds."""

    deployment: Manifest | None
    pods: Sequence[Manifest] | None
    fighting: str
    rival: str
    now: float


def view_of(facts: Facts, decision: Decision, answer: Answer, seen: Seen, memory: Memory) -> View:
    queue = None if decision.withdraw or answer.by else _queue(facts, memory)
    policy, picture = facts.policy, facts.picture
    return View(
        name=facts.key.name,
        generation=facts.manifest["metadata"].get("generation", 0),
        before=facts.manifest.get("status", {}),
        accepted=decision.accepted,
        document=decision.document,
        rate_declared=bool(policy and policy.spec.rate and policy.spec.rate.per_worker),
        replicas=decision.replicas,
        budgets=_budget_documents(facts),
        publication=publication_of(facts, answer, seen.now),
        acknowledged=_acknowledged(answer, queue, seen),
        deployment=seen.deployment,
        foreign=" ".join(_foreign(facts)),
        draining=sum(1 for pod in seen.pods or () if "deletionTimestamp" in pod["metadata"]),
        throttled=_throttled(facts, decision.document, memory),
        troubles=Troubles(picture.unsuitable, seen.fighting, seen.rival),
        store=picture.state,
        queue=queue,
    )


def _foreign(facts: Facts) -> list[str]:
    name = f"{facts.key.namespace}/{worker_name(facts.key.name)}"
    return [f"{kind.kind} {name} was not made by Headgate: delete or rename it." for kind in facts.foreign]


def bounds_of(facts: Facts, decision: Decision, memory: Memory) -> dict[str, int]:
    """For each budget of the policy: its bound if that budget were not there. The last good limits count as well."""
    if facts.policy is None or decision.withdraw:
        return {}
    document, declared = queue_document(facts.policy), memory.declared.get(facts.key)
    documents = [document]
    if declared and isinstance(declared.document, QueueDocument):
        documents.append(declared.document)
    names = {share.name for each in documents for share in each.budgets}
    budgets, replicas = _budget_documents(facts), facts.policy.spec.workers.replicas
    return {name: capacity(document, replicas, budgets, facts.now_ms, without=name).bound for name in names}


def _budget_documents(facts: Facts) -> dict[str, BudgetDocument]:
    return {name: budget_document(budget) for name, budget in facts.budgets.items() if budget}


def _queue(facts: Facts, memory: Memory) -> QueueState | None:
    """What the store shows of the queue that this policy declares, or had declared while it could be read."""
    declared = memory.declared.get(facts.key)
    name = facts.policy.queue if facts.policy else declared.name if declared else None
    return facts.picture.queue(name) if name else None


def publication_of(facts: PolicyFacts[Policy], answer: Answer, now: float) -> Publication:
    reachable = facts.picture.reachable(now) or not facts.store
    why = answer.problem or ("" if answer.held else _earlier(facts))
    return Publication(answer.revision, answer.held, reachable, facts.picture.problem if not reachable else why)


def _earlier(facts: PolicyFacts[Policy]) -> str:
    revision = facts.manifest.get("status", {}).get("revision")
    return f"Revision {revision}, of an earlier spec, stays in force." if revision else ""


def _acknowledged(answer: Answer, queue: QueueState | None, seen: Seen) -> Acknowledged:
    revision = answer.revision or (queue.revision if queue else 0)
    status = (seen.deployment or {}).get("status", {})
    ready = status.get("readyReplicas", 0) if seen.pods is None else _ready(seen.pods)
    return acknowledged(revision, queue.instances if queue else (), ready)


def _ready(pods: Sequence[Manifest]) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", ()))
    ]


def _throttled(facts: Facts, document: QueueDocument | None, memory: Memory) -> Verdict:
    """A declared stop is told at once; all else is the observer's, which looks at the store."""
    if document and stop_policy_in_force(document, facts.now_ms) != "None":
        return verdict(Throttle(Blocker.STOP))
    return verdict(memory.throttles.get(facts.key, Throttle()))
