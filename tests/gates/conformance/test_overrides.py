"""An operator's override: beside the document, on the store's clock, for the next start."""

from headgate.gates.overrides import Override
from headgate.gates.verbs import Blocker, Grant, Held, NoPolicy
from headgate.model.documents import RateDocument
from tests.gates.conformance.fleet import Fleet

MINUTE_MS = 60_000


def test_it_is_in_force_for_the_next_start_until_it_expires_on_the_stores_clock(fleet: Fleet) -> None:
    fleet.policy(total=3)
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    until = fleet.operator.override(Override("mail", 30_000, "incident", "ada", total=1))
    assert until == fleet.bench.now + 30_000
    assert fleet.refused("b.0").blocker == Blocker.CONCURRENCY_TOTAL
    fleet.pass_time(29_999, "a")
    fleet.refused("b.0")
    fleet.bench.advance(1)
    assert fleet.start("b.0") == "j2"


def test_it_survives_a_new_publication_and_is_shown_with_who_and_why(fleet: Fleet) -> None:
    fleet.policy(total=3)
    since = fleet.bench.now
    fleet.operator.override(Override("mail", MINUTE_MS, "incident", "ada", stop_policy="Hold"))
    fleet.policy(total=4)
    fleet.jobs("j1")
    assert fleet.claim("a.0") == Held()
    seen = fleet.operator.inspect().queues["mail"]
    assert seen.blocked_by == Blocker.STOP
    assert seen.override is not None
    assert (seen.override.by, seen.override.since, seen.override.document.reason) == ("ada", since, "incident")
    assert seen.override.document.expire_ms == since + MINUTE_MS
    fleet.bench.advance(MINUTE_MS)
    assert fleet.operator.inspect().queues["mail"].override is None


def test_it_wins_over_the_documents_own_override_where_it_says_something(fleet: Fleet) -> None:
    own = {"total": 1, "stop_policy": "Hold", "reason": "declared", "expire_ms": fleet.bench.now + MINUTE_MS}
    fleet.policy(total=3, override=own)
    fleet.jobs("j1", "j2")
    assert fleet.claim("a.0") == Held()
    fleet.operator.override(Override("mail", MINUTE_MS, "go on", stop_policy="None"))
    assert fleet.start("a.0") == "j1"
    assert fleet.refused("b.0").blocker == Blocker.CONCURRENCY_TOTAL


def test_a_rate_of_its_own(fleet: Fleet) -> None:
    fleet.policy(total=5, rate_total={"limit": 5, "period_ms": MINUTE_MS})
    fleet.jobs("j1", "j2", "j3")
    fleet.start("a.0")
    rate = RateDocument(limit=1, period_ms=MINUTE_MS)
    fleet.operator.override(Override("mail", 2 * MINUTE_MS, "slow", rate_total=rate))
    assert fleet.refused("b.0").blocker == Blocker.RATE_TOTAL
    assert fleet.operator.clear_override("mail") is True
    assert fleet.start("b.0") == "j2"


def test_clearing_wakes_who_waits(fleet: Fleet) -> None:
    fleet.policy(total=2)
    fleet.jobs("j1", "j2")
    fleet.operator.override(Override("mail", MINUTE_MS, "one at a time", total=1))
    fleet.start("a.0")
    fleet.refused("b.0")
    fleet.bench.wakes()
    assert fleet.operator.clear_override("mail") is True
    assert ("b", "mail") in fleet.bench.wakes()
    assert isinstance(fleet.claim("b.0"), Grant)


def test_a_queue_without_a_policy_cannot_be_overridden(fleet: Fleet) -> None:
    assert fleet.operator.override(Override("mail", MINUTE_MS, "why", stop_policy="None")) is None
    assert fleet.operator.clear_override("mail") is False
    assert fleet.claim("a.0") == NoPolicy()
