"""kopf as ears: every change becomes a key, through 410 and silence, and kopf itself never writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from headgate.control.ports import BUDGET, DEPLOYMENT, NETWORK_POLICY, POD_DISRUPTION_BUDGET, QUEUE_POLICY, Kind
from headgate.control.ports import SERVICE_ACCOUNT as ACCOUNT
from headgate.names import labels
from headgate_operator import watching
from headgate_operator.cluster import ApiServer
from headgate_operator.handlers import settings_of
from headgate_operator.watching import Watches, WatchesEnded

from .fake_api import FakeApi, Fault
from .polling import until


class Heard:
    def __init__(self) -> None:
        self.keys: list[tuple[str, str, str]] = []
        self.started = 0

    def changed(self, kind: Kind, namespace: str, name: str) -> None:
        self.keys.append((kind.kind, namespace, name))

    def on_start(self) -> None:
        self.started += 1


@asynccontextmanager
async def listening(api: ApiServer, namespaces: tuple[str, ...] | None = None) -> AsyncIterator[Heard]:
    heard = Heard()
    watches = Watches(api, namespaces, heard.changed, heard.on_start)
    task = asyncio.create_task(watches.run())
    try:
        yield heard
    finally:
        watches.stop()
        await asyncio.wait_for(task, 15)


def watch_requests(fake: FakeApi, plural: str) -> int:
    return sum(1 for r in fake.requests if r.query.get("watch") and r.path.endswith(plural))


async def watched(fake: FakeApi, *plurals: str) -> None:
    """Every kind's watch is open, so that nothing after this can be missed."""
    for plural in plurals:
        await until(lambda plural=plural: watch_requests(fake, plural) > 0, f"a watch of {plural}")


async def test_what_is_there_and_what_changes_is_heard_and_nothing_is_written(
    api: ApiServer, fake_api: FakeApi
) -> None:
    await fake_api.put(QUEUE_POLICY, "a", "old", spec={})
    await fake_api.put(BUDGET, "a", "mail", spec={})
    async with listening(api) as heard:
        await until(lambda: {("QueuePolicy", "a", "old"), ("Budget", "a", "mail")} <= set(heard.keys))
        await watched(fake_api, "queuepolicies")
        await fake_api.put(QUEUE_POLICY, "b", "new", spec={})
        await until(lambda: heard.keys.count(("QueuePolicy", "b", "new")) == 1)
        await fake_api.put(QUEUE_POLICY, "b", "new", spec={"queue": "x"})
        await until(lambda: heard.keys.count(("QueuePolicy", "b", "new")) == 2)
        await fake_api.remove(QUEUE_POLICY, "b", "new")
        await until(lambda: heard.keys.count(("QueuePolicy", "b", "new")) == 3)
    assert heard.started == 1
    assert fake_api.writes == []


@pytest.mark.parametrize("kind", [DEPLOYMENT, POD_DISRUPTION_BUDGET, NETWORK_POLICY, ACCOUNT], ids=lambda k: k.kind)
async def test_a_child_that_is_edited_or_deleted_is_heard_as_its_policy(
    api: ApiServer, fake_api: FakeApi, kind: Kind
) -> None:
    await fake_api.put(kind, "a", "mail-worker", metadata={"labels": labels("mail")})
    await fake_api.put(kind, "a", "foreign", metadata={"labels": {"app": "other"}})
    async with listening(api) as heard:
        await watched(fake_api, kind.plural)
        await until(lambda: len(heard.keys) == 1)
        await fake_api.remove(kind, "a", "mail-worker")
        await until(lambda: len(heard.keys) == 2)
        assert set(heard.keys) == {("QueuePolicy", "a", "mail")}


