"""Two policies for one queue, and owners that we cannot see."""

from __future__ import annotations

from typing import Any

from headgate.control.ownership import Claims, standing
from headgate.control.ports import QUEUE_POLICY, Key
from headgate.control.stores import Site
from headgate.gates.verbs import Owner
from headgate.model.common import Metadata


async def test_the_oldest_rules_across_namespaces(world: Any) -> None:
    """The loser has no children, publishes nothing, and names the winner."""
    await world.put("emails", concurrency={"total": 1})
    world.clock.seconds += 5
    await world.put("emails", "shop", concurrency={"total": 2})
    await world.settle()
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"
    loser = await world.conditions("emails", namespace="shop")
    assert loser["Accepted"] == "False/QueueConflict"
    assert loser["WorkersReady"] == "Unknown/NotReconciled"
    assert world.document("emails").total == 1
    assert not [key for key in world.cluster._objects if key[1] == "shop" and key[0] != QUEUE_POLICY]
    (event,) = [event for event in world.cluster.events if event.reason == "QueueConflict"]
    assert "declared by the older policy mail/emails" in event.message


async def test_an_older_one_that_is_seen_later_takes_over(world: Any) -> None:
    """Its event came late; the younger one gives everything back."""
    world.deaf = True
    await world.put("old", queue="q", concurrency={"total": 1})
    world.deaf = False
    world.clock.seconds += 5
    await world.put("young", queue="q", concurrency={"total": 2})
    await world.settle()
    assert world.document("q").total == 2
    world.controller.changed(QUEUE_POLICY, "mail", "old")
    world.controller.queue.add(Key(QUEUE_POLICY, "mail", "old"))
    await world.settle()
    assert world.document("q").total == 1
    assert (await world.conditions("young"))["Accepted"] == "False/QueueConflict"
    assert (await world.conditions("old"))["Enforced"] == "False/PartiallyAcknowledged", "the other's pods still drain"
    await world.later(20)
    assert (await world.conditions("old"))["Ready"] == "True/InForce"
    assert not [name for _, _, name in world.cluster._objects if name == "young-worker"]
    assert "unpublish queue" not in world.store.writes, "there was a moment without limits"


async def test_an_older_owner_is_not_replaced_by_a_process_that_never_saw_it(world: Any) -> None:
    """Its event is still to come; the store's answer and one look at the cluster tell."""
    await world.put("old", queue="q", concurrency={"total": 1})
    await world.settle()
    world.restart()
    world.clock.seconds += 5
    await world.put("young", queue="q", concurrency={"total": 2})
    await world.controller.work_off()
    assert world.document("q").total == 1
    assert (await world.conditions("young"))["Accepted"] == "False/QueueConflict"
    assert "declared by" not in await world.message("young", "Accepted")
    assert "document of mail/old" in await world.message("young", "Accepted")


async def test_a_loser_takes_back_what_it_had_published(world: Any) -> None:
    """Also when the winner cannot publish yet: two policies never speak for one queue by turns."""
    world.deaf = True
    await world.put("old", queue="q", budgetRefs=[{"name": "gone"}])
    world.deaf = False
    world.clock.seconds += 5
    await world.put("young", queue="q")
    await world.settle()
    assert "queue/q" in world.store.documents
    await world.settle(prime=True)
    assert (await world.conditions("old"))["Accepted"] == "False/BudgetNotFound"
    assert (await world.conditions("young"))["Accepted"] == "False/QueueConflict"
    assert world.store.documents == {}


async def test_the_loser_follows_when_the_winner_goes(world: Any) -> None:
    """At once, not at the next resync."""
    await world.put("old", queue="q", concurrency={"total": 1})
    world.clock.seconds += 5
    await world.put("young", queue="q", concurrency={"total": 2})
    await world.settle()
    await world.remove("old")
    await world.settle()
    assert world.document("q").total == 2
    await world.later(20)
    assert (await world.conditions("young"))["Ready"] == "True/InForce"


async def test_same_age_is_decided_by_uid(world: Any) -> None:
    """Always the same one, whoever is asked first."""
    for name in ("a", "b", "c"):
        await world.put(name, queue="q")
    await world.settle()
    uids = {name: (await world.get(name))["metadata"]["uid"] for name in ("a", "b", "c")}
    winner = min(uids, key=lambda name: uids[name])
    for name in uids:
        wanted = "True/Valid" if name == winner else "False/QueueConflict"
        assert (await world.conditions(name))["Accepted"] == wanted


