"""Data or contact was lost: nothing starts for one lease, what runs announces itself, the limit holds after."""

from headgate.gates.verbs import Finished, Grant, Kept, NoPolicy, Quarantine, Wait
from headgate.model.documents import RateDocument
from tests.gates.play import Play


def test_first_install_starts_at_once(play: Play) -> None:
    play.policy(total=1)
    play.enqueue(1)
    assert isinstance(play.claim("a.0"), Grant)


def test_an_emptied_store_is_noticed_and_what_runs_is_taken_in_again(play: Play) -> None:
    play.policy(total=2)
    play.beat("a")
    play.enqueue(3)
    play.claim("a.0"), play.claim("a.1")
    fence = play.running["a.1"].fence
    play.client.flushall()
    renewal = play.beat("a")
    assert set(renewal.kept.values()) == {Kept.READDED}
    assert renewal.quarantine_until > renewal.now
    play.policy(total=2)
    play.enqueue(3)
    assert isinstance(play.claim("a.2"), Quarantine)
    play.move(10), play.beat("a"), play.move(11), play.beat("a")
    assert play.claim("a.2") == Wait("concurrency.total", None, 2)
    assert play.finish("a.0") is Finished.OK
    answer = play.claim("a.2")
    assert isinstance(answer, Grant)
    assert answer.fence > fence


def test_lost_last_writes_are_noticed_by_the_sequence(play: Play) -> None:
    """The claim was answered, then the store came back without it: its job runs and is queued at the same time."""
    play.policy(total=1)
    play.beat("a")
    (job,) = play.enqueue(1)
    before = {key: play.client.dump(key) for key in play.client.keys("*")}
    play.claim("a.0")
    play.client.flushdb()
    for key, value in before.items():
        play.client.restore(key, 0, value)
    assert isinstance(play.claim("a.1"), Quarantine)
    assert play.beat("a").kept == {"execution1": Kept.READDED}
    assert play.client.llen("rq:queue:q") == 0, "its id was taken out of the list again"
    assert job.get_status() == "started"
    play.move(21)
    play.beat("a")
    assert play.finish("a.0") is Finished.OK
    assert job.get_status() == "finished"


def test_a_job_that_ends_in_quarantine_before_its_renewal_counts_once(play: Play) -> None:
    play.policy(total=1)
    (job,) = play.enqueue(1)
    before = {key: play.client.dump(key) for key in play.client.keys("*")}
    play.claim("a.0")
    play.client.flushdb()
    for key, value in before.items():
        play.client.restore(key, 0, value)
    assert play.finish("a.0") is Finished.OK
    assert job.get_status() == "finished"
    assert play.client.llen("rq:queue:q") == 0
    assert play.client.zcard("rq:hg:q:q:held") == 0


def test_everybody_cut_off_means_quarantine_and_nobody_is_reaped(play: Play) -> None:
    play.policy(total=1)
    play.beat("a")
    play.enqueue(2)
    play.claim("a.0")
    play.move(30)
    assert isinstance(play.claim("b.0"), Quarantine)
    assert play.door.reap() == ()
    assert play.beat("a").kept == {"execution1": Kept.KEPT}
    play.move(10), play.beat("a"), play.move(11), play.beat("a")
    assert isinstance(play.claim("b.0"), Wait)


def test_a_pause_without_lapsed_leases_is_no_loss(play: Play) -> None:
    play.policy(total=2)
    play.beat("a")
    play.enqueue(2)
    play.claim("a.0")
    play.move(15)
    assert isinstance(play.claim("b.0"), Grant)


def test_a_clock_set_back_by_more_than_a_lease_means_quarantine_then_the_new_clock_holds(play: Play) -> None:
    play.policy(rate_total=RateDocument(limit=1, period_ms=1_000))
    play.beat("a")
    play.enqueue(4)
    play.move(3_600), play.beat("a")
    assert isinstance(play.claim("a.0"), Grant)
    play.move(-3_600)
    assert isinstance(play.claim("a.1"), Quarantine)
    play.move(10), play.beat("a"), play.move(11), play.beat("a")
    assert isinstance(play.claim("a.1"), Grant), "starts dated in a future that never came hold nobody"
    assert isinstance(play.claim("a.2"), Wait)


def test_a_small_step_back_is_no_loss_and_no_extra_start(play: Play) -> None:
    play.policy(rate_total=RateDocument(limit=1, period_ms=2_000))
    play.beat("a")
    play.enqueue(4)
    assert isinstance(play.claim("a.0"), Grant)
    start = play.door.now
    play.move(-5)
    answer = play.claim("a.1")
    assert isinstance(answer, Wait)
    assert answer.open_at is not None
    assert answer.open_at >= start + 2_000


def test_rates_count_as_full_after_a_loss(play: Play) -> None:
    play.policy(rate_total=RateDocument(limit=5, period_ms=60_000))
    play.beat("a")
    play.enqueue(2)
    play.claim("a.0")
    play.client.flushall()
    play.policy(rate_total=RateDocument(limit=5, period_ms=60_000))
    lost_at = play.door.now
    play.enqueue(2)
    play.move(10), play.beat("a"), play.move(11), play.beat("a")
    answer = play.claim("a.1")
    assert isinstance(answer, Wait)
    assert answer.open_at is not None
    assert 0 <= answer.open_at - lost_at - 60_000 < 500


def test_a_second_caller_with_the_old_epoch_does_not_prolong_the_quarantine(play: Play) -> None:
    other = Play(play.url)
    play.policy(total=1)
    play.beat("a"), other.beat("b")
    play.client.flushall()
    until = play.beat("a").quarantine_until
    play.move(19)
    assert other.beat("b").quarantine_until == until
    play.move(2)
    assert isinstance(other.claim("b.0"), NoPolicy)
    other.close()


def test_a_store_emptied_and_first_seen_by_a_newcomer_is_still_noticed_by_those_who_knew_it(play: Play) -> None:
    play.policy(total=1)
    play.enqueue(1)
    play.claim("a.0")
    play.client.flushall()
    newcomer = Play(play.url)
    newcomer.policy(total=1)
    newcomer.enqueue(1)
    assert play.beat("a").kept == {"execution1": Kept.READDED}
    assert isinstance(newcomer.claim("b.0"), Quarantine)
    newcomer.close()


def test_fences_grow_past_grants_that_the_first_to_notice_never_saw(play: Play) -> None:
    other = Play(play.url)
    play.policy(total=9)
    play.beat("a")
    play.enqueue(5)
    other.claim("b.0"), other.claim("b.1"), other.claim("b.2")
    play.client.flushall()
    play.beat("a")
    play.policy(total=9)
    play.enqueue(1)
    play.move(10), play.beat("a"), play.move(11), play.beat("a")
    answer = play.claim("a.0")
    assert isinstance(answer, Grant)
    assert answer.fence > max(grant.fence for grant in other.running.values())
    other.close()
