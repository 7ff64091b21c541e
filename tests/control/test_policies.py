"""Reconcile of a policy, seen from outside: children, documents, status, and how many writes they cost."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.control.ports import BUDGET, DEPLOYMENT, NETWORK_POLICY, POD, QUEUE_POLICY, SERVICE_ACCOUNT, Key
from headgate.errors import Rejected, StoreUnavailable

ALL_GOOD = {
    "Accepted": "True/Valid",
    "Enforced": "True/AllAcknowledged",
    "WorkersReady": "True/MinimumAvailable",
    "Throttled": "False/Free",
    "Degraded": "False/AsExpected",
    "Ready": "True/InForce",
}
ORPHANED = {"metadata": {"name": "emails-worker", "namespace": "mail"}, "apiVersion": "apps/v1", "kind": "Deployment"}


async def test_a_policy_becomes_children_a_document_and_a_status(world: Any) -> None:
    """From nothing to Ready."""
    await world.put("emails", concurrency={"perWorker": 5, "total": 4}, workers={"replicas": 2})
    await world.settle()
    assert await world.conditions("emails") == ALL_GOOD
    assert {kind.kind for kind, _, name in world.cluster._objects if name == "emails-worker"} == {
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
    }
    assert world.document("emails").total == 4
    status = (await world.get("emails"))["status"]
    assert status["capacity"] == {"slots": 10, "bound": 4, "boundBy": "total"}
    assert status["enforcement"] | {"revision": 0} == {
        "revision": 0,
        "expected": 2,
        "acknowledged": 2,
        "summary": "2/2",
    }
    assert (status["queue"], status["replicas"], status["readyReplicas"]) == ("emails", 2, 2)
    assert status["selector"].split(",")[-1] == "headgate.dev/queue-policy=emails"


async def test_all_conditions_are_there_after_the_first_visit(world: Any) -> None:
    """Also of a policy with which nothing can be done."""
    await world.put("emails", store="nowhere")
    await world.controller.work_off()
    found = await world.conditions("emails")
    assert found == {
        "Accepted": "False/StoreUnknown",
        "Enforced": "False/NotPublished",
        "WorkersReady": "Unknown/NotReconciled",
        "Throttled": "False/Free",
        "Degraded": "False/AsExpected",
        "Ready": "False/StoreUnknown",
    }
    assert "name one of these: default" in await world.message("emails", "Accepted")


async def test_a_second_run_writes_nothing(world: Any) -> None:
    """Ten resyncs, zero writes: to the cluster, to the store, no Event."""
    for name in ("emails", "campaigns"):
        await world.put(name, budgetRefs=[{"name": "provider"}])
    await world.put_budget("provider")
    await world.settle()
    world.forget_writes()
    events = len(world.cluster.events)
    for _ in range(10):
        world.clock.seconds += 300
        world._play_workers()
        await world.settle(prime=True)
    assert (world.writes, len(world.cluster.events)) == ([], events)


async def test_a_restart_costs_no_op_applies_only(world: Any) -> None:
    """No object gets another resourceVersion, no document another revision."""
    await world.put("emails")
    await world.settle()
    before = world.snapshot()[:2]
    world.restart()
    await world.settle(prime=True)
    assert world.snapshot()[:2] == before


async def test_changing_a_limit_touches_no_child(world: Any) -> None:
    """One publication, then status: no pod rolls."""
    await world.put("emails", concurrency={"total": 10})
    await world.settle()
    world.forget_writes()
    await world.put("emails", concurrency={"total": 2})
    await world.settle()
    assert world.document("emails").total == 2
    assert world.store.writes == ["publish queue"]
    assert {write.split()[0] for write in world.cluster.writes} == {"status"}
    assert await world.conditions("emails") == ALL_GOOD


async def test_the_limits_are_there_before_the_first_pod(world: Any) -> None:
    """A worker never starts without its limits."""
    seen: list[bool] = []
    world.cluster.watch(
        lambda _, kind, __: seen.append("queue/emails" in world.store.documents) if kind is DEPLOYMENT else None
    )
    await world.put("emails")
    await world.settle()
    assert seen
    assert all(seen)


async def test_enforced_waits_for_every_worker(world: Any) -> None:
    """A worker that still has the earlier revision in use is counted, and named by the number."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    earlier = (await world.get("emails"))["status"]["revision"]
    await world.put("emails", workers={"replicas": 2}, concurrency={"perWorker": 4})
    await world.controller.work_off()
    world.clock.seconds += 15
    world.store.renew("mail-emails-0", "emails", earlier + 1)
    world.store.renew("mail-emails-1", "emails", earlier)
    await world.controller.observe()
    await world.controller.work_off()
    assert (await world.conditions("emails"))["Enforced"] == "False/PartiallyAcknowledged"
    assert (await world.get("emails"))["status"]["enforcement"]["summary"] == "1/2"
    await world.settle()
    assert (await world.conditions("emails"))["Enforced"] == "True/AllAcknowledged"


