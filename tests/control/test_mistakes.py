"""A mistake becomes a condition and leaves the last good limits; a fault becomes another try; neither blocks others."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import DEPLOYMENT, QUEUE_POLICY, SERVICE_ACCOUNT, Key
from headgate.errors import Rejected, StoreUnavailable

from .world import ALL_GOOD

BAD = {
    "TemplateForbidden": {"workers": {"template": {"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}}},
    "TemplateInvalid": {"workers": {"template": {"spec": {"volumes": "x"}}}},
    "BudgetNotFound": {"budgetRefs": [{"name": "gone"}]},
    "StoreMismatch": {"budgetRefs": [{"name": "far"}]},
}  # fmt: skip


@pytest.mark.parametrize("reason", BAD)
async def test_a_mistake_becomes_a_condition_and_the_last_good_limits_stay(reason: str, world: Any) -> None:
    """Nothing is published, no child is touched; the correction heals it."""
    await world.put_budget("far", store="other")
    await world.put("emails", concurrency={"total": 7})
    await world.settle()
    world.forget_writes()
    children = {key: value for key, value in world.end_state().items() if "worker" in key}
    await world.put("emails", concurrency={"total": 9}, **BAD[reason])
    await world.settle()
    found = await world.conditions("emails")
    assert (found["Accepted"], found["Ready"]) == (f"False/{reason}", f"False/{reason}")
    assert found["Enforced"] == "False/NotPublished"
    assert "of an earlier spec, stays in force" in await world.message("emails", "Enforced")
    assert found["WorkersReady"] == "True/MinimumAvailable"
    assert world.document("emails").total == 7
    assert world.store.writes == []
    assert {key: value for key, value in world.end_state().items() if "worker" in key} == children
    assert {limit["name"]: limit["value"] for limit in (await world.get("emails"))["status"]["limits"]}[
        "concurrency.total"
    ] == "7"
    await world.put("emails", concurrency={"total": 9})
    await world.settle()
    assert await world.conditions("emails") == ALL_GOOD
    assert world.document("emails").total == 9


async def test_a_spec_that_no_schema_kept_out(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CRD of an earlier version may have let it in; the limits before it stay."""
    await world.put("emails", concurrency={"total": 7})
    await world.settle()
    monkeypatch.setattr("headgate_cli.local.memory_cluster._check_schema", lambda *_: None)
    await world.put("emails", concurrency={"total": "many"})
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/InvalidSpec"
    assert await world.message("emails", "Accepted") == (
        'spec.concurrency.total: "many" is not allowed, give a whole number from 1 to 100000'
    )
    assert world.document("emails").total == 7
    assert (await world.get("emails"))["status"]["enforcement"]["summary"] == "1/1"


async def test_without_any_image_nothing_can_run(world: Any) -> None:
    """The remedy stands in the message."""
    world.site = type(world.site)(stores=world.site.stores, cluster_id="here", admission_policy=True)
    world.restart()
    await world.put("emails")
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/ImageMissing"
    assert "name the image" in await world.message("emails", "Accepted")


async def test_what_the_server_refuses_is_told_in_its_own_words(world: Any) -> None:
    """Asked before anything is published or applied."""
    world.cluster.refuses[DEPLOYMENT] = Rejected('spec.template.spec.priorityClassName: Invalid value: "nope"')
    await world.put("emails")
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/TemplateInvalid"
    assert await world.message("emails", "Accepted") == 'spec.template.spec.priorityClassName: Invalid value: "nope"'
    assert world.store.documents == {}
    assert not [write for write in world.cluster.writes if write.startswith("apply")]
    world.cluster.refuses.clear()
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_of_many_alike_one_is_shown_to_the_server_first(world: Any) -> None:
    """They differ in names, queues and owners; another template is shown again, and so is any after a refusal."""
    for name in ("a", "b", "c"):
        await world.put(name)
    await world.settle()
    assert world.cluster.rehearsals == ["a-worker"]
    await world.put(
        "d", workers={"template": {"spec": {"priorityClassName": "high", "containers": [{"name": "worker"}]}}}
    )
    await world.settle()
    assert world.cluster.rehearsals == ["a-worker", "d-worker"]
    world.cluster.refuses[DEPLOYMENT] = Rejected("exceeded quota: pods")
    await world.put("e")
    await world.settle()
    assert (await world.conditions("e"))["Accepted"] == "False/TemplateInvalid"
    assert "queue/e" in world.store.documents, "believed, and so published before the refusal"
    await world.put("f")
    await world.settle()
    assert "queue/f" not in world.store.documents


async def test_after_five_minutes_nobody_is_believed(world: Any) -> None:
    await world.put("a")
    await world.settle()
    world.clock.seconds += 301
    await world.put("b")
    await world.settle()
    assert world.cluster.rehearsals == ["a-worker", "b-worker"]


async def test_a_refused_child_is_told_too(world: Any) -> None:
    """Not every refusal shows in the rehearsal."""
    world.cluster.refuses[SERVICE_ACCOUNT] = Rejected("exceeded quota: accounts")
    await world.put("emails")
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/TemplateInvalid"
    assert await world.message("emails", "Accepted") == "exceeded quota: accounts"


async def test_a_faulty_object_never_blocks_others(world: Any) -> None:
    """Neither a fault of the world nor a bug of ours."""
    for name in ("aaa", "emails", "zzz"):
        await world.put(name)
    world.cluster.broken = {"aaa": RuntimeError("a bug"), "zzz": StoreUnavailable("away")}
    await world.controller.work_off()
    assert (await world.get("emails")).get("status")
    world.cluster.broken.clear()
    await world.settle(prime=True)
    for name in ("aaa", "emails", "zzz"):
        assert await world.conditions(name) == ALL_GOOD


async def test_a_store_that_takes_nothing_is_tried_again(world: Any) -> None:
    """It answers looks but is full: the status says so, and the key comes again."""
    world.store.full = True
    await world.put("emails")
    await world.controller.prime()
    await world.controller.work_off()
    assert (await world.conditions("emails"))["Enforced"] == "False/NotPublished"
    assert await world.message("emails", "Enforced") == "the store is full"
    with pytest.raises(StoreUnavailable):
        await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails"))
    world.store.full = False
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_stale_status_is_no_overwrite(world: Any) -> None:
    """Somebody wrote while we looked: Conflict, read again."""
    await world.put("emails")
    real, raced = world.cluster.apply_status, []

    async def race(kind: Any, manifest: Any, status: Any) -> Any:
        if kind is QUEUE_POLICY and not raced:
            raced.append(True)
            await world.put("emails", concurrency={"total": 3})
        return await real(kind, manifest, status)

    world.cluster.apply_status = race
    await world.settle()
    await world.settle(prime=True)
    assert world.document("emails").total == 3
    assert await world.conditions("emails") == ALL_GOOD
