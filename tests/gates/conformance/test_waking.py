"""A freed place wakes one instance that waits for it; nobody is woken for nothing."""

import pytest

from headgate.gates.verbs import LEASE_MS, Lost, Outcome, Returned
from tests.gates.conformance.fleet import Fleet


def waiting_for_a_place(fleet: Fleet, *pods: str) -> None:
    """j1 runs on w.0; each pod was refused, in this order."""
    fleet.policy(total=1)
    fleet.jobs("j1", "j2", "j3")
    for pod in ("w", *pods):
        fleet.beat(pod)
    fleet.start("w.0")
    for pod in pods:
        fleet.refused(f"{pod}.0")
        fleet.bench.advance(10)
    fleet.bench.wakes()


def test_the_pod_that_waits_longest_is_woken_alone(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b", "a")
    fleet.finish("w.0")
    assert fleet.bench.wakes() == [("b", "mail")]


def test_asking_again_keeps_the_place_in_line(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b", "a")
    fleet.refused("b.1")
    fleet.finish("w.0")
    assert fleet.bench.wakes() == [("b", "mail")]


def test_a_slot_that_takes_its_own_place_again_wakes_nobody(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b")
    fleet.finish_claim("w.0")
    assert fleet.bench.wakes() == []


def test_whoever_starts_waits_no_more(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b", "a")
    fleet.finish("w.0")
    fleet.start("a.0")
    fleet.bench.wakes()
    fleet.finish("a.0")
    assert fleet.bench.wakes() == []


def test_a_dead_pod_is_passed_over(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "dead", "b")
    fleet.pass_time(15_000, "w", "b")
    fleet.bench.wakes()
    fleet.finish("w.0")
    assert fleet.bench.wakes() == [("b", "mail")]


@pytest.mark.parametrize("outcome", [Returned(), Lost()], ids=["returned", "lost"])
def test_what_is_handed_back_frees_its_place(fleet: Fleet, outcome: Outcome) -> None:
    waiting_for_a_place(fleet, "b")
    fleet.finish("w.0", outcome)
    assert fleet.bench.wakes() == [("b", "mail")]


def test_what_is_released_or_reaped_frees_its_place(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b", "a")
    holding = fleet.running["w.0"].holding
    fleet.door("w.0").seal(holding)
    fleet.door("w.0").release(holding)
    assert fleet.bench.wakes() == [("b", "mail")]
    fleet.start("b.0")
    fleet.kill("b")
    fleet.pass_time(LEASE_MS, "a")
    assert fleet.bench.wakes() == [("a", "mail")]


def test_new_limits_wake_everybody_who_waits(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b", "a")
    fleet.policy(total=3)
    assert fleet.bench.wakes() == [("b", "mail"), ("a", "mail")]


def test_a_freed_key_wakes_one(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    for pod in ("w", "b"):
        fleet.beat(pod)
    fleet.jobs("a1", "a2", key="acme")
    fleet.start("w.0")
    fleet.refused("b.0")
    fleet.finish("w.0")
    assert fleet.bench.wakes() == [("b", "mail")]


def test_who_renews_with_an_idle_slot_is_told_of_room_and_work_even_if_its_wake_was_lost(fleet: Fleet) -> None:
    waiting_for_a_place(fleet, "b")
    fleet.finish("w.0")
    fleet.bench.wakes()
    assert fleet.beat("b").wake is True
