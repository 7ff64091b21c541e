"""A lost reply: the same call again, with the same nonce, has the same effect once."""

from headgate.gates.verbs import Empty, Finished, Grant
from tests.gates.conformance.fleet import Fleet, Running


def test_the_same_claim_twice_is_one_grant(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    claim = fleet.ask("a.0")
    first, second = fleet.door("a.0").claim(claim), fleet.door("a.0").claim(claim)
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    assert (first.job_id, first.fence, first.places) == (second.job_id, second.fence, second.places)
    assert fleet.live() == 1
    assert fleet.bench.queue("mail") == ["j2"]


def test_the_same_claim_after_its_job_ended_is_not_the_old_grant(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1")
    claim = fleet.ask("a.0")
    grant = fleet.door("a.0").claim(claim)
    assert isinstance(grant, Grant)
    fleet.running["a.0"] = Running("mail", "a.0", grant)
    fleet.finish("a.0")
    assert fleet.door("a.0").claim(claim) == Empty(0)


def test_the_same_finish_twice_gives_one_place_back(fleet: Fleet) -> None:
    fleet.policy(total=1)
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    end = fleet.running["a.0"].end()
    assert fleet.door("a.0").finish(end) is Finished.OK
    fleet.start("b.0")
    assert fleet.door("a.0").finish(end) is Finished.OK
    assert fleet.live() == 1
    fleet.refused("c.0")


def test_the_same_finish_claim_twice_ends_one_and_starts_one(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    end, claim = fleet.running["a.0"].end(), fleet.ask("a.0")
    first, second = fleet.door("a.0").finish_claim(end, claim), fleet.door("a.0").finish_claim(end, claim)
    assert first[0] is second[0] is Finished.OK
    assert isinstance(first[1], Grant)
    assert isinstance(second[1], Grant)
    assert (first[1].job_id, first[1].fence) == (second[1].job_id, second[1].fence) == ("j2", first[1].fence)
    assert fleet.bench.queue("mail") == ["j3"]
    assert fleet.live() == 1


def test_finish_alone_after_a_finish_claim_that_was_answered_changes_nothing(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.start("a.0")
    end = fleet.running["a.0"].end()
    fleet.door("a.0").finish_claim(end, fleet.ask("a.0"))
    assert fleet.door("a.0").finish(end) is Finished.OK
    assert fleet.live() == 1