async def test_a_terminating_pod_that_renews_must_act_too(world: Any) -> None:
    """It finishes its jobs under the limits, so it counts; and it shows as draining."""
    await world.put("emails")
    await world.settle()
    labels = {
        "headgate.dev/queue-policy": "emails",
        "app.kubernetes.io/name": "headgate",
        "app.kubernetes.io/component": "worker",
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"nodeName": "n"},
        "metadata": {"name": "old", "namespace": "mail", "labels": labels},
    }
    stored = await world.cluster.put(POD, pod)
    await world.cluster.delete(POD, "mail", "old", stored["metadata"]["uid"], grace_seconds=30)
    ready = {**pod, "metadata": {**pod["metadata"], "name": "mail-emails-0"}}
    stored = await world.cluster.put(POD, ready)
    await world.cluster.apply_status(POD, stored, {"conditions": [{"type": "Ready", "status": "True"}]})
    world.store.renew("old", "emails", 1)
    world.clock.seconds += 20
    world.store.renew("mail-emails-0", "emails", world.document("emails") and 1)
    world.store.renew("old", "emails", 0)
    await world.controller.observe()
    await world.controller.work_off()
    status = (await world.get("emails"))["status"]
    assert (status["drainingReplicas"], status["enforcement"]["summary"]) == (1, "1/2")
    assert (await world.conditions("emails"))["Enforced"] == "False/PartiallyAcknowledged"


