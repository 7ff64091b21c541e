"""What must hold after every step: nothing lost (I3), no place held by who ended (I7); and in the end all ran (I8)."""

from __future__ import annotations

from headgate.gates.verbs import SEAL_MS, Empty, Grant
from tests.gates.conformance.history import promise
from tests.gates.conformance.world import BUDGET, KEYS, World

ENDED = ("finished", "failed", "canceled")


def judge_step(world: World) -> None:
    world.bench.gates("operator").inspect()
    world.bench.wakes()
    _judge_twins(world)
    for queue in world.queues:
        _judge_jobs(world, queue)
        _judge_holders(world, queue)


def _judge_twins(world: World) -> None:
    """No job runs in two pods that are well."""
    running = [
        held.grant
        for pod in world.pods
        for held in pod.running.values()
        if not pod.frozen and world.history.executions[held.grant.execution].runs(world.history.passed)
    ]
    jobs = [grant.job_id for grant in running]
    promise(len(set(jobs)) == len(jobs), "I4", f"twice: {[(grant.job_id, grant.execution) for grant in running]}")


def _judge_jobs(world: World, queue: str) -> None:
    """Every job stands in exactly one place."""
    ids, holders = world.bench.queue(queue), world.bench.holders(queue)
    started = world.bench.started(queue)
    for job_id, account in world.history.jobs.items():
        if account.queue != queue:
            continue
        job = world.bench.job(job_id)
        promise(job is not None, "I3", f"{job_id} is gone")
        assert job is not None
        promise(ids.count(job_id) == (job.status == "queued"), "I3", f"{job_id} is {job.status} and listed {ids}")
        promise((job_id in started) == bool(job.executions), "I3", f"{job_id}: RQ's two books differ")
        held = any(member.startswith(f"{job_id}:") for member in holders)
        promise(job.status in ENDED or held == (job.status == "started"), "I3", f"{job_id} {job.status}: {holders}")


def _judge_holders(world: World, queue: str) -> None:
    """Whoever ended holds nothing, neither in its queue nor in the budget nor under its key."""
    history, now = world.history, world.bench.now
    members = dict(world.bench.holders(queue))
    for key in KEYS:
        if key is not None:
            members |= world.bench.key_holders(queue, key)
    budget = {name: end for name, end in world.bench.budget_holders(BUDGET).items() if name.startswith("e:")}
    members |= {name.removeprefix("e:").partition("#")[0]: end for name, end in budget.items()}
    if history.recent_fault():
        return
    for member, end in members.items():
        execution = history.executions[member.rpartition(":")[2].removesuffix("!")]
        if end > now and not member.endswith("!"):
            due = end - now <= execution.lease_end - history.passed
            promise(not execution.ended and due, "I7", f"{member} holds until {end}, now {now}: {execution}")


def judge_end(world: World) -> None:
    """Faults stop. Everything that is queued runs and ends within a bounded time, and nothing of it stays."""
    for pod in world.pods:
        world.thaw(pod, beats=True)
    for queue in world.queues:
        world.declare_plain(queue)
    world.pass_time(2 * SEAL_MS)
    for _ in range(400):
        if not _work(world):
            break
        world.pass_time(250)
    for queue in world.queues:
        promise(not world.bench.queue(queue), "I8", f"{world.bench.queue(queue)} never ran")
        promise(not world.bench.holders(queue), "I7", f"left in {queue}: {world.bench.holders(queue)}")
        promise(not world.bench.started(queue), "I7", f"RQ still calls {world.bench.started(queue)} started")
        for key in KEYS:
            if key is not None:
                promise(not world.bench.key_holders(queue, key), "I7", f"left under key {key}")
    world.pass_time(10_000)
    promise(not world.bench.budget_holders(BUDGET), "I7", f"left: {world.bench.budget_holders(BUDGET)}")
    judge_step(world)


def _work(world: World) -> bool:
    """Every pod ends what it runs and asks for more. False: nothing is left to do."""
    busy = False
    for pod in list(world.pods):
        for slot in list(pod.running):
            world.finish(pod, slot, fused=False)
        answer = world.claim(pod, pod.idle[0])
        busy = busy or isinstance(answer, Grant) or not isinstance(answer, Empty)
    return busy
