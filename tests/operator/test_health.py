"""What the probes say in each state of the process."""

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest

from headgate_operator.health import Health, serve
from headgate_operator.metrics import Metrics


class State:
    now = 1000.0
    lease_seen_at = 1000.0
    oldest = 0.0


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def health(state: State) -> Health:
    made = Health(resync_seconds=300, lease_seen_at=lambda: state.lease_seen_at, now=lambda: state.now)
    made.watch_queue(lambda: state.oldest)
    return made


@pytest.fixture
async def get(health: Health, metrics: Metrics) -> AsyncIterator[Callable[[str], object]]:
    runner = await serve("127.0.0.1", 0, health, metrics)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

        async def ask(path: str) -> tuple[int, str]:
            async with session.get(path) as answer:
                return answer.status, await answer.text()

        yield ask
    await runner.cleanup()


def test_a_follower_is_alive_and_ready_while_it_reads_the_lease(health: Health, state: State) -> None:
    assert health.wrong_with_life() is None
    assert health.wrong_with_readiness() is None
    state.now += 31
    assert health.wrong_with_life() is None
    assert health.wrong_with_readiness() == "the Lease was not read for 31 s"


def test_a_leader_is_ready_after_its_first_resync(health: Health) -> None:
    health.lead()
    assert health.wrong_with_life() is None
    assert health.wrong_with_readiness() == "the first resync has not gone through yet"
    health.resynced()
    assert health.wrong_with_readiness() is None


def test_a_leader_without_resyncs_is_restarted(health: Health, state: State) -> None:
    health.lead()
    health.resynced()
    state.now += 3 * 300 + 61
    assert health.wrong_with_life() == "no resync went through for 961 s"
    assert health.wrong_with_readiness() == health.wrong_with_life()
    health.resynced()
    assert health.wrong_with_life() is None


def test_a_key_that_nobody_takes_is_a_reason_to_restart(health: Health, state: State) -> None:
    health.lead()
    health.resynced()
    state.oldest = 601
    assert health.wrong_with_life() == "a key waits for its reconcile for 601 s"


async def test_the_endpoints_answer_with_code_and_sentence(
    get: Callable[[str], object], health: Health, metrics: Metrics
) -> None:
    assert await get("/healthz") == (200, "ok\n")
    health.lead()
    assert await get("/readyz") == (503, "the first resync has not gone through yet\n")
    metrics.leader.set(1)
    metrics.watch_queue(lambda: 4, lambda: 2.5)
    status, text = await get("/metrics")
    assert status == 200
    assert {"headgate_leader 1.0", "headgate_workqueue_depth 4.0", "headgate_workqueue_oldest_seconds 2.5"} <= set(
        text.splitlines()
    )
