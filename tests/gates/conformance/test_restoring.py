"""The store lost its documents: who has a copy publishes it again, and never against what was decided since."""

from headgate.gates.verbs import Declarations, Declared, Grant, Owned, Owner, Published, Quarantine, Same, Stale
from headgate.model.documents import BudgetDocument, BudgetShare, QueueDocument
from tests.gates.conformance.fleet import Fleet

SHARE = (BudgetShare(name="ns/mail"),)


def document(total: int) -> QueueDocument:
    return QueueDocument(queue="mail", total=total)


def owner(generation: int, uid: str = "uid-1") -> Owner:
    return Owner("ns/mail", uid, generation, "east")


def wiped(fleet: Fleet) -> None:
    """The store comes up empty, a second later."""
    fleet.bench.advance(1000)
    fleet.bench.wipe()


def copy_of(fleet: Fleet, total: int, generation: int) -> Declared[QueueDocument]:
    """What a worker of pod a keeps of a policy that is in force."""
    fleet.operator.publish(document(total), owner(generation))
    kept = fleet.door("a.0").read_declared("mail").queue
    assert kept is not None
    return kept


def test_a_queue_is_read_with_its_budgets_and_their_owners(fleet: Fleet) -> None:
    door = fleet.door("a.0")
    assert door.read_declared("mail").queue is None
    fleet.budget("ns/mail", total=4)
    fleet.budget("ns/other", total=4)
    shares = (*SHARE, BudgetShare(name="ns/absent"))
    fleet.operator.publish(QueueDocument(queue="mail", budgets=shares), owner(7))
    read = door.read_declared("mail")
    budget = Declared(1, BudgetDocument(name="ns/mail", total=4), Owner("ns/mail", "uid-ns/mail", 1))
    queue = Declared(3, QueueDocument(queue="mail", budgets=shares), owner(7))
    assert read == Declarations(read.epoch, queue, (budget,))
    assert read.epoch == fleet.operator.inspect().epoch


def test_the_copies_let_work_go_on_after_the_quarantine(fleet: Fleet) -> None:
    fleet.budget("ns/mail", total=1)
    fleet.policy(total=5, budgets=SHARE)
    fleet.beat("a")
    before = fleet.door("a.0").read_declared("mail")
    wiped(fleet)
    after = fleet.door("a.0").read_declared("mail")
    assert after.epoch != before.epoch
    assert (after.queue, after.budgets) == (None, ())
    assert before.queue is not None
    assert isinstance(fleet.door("a.0").restore(before.budgets[0]), Published)
    assert isinstance(fleet.door("a.0").restore(before.queue), Published)
    fleet.jobs("j1", "j2")
    assert isinstance(fleet.claim("a.0"), Quarantine)
    for _ in range(5):
        fleet.bench.advance(5000)
        fleet.beat("a")
    assert isinstance(fleet.claim("a.0"), Grant)
    assert fleet.refused("b.0").blocker == "budget/ns/mail"


def test_its_revision_is_above_that_of_the_copy(fleet: Fleet) -> None:
    """A slot knows rules by their revision."""
    copy_of(fleet, 1, 1), copy_of(fleet, 2, 2)
    kept = copy_of(fleet, 3, 3)
    wiped(fleet)
    assert fleet.door("a.0").restore(kept) == Published(4)
    assert fleet.door("b.0").restore(kept) == Same(4)
    assert fleet.operator.publish(document(4), owner(4)) == Published(5)


def test_what_was_declared_since_wins_whatever_its_generation(fleet: Fleet) -> None:
    """Files count their generations from 1 again."""
    kept = copy_of(fleet, 5, 9)
    wiped(fleet)
    fleet.operator.publish(document(1), owner(1))
    assert fleet.door("a.0").restore(kept) == Stale(1)
    fleet.operator.publish(document(2), owner(1, "uid-2"), replaces_uid="uid-1")
    assert fleet.door("a.0").restore(kept) == Owned(owner(1, "uid-2"))
    read = fleet.operator.read_declared("mail").queue
    assert read is not None
    assert read.document == document(2)


def test_of_several_copies_the_newest_wins_in_any_order(fleet: Fleet) -> None:
    old, new = copy_of(fleet, 4, 4), copy_of(fleet, 5, 5)
    for order in ((old, new), (new, old)):
        wiped(fleet)
        answers = [fleet.door("a.0").restore(copy) for copy in order]
        assert isinstance(answers[0], Published)
        assert isinstance(answers[1], Published) if order[0] is old else answers[1] == Stale(5)
        read = fleet.operator.read_declared("mail").queue
        assert read is not None
        assert (read.document, read.owner) == (document(5), owner(5))


def test_once_somebody_published_a_newer_copy_is_refused_too(fleet: Fleet) -> None:
    old, new = copy_of(fleet, 4, 4), copy_of(fleet, 5, 5)
    wiped(fleet)
    fleet.door("a.0").restore(old)
    assert isinstance(fleet.operator.publish(document(4), owner(4)), Same)
    assert fleet.door("b.0").restore(new) == Stale(4)


def test_what_was_unpublished_since_stays_away(fleet: Fleet) -> None:
    kept = copy_of(fleet, 5, 5)
    wiped(fleet)
    fleet.operator.publish(document(5), owner(5))
    fleet.operator.unpublish("queue", "mail", owner(5))
    assert fleet.door("a.0").restore(kept) == Stale(5)
    assert fleet.operator.read_document("mail") is None
    assert isinstance(fleet.operator.publish(document(6), owner(6)), Published), "who declares it again may"


def test_what_was_unpublished_while_it_was_lost_stays_away(fleet: Fleet) -> None:
    kept = copy_of(fleet, 5, 5)
    wiped(fleet)
    assert fleet.operator.unpublish("queue", "mail", owner(5)) is False
    assert fleet.door("a.0").restore(kept) == Stale(5)
    fleet.bench.advance(86_400_001)
    assert isinstance(fleet.door("a.0").restore(kept), Published)
