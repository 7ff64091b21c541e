"""Who is woken by what: freed places, carried places of budgets, openings in order, never a herd."""

import redis

from headgate.gates.verbs import Empty, Finished, Grant, Lost, Returned, Wait
from headgate.model.documents import BudgetShare, RateDocument
from tests.gates.play import Play


class Wakes:
    """The wakes that a pod was sent."""

    def __init__(self, client: redis.Redis, *instances: str) -> None:
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)
        self._pubsub.subscribe(*(f"rq:hg:wake:{name}" for name in instances))
        for _ in instances:
            self._pubsub.get_message(timeout=1)

    def taken(self) -> list[tuple[str, str]]:
        """(instance, queue) of each wake since the last call."""
        got = []
        while message := self._pubsub.get_message(timeout=0.05):
            got.append((message["channel"].decode().rpartition(":")[2], message["data"].decode()))
        return got

    def close(self) -> None:
        self._pubsub.close()


def test_a_freed_place_wakes_the_pod_that_waited_longest(play: Play) -> None:
    play.policy(total=1)
    for pod in ("a", "b", "c"):
        play.beat(pod)
    play.enqueue(5)
    assert isinstance(play.claim("a.0"), Grant)
    assert play.claim("b.0") == Wait("concurrency.total", None, 1)
    assert isinstance(play.claim("c.0"), Wait)
    wakes = Wakes(play.client, "a", "b", "c")
    assert play.finish("a.0") is Finished.OK
    assert wakes.taken() == [("b", "q")]
    wakes.close()


def test_a_slot_that_goes_on_wakes_nobody(play: Play) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    play.enqueue(5)
    play.claim("a.0")
    play.claim("b.0")
    wakes = Wakes(play.client, "a", "b")
    assert isinstance(play.cycle("a.0")[1], Grant)
    assert wakes.taken() == []
    wakes.close()


def test_a_dead_waiter_is_passed_over(play: Play) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    play.enqueue(5)
    play.claim("a.0")
    play.claim("b.0")
    play.move(8)
    play.beat("a"), play.beat("c")
    play.claim("c.0")
    play.move(8)  # b has not renewed for 16 s
    play.beat("a"), play.beat("c")
    wakes = Wakes(play.client, "a", "b", "c")
    play.finish("a.0")
    assert wakes.taken() == [("c", "q")]
    wakes.close()


def test_a_budget_place_goes_to_the_queue_that_waits_not_to_the_busy_one(play: Play) -> None:
    play.budget("ns/mail", total=1)
    for queue in ("busy", "calm"):
        play.policy(queue, total=5, budgets=(BudgetShare(name="ns/mail"),))
        play.enqueue(9, queue=queue)
    play.beat("a", queue="busy"), play.beat("b", queue="calm")
    assert isinstance(play.claim("a.0", "busy"), Grant)
    assert play.claim("b.0", "calm") == Wait("budget/ns/mail", None, 1)
    wakes = Wakes(play.client, "a", "b")
    finished, answer = play.cycle("a.0", "busy")
    assert (finished, answer) == (Finished.OK, Wait("budget/ns/mail", None, 1))
    assert wakes.taken() == [("b", "calm")]
    assert isinstance(play.claim("a.1", "busy"), Wait), "the place is carried to b"
    assert isinstance(play.claim("b.0", "calm"), Grant)
    assert isinstance(play.claim("b.1", "calm"), Wait)
    play.finish("b.0", queue="calm")
    assert wakes.taken() == [("a", "busy")], "first come, first served"
    wakes.close()


def test_a_carried_place_lapses_after_half_a_second(play: Play) -> None:
    play.budget("ns/mail", total=1)
    for queue in ("x", "y"):
        play.policy(queue, budgets=(BudgetShare(name="ns/mail"),))
        play.enqueue(3, queue=queue)
    play.beat("a", queue="x"), play.beat("b", queue="y")
    play.claim("a.0", "x")
    play.claim("b.0", "y")
    play.finish("a.0", queue="x")
    assert isinstance(play.claim("a.0", "x"), Wait)
    play.move(0.6)
    assert isinstance(play.claim("a.0", "x"), Grant)


def test_weights_take_that_many_places(play: Play) -> None:
    play.budget("ns/mail", total=5)
    play.policy("x", budgets=(BudgetShare(name="ns/mail", weight=2),))
    play.policy("y", budgets=(BudgetShare(name="ns/mail", weight=1),))
    play.enqueue(9, queue="x"), play.enqueue(9, queue="y")
    play.beat("a", queue="x"), play.beat("b", queue="y")
    assert isinstance(play.claim("a.0", "x"), Grant)
    assert isinstance(play.claim("a.1", "x"), Grant)
    assert play.claim("a.2", "x") == Wait("budget/ns/mail", None, 4)
    assert isinstance(play.claim("b.0", "y"), Wait), "the heavier one came first and is not passed"
    play.finish("a.0", queue="x")
    assert isinstance(play.claim("a.2", "x"), Grant)
    assert isinstance(play.claim("b.0", "y"), Grant)
    assert play.client.zcard("rq:hg:b:ns/mail:held") == 5


def test_waiters_of_a_rate_are_told_one_opening_each(play: Play) -> None:
    play.policy(rate_total=RateDocument(limit=3, period_ms=60_000))
    for pod in ("a", "b", "c", "d"):
        play.beat(pod)
    play.enqueue(9)
    starts = []
    for slot in ("a.0", "a.1", "a.2"):
        play.claim(slot)
        starts.append(play.door.now)
        play.move(2)
    told = [play.claim(f"{pod}.0") for pod in ("b", "c", "d")]
    for answer, start in zip(told, starts, strict=True):
        assert isinstance(answer, Wait)
        assert answer.blocker == "rate.total"
        assert answer.open_at is not None
        assert 0 <= answer.open_at - (start + 60_000) <= 1


def test_a_new_limit_wakes_those_who_wait(play: Play) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    play.enqueue(5)
    play.claim("a.0")
    play.claim("b.0")
    wakes = Wakes(play.client, "a", "b")
    play.policy(total=2)
    assert wakes.taken() == [("b", "q")]
    assert isinstance(play.claim("b.0"), Grant)
    wakes.close()


def test_a_raised_budget_hands_its_places_over(play: Play) -> None:
    play.budget("ns/mail", total=1)
    play.policy(budgets=(BudgetShare(name="ns/mail"),))
    play.beat("a"), play.beat("b")
    play.enqueue(5)
    play.claim("a.0")
    play.claim("b.0")
    wakes = Wakes(play.client, "a", "b")
    play.budget("ns/mail", total=2)
    assert wakes.taken() == [("b", "q")]
    wakes.close()


def test_a_queue_that_is_empty_wakes_nobody_when_a_place_is_freed(play: Play) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    play.enqueue(1)
    play.claim("a.0")
    assert isinstance(play.claim("b.0"), Wait)
    assert play.cycle("a.0") == (Finished.OK, Empty(0))


def test_what_is_handed_back_or_lost_frees_its_place(play: Play) -> None:
    play.policy(total=1)
    play.beat("a"), play.beat("b")
    play.enqueue(2)
    for outcome in (Returned(), Lost()):
        play.claim("a.0")
        play.claim("b.0")
        wakes = Wakes(play.client, "a", "b")
        assert play.finish("a.0", outcome) is Finished.OK
        assert wakes.taken() == [("b", "q")]
        wakes.close()
    assert play.client.llen("rq:queue:q") == 2
