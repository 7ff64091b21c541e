"""However it comes about, the end is the same: killed after any write, events in any order, lost or doubled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.control.ports import BUDGET, DEPLOYMENT, HTTP_POLICY, QUEUE_POLICY, Key


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


RULE = {"name": "general", "inFlight": 1}


async def story(world: Any) -> None:
    """Queues and surfaces, one of each the loser of a conflict, a budget, an edit, a prune, a deletion."""
    await world.put("campaigns", budgetRefs=[{"name": "provider"}], concurrency={"total": 4})
    await world.put("emails", workers={"replicas": 2, "template": {"spec": {"serviceAccountName": "mailer"}}})
    await world.put_budget("provider", 3)
    await world.put("api", kind=HTTP_POLICY, rules=[RULE | {"budgetRefs": [{"name": "provider"}]}])
    await world.put("closed", kind=HTTP_POLICY, rules=[RULE])
    world.clock.seconds += 1
    await world.put("late", queue="emails")
    await world.put("web", kind=HTTP_POLICY, surface="api", rules=[RULE])
    await world.put("gone")
    await world.put("tidy")


async def second_act(world: Any) -> None:
    await world.put("campaigns", budgetRefs=[{"name": "provider"}], concurrency={"total": 2})
    await world.put("emails", workers={"replicas": 3})
    await world.put("tidy", stopPolicy="Hold", workers={"template": {"spec": {"serviceAccountName": "mailer"}}})
    await world.remove("gone")
    await world.put("api", kind=HTTP_POLICY, rules=[RULE | {"inFlight": 2}])
    await world.remove("closed", kind=HTTP_POLICY)
    await world.remove("provider", kind=BUDGET)


async def played_whole(make_world: Any) -> dict[str, Any]:
    world = make_world()
    await story(world)
    await world.settle()
    await second_act(world)
    await world.settle()
    await world.later(20)
    return world.end_state()


@pytest.mark.parametrize("act", [1, 2])
async def test_killed_after_each_write_in_turn(act: int, make_world: Any, killed: Any) -> None:
    """API server or store: the next process brings it to the very same end."""
    wanted = await played_whole(make_world)
    deaths = 0
    for write in range(200):
        world = make_world()
        await story(world)
        if act == 2:
            await world.settle()
            await second_act(world)
        world.cluster.dies_after = write
        try:
            await world.settle()
        except killed:
            deaths += 1
            world.cluster.dies_after = None
            world.restart()
            await world.settle(prime=True)
        else:
            break
        finally:
            world.cluster.dies_after = None
        if act == 1:
            await second_act(world)
            await world.settle()
        await world.later(20)
        assert world.end_state() == wanted, f"killed after write {write}"
    assert deaths > 6, "the story must have many writes to die after"


NAMES = ("campaigns", "emails")
OPERATIONS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(("q", None)), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("budget"), st.integers(1, 3)),
    st.tuples(st.just("remove budget")),
    st.tuples(st.just("edit child"), st.sampled_from(NAMES), st.integers(0, 9)),
    st.tuples(st.just("delete child"), st.sampled_from(NAMES)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("work")),
    st.tuples(st.just("look")),
    st.tuples(st.just("deaf"), st.booleans()),
    st.tuples(st.just("store away"), st.booleans()),
    st.tuples(st.just("data lost")),
    st.tuples(st.just("time passes"), st.integers(1, 40)),
)


class Player:
    """Plays operations on a world, and remembers what is declared at the end."""

    def __init__(self, world: Any, away: Exception) -> None:
        self.world = world
        self.away = away
        self.policies: dict[str, dict[str, Any]] = {}
        self.budget: int | None = None

    async def play(self, operation: tuple[Any, ...]) -> None:
        await getattr(self, "_" + operation[0].replace(" ", "_"))(*operation[1:])

    async def _put(self, name: str, queue: str | None, total: int, budget: bool) -> None:
        spec: dict[str, Any] = {"concurrency": {"total": total}} | ({"queue": queue} if queue else {})
        if name in self.policies and self.policies[name].get("queue") != spec.get("queue"):
            return  # immutable
        self.policies[name] = spec | ({"budgetRefs": [{"name": "provider"}]} if budget else {})
        await self.world.put(name, **self.policies[name])

    async def _remove(self, name: str) -> None:
        if self.policies.pop(name, None):
            await self.world.remove(name)

    async def _budget(self, total: int) -> None:
        self.budget = total
        await self.world.put_budget("provider", total)

    async def _remove_budget(self) -> None:
        if self.budget:
            self.budget = None
            await self.world.remove("provider", kind=BUDGET)

    async def _edit_child(self, name: str, replicas: int) -> None:
        found = self.world.cluster._objects.get((DEPLOYMENT, "mail", f"{name}-worker"))
        if found:
            edited = {**found.manifest, "spec": {**found.manifest["spec"], "replicas": replicas}}
            await self.world.cluster.put(DEPLOYMENT, edited)

    async def _delete_child(self, name: str) -> None:
        if (DEPLOYMENT, "mail", f"{name}-worker") in self.world.cluster._objects:
            await self.world.remove(f"{name}-worker", kind=DEPLOYMENT)

    async def _restart(self) -> None:
        self.world.restart()
        await self.world.controller.prime()

    async def _work(self) -> None:
        await self.world.controller.work_off()

    async def _look(self) -> None:
        await self.world.controller.observe()

    async def _deaf(self, deaf: bool) -> None:
        self.world.deaf = deaf

    async def _store_away(self, is_away: bool) -> None:
        self.world.store.fault = self.away if is_away else None

    async def _data_lost(self) -> None:
        self.world.store.lose_everything()

    async def _time_passes(self, seconds: int) -> None:
        self.world.clock.seconds += seconds


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(OPERATIONS, max_size=14))
def test_any_order_of_events_converges(operations: list[tuple[Any, ...]], make_world: Any) -> None:
    """Puts, deletions, edits of children, restarts, missed events, a store that goes away or forgets: one end.

    The end is that of a world in which only what is declared last was ever declared, in the same order of age.
    """
    asyncio.run(converges(operations, make_world))


async def converges(operations: list[tuple[Any, ...]], make_world: Any) -> None:
    from headgate.errors import StoreUnavailable

    world = make_world()
    player = Player(world, StoreUnavailable("away"))
    for operation in operations:
        await player.play(operation)
    world.deaf, world.store.fault = False, None
    await world.controller.observe()
    await world.settle(prime=True)
    for _ in range(3):
        await world.later(601)

    plain = make_world()
    created = {name: (await world.get(name))["metadata"] for name in player.policies}
    for name in sorted(created, key=lambda name: (created[name]["creationTimestamp"], created[name]["uid"])):
        plain.clock.seconds += 1
        await plain.put(name, **player.policies[name])
    if player.budget:
        await plain.put_budget("provider", player.budget)
    await plain.settle()
    await plain.later(601)

    assert accepted_part(world.end_state()) == accepted_part(plain.end_state())
    assert not leftovers(world), "documents that nobody declares"
    if not player.budget and not any("budgetRefs" in spec for spec in player.policies.values()):
        assert "budget/mail/provider" not in world.store.documents


def accepted_part(state: dict[str, Any]) -> dict[str, Any]:
    """A policy whose spec is not accepted keeps what it had before: history may show there, and only there."""
    refused = {
        key.partition(" ")[2]
        for key, found in state.items()
        if key.startswith("QueuePolicy ") and ("Accepted", "True", "Valid") not in found[0]
    }
    queues = {found[1]["queue"] for key, found in state.items() if key.partition(" ")[2] in refused and key[0] == "Q"}
    kept = {}
    for key, found in state.items():
        owner = key.partition(" ")[2].removesuffix("-worker")
        if key.startswith("queue/") and (key[6:] in queues or f"mail/{key[6:]}" in refused or key == "queue/q"):
            continue
        if owner in refused or key.startswith(("budget/", "Budget ")):
            kept |= {key: found[0][0]} if key.startswith(("QueuePolicy", "Budget ")) else {}
            continue
        kept[key] = found
    return kept


def leftovers(world: Any) -> list[str]:
    owners = {field: declared.owner.name for field, declared in world.store.gates.store.owners.items()}
    live = {f"{namespace}/{name}" for kind, namespace, name in world.cluster._objects if kind is QUEUE_POLICY}
    return [field for field, name in owners.items() if field.startswith("queue/") and name not in live]


async def test_a_key_in_two_hands_is_never(world: Any) -> None:
    """Eight hands, one key, a storm of events: one at a time, and the last event is not lost."""
    key = Key(QUEUE_POLICY, "mail", "emails")
    running, most, runs = 0, 0, 0
    real = world.controller.reconcile

    async def reconcile(key: Key) -> float | None:
        nonlocal running, most, runs
        running += 1
        runs += 1
        most = max(most, running)
        try:
            await asyncio.sleep(0)
            return await real(key)
        finally:
            running -= 1

    world.controller.reconcile = reconcile
    await world.put("emails")
    tasks = [asyncio.create_task(world.controller.work_off()) for _ in range(8)]
    for total in range(1, 30):
        await world.put("emails", concurrency={"total": total})
        world.controller.queue.add(key)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    await world.settle()
    assert most == 1
    assert runs < 40
    assert world.document("emails").total == 29
