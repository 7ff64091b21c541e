"""Queues and gates as they stand, and why a queue does not start more."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter

from headgate.explain import explain
from headgate.gates.door import Door
from headgate.gates.verbs import StoreState
from headgate_api import views
from headgate_api.auth import Reader
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem, declared
from headgate_api.views import QueueName

router = APIRouter(prefix="/v1", responses=declared(401, 403, 422, 429, 503))


@router.get("/queues", tags=["queues"], summary="Every declared queue")
async def queues(_caller: Reader, parts: PartsOf) -> views.Queues:
    """What runs and waits, and which gate refuses the next start. At most half a second old."""
    state = await parts.doors.state()
    found = [views.queue(state, one) for _, one in sorted(state.queues.items())]
    return views.Queues(now=state.now, quarantine_until=state.quarantine_until, queues=found)


@router.get("/queues/{queue}", tags=["queues"], summary="One queue", responses=declared(404))
async def queue(queue: QueueName, _caller: Reader, parts: PartsOf) -> views.Queue:
    state = await parts.doors.state()
    return views.queue(state, state.queues[_known(state, queue)])


@router.get("/gates", tags=["queues"], summary="Every gate")
async def gates(_caller: Reader, parts: PartsOf) -> views.Budgets:
    """Those of queues and those that queues share (budgets), with who holds a place in them."""
    state = await parts.doors.state()
    return views.Budgets(
        now=state.now,
        queues={name: [views.gate(gate) for gate in one.gates] for name, one in sorted(state.queues.items())},
        budgets={name: [views.gate(gate) for gate in some] for name, some in sorted(state.budgets.items())},
    )


@router.get(
    "/queues/{queue}/explain", tags=["explain"], summary="Why a queue does not start more", responses=declared(404)
)
async def explain_queue(queue: QueueName, _caller: Reader, parts: PartsOf) -> views.QueueExplanation:
    """Which gate holds it, who holds that gate, and until when."""
    return await parts.doors.do(lambda door: explained(door, queue))


def explained(door: Door, queue: str) -> views.QueueExplanation:
    state = door.inspect()
    document = door.read_document(_known(state, queue))
    found = explain(state, queue, document and document[1], executions(door, state.queues))
    return views.explanation(state, found)


def executions(door: Door, queues: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Queue and job id by execution, from RQ's started registries (`<job>:<execution>`)."""
    found = {}
    for queue in queues:
        for member in door.command("ZRANGE", door.keys.wip(queue), 0, -1):
            job_id, _, execution = member.decode("utf-8", "replace").rpartition(":")
            found[execution] = (queue, job_id)
    return found


def _known(state: StoreState, queue: str) -> str:
    if queue not in state.queues:
        raise Problem(404, f"No policy declares queue {queue} in this store.")
    return queue
