"""Documents: one owner each, newest generation, a revision for every accepted content, in force for the next start."""

from headgate.gates.verbs import Blocker, Declared, Grant, NoPolicy, Owned, Owner, Published, Same, Stale
from headgate.model.documents import BudgetDocument, QueueDocument
from tests.gates.conformance.fleet import Fleet

MINE = Owner("ns/mail", "uid-1", 3, "east")
THEIRS = Owner("other/mail", "uid-2", 1)


def document(total: int = 1) -> QueueDocument:
    return QueueDocument(queue="mail", total=total)


def test_every_accepted_content_gets_the_next_revision(fleet: Fleet) -> None:
    assert fleet.operator.publish(document(1), MINE) == Published(1)
    assert fleet.operator.publish(document(2), Owner("ns/mail", "uid-1", 4, "east")) == Published(2)
    assert fleet.operator.publish(BudgetDocument(name="ns/b", total=1), Owner("ns/b", "uid-b", 1)) == Published(3)
    assert fleet.operator.read_document("mail") == (2, document(2))
    assert fleet.operator.read_document("unknown") is None


def test_the_same_content_is_the_same_revision(fleet: Fleet) -> None:
    fleet.operator.publish(document(), MINE)
    assert fleet.operator.publish(document(), MINE) == Same(1)
    newer = Owner("ns/mail", "uid-1", 9, "east")
    assert fleet.operator.publish(document(), newer) == Same(1)
    assert fleet.operator.read_declared("mail").queue == Declared(1, document(), newer)


def test_an_older_generation_of_the_same_object_is_stale(fleet: Fleet) -> None:
    fleet.operator.publish(document(1), MINE)
    assert fleet.operator.publish(document(5), Owner("ns/mail", "uid-1", 2, "east")) == Stale(3)
    assert fleet.operator.read_document("mail") == (1, document(1))


def test_somebody_elses_queue_is_owned_until_they_unpublish_it(fleet: Fleet) -> None:
    fleet.operator.publish(document(1), MINE)
    assert fleet.operator.publish(document(5), THEIRS) == Owned(MINE)
    assert fleet.operator.unpublish("queue", "mail", THEIRS) is False
    assert fleet.operator.unpublish("queue", "mail", MINE) is True
    assert fleet.operator.publish(document(5), THEIRS) == Published(2)


def test_who_names_the_uid_it_replaces_takes_over_whatever_its_generation(fleet: Fleet) -> None:
    """Deleted and created again, or taken over from files: generation 1 wins over 3."""
    fleet.operator.publish(document(1), MINE)
    again = Owner("ns/mail", "uid-9", 1, "east")
    assert fleet.operator.publish(document(5), again, replaces_uid="uid-0") == Owned(MINE)
    assert fleet.operator.publish(document(5), again, replaces_uid="uid-1") == Published(2)
    assert fleet.operator.publish(document(1), MINE) == Owned(again)
    assert fleet.operator.read_document("mail") == (2, document(5))


def test_unpublish_needs_name_and_uid(fleet: Fleet) -> None:
    fleet.operator.publish(document(), MINE)
    assert fleet.operator.unpublish("queue", "mail", Owner("ns/mail", "uid-0", 3)) is False
    assert fleet.operator.unpublish("queue", "mail", Owner("ns/other", "uid-1", 3)) is False
    assert fleet.operator.unpublish("queue", "unknown", MINE) is False
    assert fleet.operator.unpublish("budget", "mail", MINE) is False
    assert fleet.operator.unpublish("queue", "mail", MINE) is True


def test_a_queue_and_a_budget_of_one_name_are_two_documents(fleet: Fleet) -> None:
    fleet.operator.publish(QueueDocument(queue="ns.b"), MINE)
    assert fleet.operator.publish(BudgetDocument(name="ns.b", total=1), THEIRS) == Published(2)
    assert set(fleet.operator.inspect().owners) == {"queue/ns.b", "budget/ns.b"}


def test_an_unpublished_queue_starts_nothing_ends_what_runs_and_leaves_nothing(fleet: Fleet) -> None:
    fleet.operator.publish(QueueDocument(queue="mail", total=2, per_key=1), MINE)
    fleet.jobs("j1", "j2", key="acme")
    answer = fleet.claim("a.0")
    assert isinstance(answer, Grant)
    fleet.operator.unpublish("queue", "mail", MINE)
    assert fleet.claim("b.0") == NoPolicy()
    assert fleet.live() == 1
    _, answer = fleet.finish_claim("a.0")
    assert answer == NoPolicy()
    assert fleet.bench.queue("mail") == ["j2"]
    fleet.bench.advance(60_000)
    assert fleet.bench.own_keys() == set()


def test_a_budget_is_gone_when_it_is_unpublished(fleet: Fleet) -> None:
    owner = Owner("ns/b", "uid-b", 1)
    fleet.operator.publish(BudgetDocument(name="ns/b", total=1), owner)
    fleet.policy(budgets=[{"name": "ns/b"}])
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    fleet.operator.unpublish("budget", "ns/b", owner)
    assert fleet.refused("b.0").blocker == "budget/ns/b"
    fleet.finish("a.0")
    assert fleet.bench.budget_holders("ns/b") == {}


def test_a_grant_says_which_revision_it_was_granted_under(fleet: Fleet) -> None:
    revision = fleet.policy(total=5)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    assert fleet.running["a.0"].grant.revision == revision
    revision = fleet.policy(total=6)
    fleet.start("a.1")
    assert fleet.running["a.1"].grant.revision == revision
    assert fleet.beat("a").revision == revision


def test_inspect_shows_gates_holders_waiters_and_what_holds_the_queue(fleet: Fleet) -> None:
    fleet.budget("ns/b", total=9)
    fleet.policy(total=1, per_key=1, rate_total={"limit": 5, "period_ms": 60_000}, budgets=[{"name": "ns/b"}])
    fleet.jobs("j1", "j2", key="acme")
    fleet.start("a.0")
    fleet.refused("b.0")
    state = fleet.operator.inspect()
    queue = state.queues["mail"]
    gates = {gate.name: gate for gate in queue.gates}
    total, rate, keys = (gates[name] for name in (Blocker.CONCURRENCY_TOTAL, Blocker.RATE_TOTAL, "concurrency.perKey"))
    execution = fleet.running["a.0"].grant.execution
    assert (total.limit, total.used, total.waiting) == (1, 1, 1)
    assert list(total.holders) == [(execution, fleet.bench.now + 20_000)]
    assert (rate.limit, rate.period_ms, rate.used, rate.open_at) == (5, 60_000, 1, None)
    assert (keys.limit, keys.used) == (1, 1)
    assert [(gate.name, gate.limit, gate.used) for gate in state.budgets["ns/b"]] == [("budget/ns/b", 9, 1)]
    assert (queue.queued, queue.running, queue.blocked_by) == (1, 1, Blocker.CONCURRENCY_TOTAL)
    assert state.now == fleet.bench.now
