"""perKey: each key has its own places and a full one holds back nobody else. Turns between keys, queue order in one."""

from headgate.gates.verbs import LEASE_MS, Blocker, Deferred, Empty, Finished, Grant, KeysWanted, Returned
from tests.gates.conformance.fleet import Fleet


def two_tenants(fleet: Fleet) -> None:
    for i in range(1, 4):
        fleet.jobs(f"a{i}", key="acme")
    for i in range(1, 4):
        fleet.jobs(f"b{i}", key="bolt")


def test_turns_go_round_the_keys_and_each_key_keeps_its_order(fleet: Fleet) -> None:
    fleet.policy(per_key=3)
    two_tenants(fleet)
    assert fleet.starts("w.0", "w.1", "w.2", "w.3", "w.4", "w.5") == ["a1", "b1", "a2", "b2", "a3", "b3"]
    assert fleet.claim("w.6") == Empty(0)


def test_a_full_key_holds_back_nobody_else(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    two_tenants(fleet)
    assert fleet.starts("w.0", "w.1") == ["a1", "b1"]
    refusal = fleet.refused("w.2")
    assert (refusal.blocker, refusal.open_at, refusal.holders) == (Blocker.CONCURRENCY_PER_KEY, None, 2)
    fleet.finish("w.1")
    assert fleet.start("w.2") == "b2"
    assert fleet.bench.queue("mail") == ["a2", "a3", "b3"]


def test_the_same_slot_gets_the_next_of_the_key_it_freed(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", key="acme")
    fleet.start("w.0")
    finished, answer = fleet.finish_claim("w.0")
    assert finished is Finished.OK
    assert isinstance(answer, Grant)
    assert answer.job_id == "a2"
    assert len(fleet.bench.key_holders("mail", "acme")) == 1


def test_ids_stay_in_rqs_list_until_they_start_and_cancel_works_on_them(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    two_tenants(fleet)
    fleet.starts("w.0", "w.1")
    fleet.refused("w.2")
    assert fleet.bench.queue("mail") == ["a2", "a3", "b2", "b3"]
    fleet.bench.cancel("a2")
    fleet.finish("w.0")
    assert fleet.start("w.2") == "a3"


def test_a_job_pushed_to_the_front_is_the_next_of_its_key(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", key="acme")
    fleet.start("w.0")
    fleet.refused("w.1")
    fleet.bench.enqueue("mail", "a0", key="acme", at_front=True)
    fleet.finish("w.0")
    assert fleet.start("w.1") == "a0"


def test_a_job_handed_back_is_the_next_of_its_key(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", key="acme")
    fleet.start("w.0")
    fleet.refused("w.1")
    fleet.finish("w.0", Returned())
    assert fleet.bench.queue("mail") == ["a1", "a2"]
    assert fleet.start("w.1") == "a1"


def test_jobs_without_a_key_are_free_and_counted(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("j1", "j2", "j3")
    assert fleet.starts("w.0", "w.1", "w.2") == ["j1", "j2", "j3"]
    assert fleet.operator.inspect().queues["mail"].keyless == 3


def test_keys_in_meta_are_asked_for_and_told(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    for job_id in ("m1", "m2", "m3"):
        fleet.bench.enqueue("mail", job_id, meta=True)
    fleet.jobs("p1", key="acme")
    assert fleet.claim("w.0") == KeysWanted(("m1", "m2", "m3"))
    told = fleet.ask("w.0", keys={"m1": "acme", "m2": "acme", "m3": None})
    answer = fleet.door("w.0").claim(told)
    assert isinstance(answer, Grant)
    started = {answer.job_id, fleet.start("w.1")}
    assert started == {"m1", "m3"}
    assert fleet.refused("w.2").blocker == Blocker.CONCURRENCY_PER_KEY


def test_a_plain_field_wins_over_meta(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.bench.enqueue("mail", "m1", key="acme", meta=True)
    assert fleet.start("w.0") == "m1"
    assert len(fleet.bench.key_holders("mail", "acme")) == 1


def test_a_dead_pods_key_is_free_after_its_lease(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", key="acme")
    fleet.start("w.0")
    fleet.refused("v.0")
    fleet.kill("w")
    fleet.pass_time(LEASE_MS, "v")
    assert fleet.start("v.0") == "a1"
    assert fleet.refused("v.1").blocker == Blocker.CONCURRENCY_PER_KEY


def test_total_and_per_key_hold_together(fleet: Fleet) -> None:
    fleet.policy(total=2, per_key=1)
    two_tenants(fleet)
    fleet.jobs("c1", key="coil")
    fleet.starts("w.0", "w.1")
    assert fleet.refused("w.2").blocker == Blocker.CONCURRENCY_TOTAL
    fleet.finish("w.0")
    assert fleet.start("w.2") == "c1"


def test_raised_and_removed_limits_are_in_force_for_the_next_start(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", "a3", "a4", key="acme")
    fleet.start("w.0")
    fleet.refused("w.1")
    fleet.policy(per_key=2)
    assert fleet.start("w.1") == "a2"
    fleet.refused("w.2")
    fleet.policy()
    assert fleet.starts("w.2", "w.3") == ["a3", "a4"]


def test_a_lowered_per_key_waits_until_it_fits(fleet: Fleet) -> None:
    fleet.policy(per_key=2)
    fleet.jobs("a1", "a2", "a3", key="acme")
    fleet.starts("w.0", "w.1")
    fleet.policy(per_key=1)
    fleet.finish("w.0")
    assert fleet.refused("w.2").blocker == Blocker.CONCURRENCY_PER_KEY
    fleet.finish("w.1")
    assert fleet.start("w.2") == "a3"


def test_a_key_that_said_rate_limited_sleeps_alone(fleet: Fleet) -> None:
    fleet.policy(per_key=2)
    fleet.jobs("a1", "a2", key="acme")
    fleet.jobs("b1", key="bolt")
    fleet.start("w.0")
    until = fleet.bench.now + 3_000
    fleet.finish("w.0", Deferred("key", 3_000))
    assert fleet.bench.queue("mail") == ["a1", "a2", "b1"]
    assert fleet.start("w.0") == "b1"
    refusal = fleet.refused("w.1")
    assert (refusal.blocker, refusal.open_at) == (Blocker.RATE_PER_KEY, until)
    fleet.pass_time(3_000, "w")
    assert fleet.start("w.1") == "a1"


def test_another_tenant_behind_many_blocked_jobs_starts(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    for i in range(400):
        fleet.jobs(f"a{i}", key="acme")
    fleet.jobs("b0", key="bolt")
    assert fleet.starts("w.0", "w.1") == ["a0", "b0"]
    assert fleet.refused("w.2").blocker == Blocker.CONCURRENCY_PER_KEY


def test_nothing_of_a_drained_key_is_left(fleet: Fleet) -> None:
    fleet.policy(per_key=1)
    fleet.jobs("a1", "a2", key="acme")
    for _ in range(2):
        fleet.start("w.0")
        fleet.finish("w.0")
    assert fleet.claim("w.0") == Empty(0)
    assert fleet.bench.key_holders("mail", "acme") == {}
    assert fleet.bench.holders("mail") == {}