async def test_children_are_selected_by_the_server_and_pods_are_not_watched(api: ApiServer, fake_api: FakeApi) -> None:
    async with listening(api):
        await watched(fake_api, "queuepolicies", "budgets", "deployments", "serviceaccounts")
    selectors = {
        request.path.rsplit("/", 1)[-1]: request.query.get("labelSelector")
        for request in fake_api.requests
        if request.query.get("watch")
    }
    assert selectors["deployments"] == selectors["serviceaccounts"] == "app.kubernetes.io/managed-by=headgate"
    assert selectors["queuepolicies"] is None
    assert not {"pods", "namespaces", "customresourcedefinitions", "events"} & selectors.keys()


async def test_only_the_named_namespaces_are_watched(api: ApiServer, fake_api: FakeApi) -> None:
    async with listening(api, ("a", "c")) as heard:
        await until(lambda: watch_requests(fake_api, "queuepolicies") == 2)
        for namespace in ("a", "b", "c"):
            await fake_api.put(QUEUE_POLICY, namespace, "mail")
        await until(lambda: len(heard.keys) == 2)
    assert {key[1] for key in heard.keys} == {"a", "c"}
    assert all("/namespaces/" in r.path for r in fake_api.requests if r.query.get("watch"))


async def test_after_410_gone_everything_is_heard_again_but_not_what_was_deleted_meanwhile(
    api: ApiServer, fake_api: FakeApi
) -> None:
    """The hole that the resync exists for; should kopf ever close it, this test says so."""
    await fake_api.put(QUEUE_POLICY, "a", "stays")
    await fake_api.put(QUEUE_POLICY, "a", "goes")
    async with listening(api) as heard:
        await watched(fake_api, "queuepolicies")
        heard.keys.clear()
        await fake_api.remove(QUEUE_POLICY, "a", "goes", tell=False)
        await fake_api.put(QUEUE_POLICY, "a", "comes")
        await fake_api.compact()
        await until(lambda: ("QueuePolicy", "a", "stays") in heard.keys)
        await until(lambda: watch_requests(fake_api, "queuepolicies") >= 2)
        assert ("QueuePolicy", "a", "comes") in heard.keys
        assert ("QueuePolicy", "a", "goes") not in heard.keys


async def test_a_silent_stream_is_left_for_a_new_one(
    api: ApiServer, fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(namespaces: tuple[str, ...] | None) -> object:
        settings = settings_of(namespaces)
        settings.watching.inactivity_timeout = 0.5
        return settings

    assert settings_of(None).watching.inactivity_timeout == 70
    monkeypatch.setattr(watching, "settings_of", impatient)
    async with listening(api) as heard:
        await watched(fake_api, "queuepolicies")
        fake_api.freeze()
        await fake_api.put(QUEUE_POLICY, "a", "unheard")
        await until(lambda: ("QueuePolicy", "a", "unheard") in heard.keys)
        assert watch_requests(fake_api, "queuepolicies") >= 2


async def test_busy_and_failing_answers_to_a_list_are_tried_again(api: ApiServer, fake_api: FakeApi) -> None:
    await fake_api.put(QUEUE_POLICY, "a", "mail")
    fake_api.faults.append(Fault(lambda r: r.path.endswith("queuepolicies"), 429, {"Retry-After": "1"}))
    fake_api.faults.append(Fault(lambda r: r.path.endswith("budgets"), 500))
    async with listening(api) as heard:
        await until(lambda: heard.keys == [("QueuePolicy", "a", "mail")])
        await watched(fake_api, "budgets")


async def test_kopf_that_cannot_log_in_ends_the_watches(api: ApiServer, fake_api: FakeApi) -> None:
    # kopf leaves a failed task behind; logging it from the garbage collector, in the middle of anything, helps nobody.
    asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
    fake_api.faults.append(Fault(lambda _: True, 401, times=1000))
    watches = Watches(api, None, lambda *_: None, lambda: None)
    with pytest.raises(WatchesEnded, match=r"watching failed: Ran out of valid credentials\."):
        await asyncio.wait_for(watches.run(), 20)