BAD = {
    "TemplateForbidden": {"workers": {"template": {"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}}},
    "TemplateInvalid": {"workers": {"template": {"spec": {"volumes": "x"}}}},
    "NotSupported": {"workers": {"autoscaling": {"maxReplicas": 2}}},
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


async def test_a_refused_child_is_told_too(world: Any) -> None:
    """Not every refusal shows in the rehearsal."""
    world.cluster.refuses[SERVICE_ACCOUNT] = Rejected("exceeded quota: accounts")
    await world.put("emails")
    await world.settle()
    assert (await world.conditions("emails"))["Accepted"] == "False/TemplateInvalid"
    assert await world.message("emails", "Accepted") == "exceeded quota: accounts"


@pytest.mark.parametrize("kind", [DEPLOYMENT, NETWORK_POLICY, SERVICE_ACCOUNT], ids=lambda kind: kind.kind)
async def test_a_deleted_child_comes_back(kind: Any, world: Any) -> None:
    """Its event calls its policy."""
    await world.put("emails")
    await world.settle()
    before = world.end_state()
    await world.remove("emails-worker", kind=kind)
    assert world.end_state() != before
    await world.settle()
    assert world.end_state() == before


async def test_an_edited_child_is_repaired(world: Any) -> None:
    """The hash annotation stays through an edit, so the generation tells."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    deployment["spec"]["replicas"] = 7
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 2


async def test_a_removed_label_is_put_back(world: Any) -> None:
    """It changes no generation, and without it the watch would lose the child."""
    await world.put("emails")
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    del deployment["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.settle(prime=True)
    labels = (await world.get("emails-worker", DEPLOYMENT))["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "headgate"


async def test_a_fight_over_a_child_is_told(world: Any) -> None:
    """Five repairs in ten minutes."""
    await world.put("emails")
    await world.settle()
    for number in range(5):
        world.clock.seconds += 20
        deployment = await world.get("emails-worker", DEPLOYMENT)
        deployment["spec"]["replicas"] = 10 + number
        await world.cluster.put(DEPLOYMENT, deployment)
        world._play_workers()
        await world.settle()
    assert (await world.conditions("emails"))["Degraded"] == "True/DriftFight"
    assert "Deployment emails-worker" in await world.message("emails", "Degraded")
    world.clock.seconds += 600
    world._play_workers()
    await world.settle(prime=True)
    assert (await world.conditions("emails"))["Degraded"] == "False/AsExpected"


async def test_a_foreign_deployment_is_left_alone(world: Any) -> None:
    """It has our name and was there first. The limits hold all the same."""
    foreign = {**ORPHANED, "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "x"}]}}}}
    await world.cluster.put(DEPLOYMENT, foreign)
    await world.put("emails")
    await world.settle()
    found = await world.conditions("emails")
    assert (found["WorkersReady"], found["Ready"]) == ("False/NotOwned", "False/NotOwned")
    assert "Deployment mail/emails-worker was not made by Headgate" in await world.message("emails", "WorkersReady")
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"] == foreign["spec"]
    assert "queue/emails" in world.store.documents
    await world.remove("emails-worker", kind=DEPLOYMENT)
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_what_an_orphaning_deletion_left_is_adopted(world: Any) -> None:
    """kubectl delete --cascade=orphan, then apply again: the same Deployment goes on."""
    await world.put("emails")
    await world.settle()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    uid = deployment["metadata"]["uid"]
    deployment["metadata"]["ownerReferences"] = []
    world.deaf = True
    await world.cluster.put(DEPLOYMENT, deployment)
    await world.remove("emails")
    world.deaf = False
    await world.put("emails")
    await world.settle()
    adopted = (await world.get("emails-worker", DEPLOYMENT))["metadata"]
    owner = (await world.get("emails"))["metadata"]["uid"]
    assert (adopted["uid"], adopted["ownerReferences"][0]["uid"]) == (uid, owner)


async def test_the_child_of_a_deleted_namesake_is_waited_for(world: Any) -> None:
    """Garbage collection has not taken it yet; it is not foreign, and we look again soon."""
    leaving = {**ORPHANED, "spec": {"replicas": 1}}
    owner = {"apiVersion": "headgate.dev/v1alpha1", "kind": "QueuePolicy", "name": "emails", "uid": "of-old"}
    leaving["metadata"] = {**ORPHANED["metadata"], "ownerReferences": [{**owner, "controller": True}]}
    world.cluster._by_uid["of-old"] = ("not", "yet", "collected")
    await world.cluster.put(DEPLOYMENT, leaving)
    await world.put("emails")
    assert await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails")) == 2.0
    assert (await world.conditions("emails"))["WorkersReady"] == "Unknown/NotReconciled"
    await world.remove("emails-worker", kind=DEPLOYMENT)
    await world.settle(prime=True)
    assert await world.conditions("emails") == ALL_GOOD


async def test_a_named_account_prunes_ours(world: Any) -> None:
    """What is ours and no longer wanted goes."""
    await world.put("emails")
    await world.settle()
    await world.put("emails", workers={"template": {"spec": {"serviceAccountName": "mailer"}}})
    await world.settle()
    assert await world.cluster.get(SERVICE_ACCOUNT, "mail", "emails-worker") is None
    assert await world.conditions("emails") == ALL_GOOD


async def test_a_deleted_policy_is_gone_everywhere(world: Any) -> None:
    """Children by garbage collection, the document by us; no finalizer held it up."""
    await world.put("emails")
    await world.settle()
    assert "finalizers" not in (await world.get("emails"))["metadata"]
    await world.remove("emails")
    await world.settle()
    assert world.end_state() == {}
    assert not world.controller.memory.keys()


async def test_a_policy_deleted_while_we_were_away_is_unpublished_on_return(world: Any) -> None:
    """By the owners that the store records; those of another cluster are left alone."""
    await world.put("emails")
    await world.put_budget("provider")
    await world.settle()
    theirs = type(next(iter(world.store.gates.store.owners.values())).owner)("mail/theirs", "u", 1, "elsewhere")
    world.store.gates.publish(world.document("emails").model_copy(update={"queue": "theirs"}), theirs)
    world.deaf = True
    await world.remove("emails")
    await world.remove("provider", kind=BUDGET)
    world.deaf = False
    world.restart()
    await world.settle(prime=True)
    assert set(world.store.documents) == {"queue/theirs"}


async def test_a_policy_made_anew_with_other_limits_rules(world: Any) -> None:
    """Generation starts at 1 again; the uid tells that it is another life."""
    await world.put("emails", concurrency={"total": 10})
    for total in range(11, 16):
        await world.put("emails", concurrency={"total": total})
    await world.settle()
    world.deaf = True
    await world.remove("emails")
    world.deaf = False
    await world.put("emails", concurrency={"total": 3})
    await world.settle()
    assert world.document("emails").total == 3
    assert await world.conditions("emails") == ALL_GOOD


async def test_a_policy_made_anew_for_another_queue_leaves_nothing_behind(world: Any) -> None:
    """Seen at once while we run, by the resync when we were away."""
    for restart in (False, True):
        await world.put("emails", queue="old")
        await world.settle()
        world.deaf = True
        await world.remove("emails")
        world.deaf = False
        await world.put("emails", queue="new")
        if restart:
            world.restart()
        await world.settle(prime=restart)
        assert set(world.store.documents) == {"queue/new"}
        await world.remove("emails")
        await world.settle()


async def test_a_cluster_restored_from_a_backup_goes_on(world: Any) -> None:
    """Its generation is older than what the store recorded; the restored limits rule."""
    await world.put("emails", concurrency={"total": 10})
    for total in range(11, 16):
        await world.put("emails", concurrency={"total": total})
    await world.settle()
    stored = world.cluster._objects[(QUEUE_POLICY, "mail", "emails")].manifest
    stored["metadata"]["generation"] = 1
    stored["spec"] = {"concurrency": {"total": 10}}
    world.restart()
    await world.settle(prime=True)
    assert world.document("emails").total == 10


async def test_hold_and_drain_takes_the_workers_away_and_brings_them_back(world: Any) -> None:
    """Hold keeps them. Ready says Held."""
    await world.put("emails", stopPolicy="Hold", workers={"replicas": 2})
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 2
    found = await world.conditions("emails")
    assert (found["Throttled"], found["Ready"]) == ("True/Held", "True/Held")
    await world.put("emails", stopPolicy="HoldAndDrain", workers={"replicas": 2})
    world.clock.seconds += 30
    await world.settle()
    assert (await world.get("emails-worker", DEPLOYMENT))["spec"]["replicas"] == 0
    assert await world.conditions("emails") == {
        "Accepted": "True/Valid",
        "Enforced": "True/NoInstances",
        "WorkersReady": "True/ScaledToZero",
        "Throttled": "True/Held",
        "Degraded": "False/AsExpected",
        "Ready": "True/Held",
    }
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    assert await world.conditions("emails") == ALL_GOOD


async def test_shadow_is_ready_and_says_so(world: Any) -> None:
    """Enforced is False on purpose."""
    await world.put("emails", mode="Shadow", concurrency={"total": 1})
    await world.settle()
    found = await world.conditions("emails")
    assert (found["Enforced"], found["Ready"]) == ("False/Shadow", "True/Shadow")
    assert (await world.get("emails"))["status"]["capacity"]["boundBy"] == "slots"


async def test_an_override_ends_by_itself(world: Any) -> None:
    """Visible in limits with its end; a new look is due right after it."""
    override = {"concurrencyTotal": 2, "reason": "provider is slow", "expireTime": "2026-11-24T00:30:00Z"}
    await world.put("emails", concurrency={"total": 10}, override=override, workers={"replicas": 9})
    await world.settle(prime=True)
    status = (await world.get("emails"))["status"]
    assert {"name": "concurrency.total", "value": "2", "source": "Override", "expireTime": "2026-11-24T00:30:00Z"} in (
        status["limits"]
    )
    assert (status["capacity"]["bound"], status["capacity"]["boundBy"]) == (2, "total")
    wait = await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails"))
    assert wait == pytest.approx(1800.2)
    world.clock.seconds += wait
    world._play_workers()
    await world.settle(prime=True)
    status = (await world.get("emails"))["status"]
    assert {"name": "concurrency.total", "value": "10", "source": "Spec"} in status["limits"]
    assert status["capacity"]["bound"] == 10


async def test_counts_are_written_at_most_every_15_seconds(world: Any) -> None:
    """Answers at once."""
    await world.put("emails", workers={"replicas": 2})
    await world.settle()
    world.forget_writes()
    deployment = await world.get("emails-worker", DEPLOYMENT)
    await world.cluster.apply_status(DEPLOYMENT, deployment, deployment["status"] | {"replicas": 3})
    world.clock.seconds += 5
    world.store.renew("mail-emails-0", "emails", 1)
    wait = await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails"))
    assert (wait, world.cluster.writes) == (10.0, [])
    world.clock.seconds += wait
    assert await world.controller.reconcile(Key(QUEUE_POLICY, "mail", "emails")) is None
    assert world.cluster.writes == ["status QueuePolicy/emails"]
    assert (await world.get("emails"))["status"]["replicas"] == 3


async def test_events_tell_each_reason_once(world: Any) -> None:
    """A Warning for what is wrong, a Normal for what is right again."""
    await world.put("emails", budgetRefs=[{"name": "provider"}])
    await world.settle()
    for _ in range(3):
        await world.settle(prime=True)
    await world.put_budget("provider")
    await world.settle()
    told = [(event.regarding, event.type_, event.reason) for event in world.cluster.events]
    assert told.count(("QueuePolicy/emails", "Warning", "BudgetNotFound")) == 1
    assert told.count(("QueuePolicy/emails", "Normal", "InForce")) == 1
    assert "spec.budgetRefs[0].name: there is no Budget mail/provider" in world.cluster.events[0].message


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
