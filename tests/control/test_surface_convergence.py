"""Surfaces: events in any order, lost or doubled, leave the limits that are declared."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.control.ports import BUDGET, HTTP_POLICY
from headgate.errors import StoreUnavailable

NAMES = ("api", "web")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


PUT = st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(("s", None)), st.integers(1, 3), st.booleans())
SURFACES = st.one_of(
    PUT,
    PUT,  # twice as often: without policies nothing else says anything
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("budget")),
    st.tuples(st.just("remove budget")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("work")),
    st.tuples(st.just("look")),
    st.tuples(st.just("deaf"), st.booleans()),
    st.tuples(st.just("data lost")),
    st.tuples(st.just("store away"), st.booleans()),
)


class SurfacePlayer:
    """Two policies, one budget, everything that can be missed."""

    def __init__(self, world: Any, away: Exception) -> None:
        self.world, self.away = world, away
        self.policies: dict[str, dict[str, Any]] = {}
        self.has_budget = False

    async def play(self, operation: tuple[Any, ...]) -> None:
        what, rest = operation[0], operation[1:]
        if what == "put":
            await self._put(*rest)
        elif what == "remove" and self.policies.pop(rest[0], None):
            await self.world.remove(rest[0], kind=HTTP_POLICY)
        elif what == "budget":
            self.has_budget = True
            await self.world.put_budget("provider", 5)
        elif what == "remove budget" and self.has_budget:
            self.has_budget = False
            await self.world.remove("provider", kind=BUDGET)
        elif what in ("restart", "work", "look"):
            await self._run(what)
        elif what == "deaf":
            self.world.deaf = rest[0]
        elif what == "data lost":
            self.world.store.lose_everything()
        elif what == "store away":
            self.world.store.fault = self.away if rest[0] else None

    async def _put(self, name: str, surface: str | None, places: int, budget: bool) -> None:
        refs = {"budgetRefs": [{"name": "provider"}]} if budget else {}
        spec: dict[str, Any] = {"rules": [{"name": "r", "inFlight": places} | refs]}
        spec |= {"surface": surface} if surface else {}
        if name in self.policies and self.policies[name].get("surface") != surface:
            return  # immutable
        self.policies[name] = spec
        await self.world.put(name, kind=HTTP_POLICY, **spec)

    async def _run(self, what: str) -> None:
        controller = self.world.controller
        if what == "restart":
            self.world.restart()
            await self.world.controller.prime()
        else:
            await (controller.work_off() if what == "work" else controller.observe())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=st.lists(SURFACES, min_size=4, max_size=16))
def test_any_order_of_events_leaves_the_limits_that_are_declared(
    operations: list[tuple[Any, ...]], make_world: Any
) -> None:
    """Every surface: the oldest policy's limits where its budget is there, else its last good ones; nothing else."""
    asyncio.run(surfaces_converge(operations, make_world()))


async def surfaces_converge(operations: list[tuple[Any, ...]], world: Any) -> None:
    player = SurfacePlayer(world, StoreUnavailable("away"))
    for operation in operations:
        await player.play(operation)
    world.deaf, world.store.fault = False, None
    world.clock.seconds += 1
    await world.controller.observe()
    await world.settle(prime=True)
    await world.later(301)

    rulers: dict[str, str] = {}
    ages = {name: (await world.get(name, HTTP_POLICY))["metadata"] for name in player.policies}
    for name in sorted(ages, key=lambda name: (ages[name]["creationTimestamp"], ages[name]["uid"])):
        rulers.setdefault(player.policies[name].get("surface", name), name)
    published = {f for f in world.store.documents if f.startswith("http/")}
    assert published <= {f"http/{surface}" for surface in rulers}, "documents that nobody declares"
    for name, spec in player.policies.items():
        surface, (rule,) = spec.get("surface", name), spec["rules"]
        found = await world.conditions(name, HTTP_POLICY)
        if rulers[surface] != name:
            assert found["Accepted"] == "False/SurfaceConflict"
        elif "budgetRefs" in rule and not player.has_budget:
            assert found["Accepted"] == "False/BudgetNotFound"
        else:
            assert found == {"Accepted": "True/Valid", "Enforced": "True/NoInstances", "Ready": "True/InForce"}
            assert world.store.documents[f"http/{surface}"].rules[0].in_flight == rule["inFlight"]
    world.forget_writes()
    await world.settle(prime=True)
    assert world.writes == []