async def test_a_rival_that_may_not_use_the_store_is_none(world: Any) -> None:
    """It declares nothing there, however old it is."""
    world.site = Site(
        stores=(world.site.stores[0].__class__("default", namespaces=("mail",)),),
        worker_defaults=world.site.worker_defaults,
        cluster_id="here",
    )
    world.restart()
    await world.put("emails", "shop")
    world.clock.seconds += 5
    await world.put("emails")
    await world.settle(prime=True)
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"
    assert (await world.conditions("emails", namespace="shop"))["Accepted"] == "False/StoreUnknown"


async def test_an_owner_in_another_cluster_is_not_replaced(world: Any) -> None:
    """publish answers OWNED; whoever was there goes on, and this policy says who it is."""
    other = Owner("mail/emails", "theirs", 7, "elsewhere")
    await world.put("template")
    await world.settle()
    document = world.document("template").model_copy(update={"queue": "emails", "total": 99})
    world.store.gates.publish(document, other)
    await world.put("emails")
    await world.settle(prime=True)
    found = await world.conditions("emails")
    assert (found["Accepted"], found["Enforced"]) == ("False/QueueConflict", "False/NotPublished")
    assert "mail/emails of cluster elsewhere" in await world.message("emails", "Accepted")
    assert world.document("emails").total == 99
    await world.remove("emails")
    await world.settle(prime=True)
    assert world.document("emails").total == 99


async def test_an_owner_of_ours_that_is_gone_is_replaced(world: Any) -> None:
    """Read as 404: nobody else will ever take it back."""
    await world.put("former", queue="q", concurrency={"total": 1})
    await world.settle()
    world.deaf = True
    await world.remove("former")
    world.deaf = False
    world.restart()
    await world.put("emails", queue="q", concurrency={"total": 2})
    await world.controller.work_off()
    assert world.document("q").total == 2
    await world.settle(prime=True)
    await world.later(20)
    assert (await world.conditions("emails"))["Ready"] == "True/InForce"


async def test_without_a_cluster_id_nobody_is_removed(world: Any) -> None:
    """Then we could not tell ours from theirs."""
    world.site = Site(stores=world.site.stores, worker_defaults=world.site.worker_defaults)
    world.restart()
    await world.put("emails")
    await world.settle(prime=True)
    theirs = Owner("scope/theirs", "scope/theirs", 1, "")
    world.store.gates.publish(world.document("emails").model_copy(update={"queue": "theirs"}), theirs)
    await world.put("mine", queue="theirs")
    await world.settle(prime=True)
    assert (await world.conditions("mine"))["Accepted"] == "False/QueueConflict"
    assert "queue/theirs" in world.store.documents


def test_claims_answer_who_may_follow() -> None:
    """Giving a queue up names those who wait for it."""
    a, b = (Key(QUEUE_POLICY, "mail", name) for name in "ab")
    claims = Claims()
    assert claims.declare(a, ("default", "q")) == set()
    assert claims.declare(b, ("default", "q")) == set()
    assert (claims.rivals(a), claims.rivals(b)) == ([b], [a])
    assert claims.declare(a, ("other", "q")) == {b}
    assert claims.rivals(b) == []
    assert claims.declare(b, None) == set()
    assert claims.keys() == {a}


def test_standing_of_a_child() -> None:
    """Ours, adoptable, leaving or foreign: by its controller, else by our labels."""
    policy = Metadata(name="emails", uid="now")

    def child(*owners: dict[str, Any], **labels: str) -> dict[str, Any]:
        return {"metadata": {"labels": labels, "ownerReferences": list(owners)}}

    def owner(kind: str, name: str, uid: str, controller: bool = True) -> dict[str, Any]:
        return {"kind": kind, "name": name, "uid": uid, "controller": controller}

    ours = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/queue-policy": "emails"}
    assert standing(child(owner("QueuePolicy", "emails", "now")), policy) == "ours"
    assert standing(child(owner("QueuePolicy", "emails", "before")), policy) == "leaving"
    assert standing(child(owner("QueuePolicy", "others", "x"), **ours), policy) == "foreign"
    assert standing(child(owner("Rollout", "emails", "x"), **ours), policy) == "foreign"
    assert standing(child(**ours), policy) == "adoptable"
    assert standing(child(owner("Team", "growth", "x", controller=False), **ours), policy) == "adoptable"
    assert standing(child(**{"app.kubernetes.io/managed-by": "Helm"}), policy) == "foreign"
    assert standing({"metadata": {}}, policy) == "foreign"
