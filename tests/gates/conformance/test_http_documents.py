"""Surfaces: revisions, acknowledgements, what stays and what goes with a document."""

import pytest

from headgate.gates.http import Admit, Denied, StaleRules
from headgate.gates.verbs import Owned, Owner, Published, Same, Stale
from headgate.model.documents import HttpDocument, HttpRule
from tests.gates.conformance.crowd import SURFACE, Crowd, identity, per

MINE = Owner("ns/api", "uid-1", 3)


def document(limit: int = 5) -> HttpDocument:
    return HttpDocument(surface=SURFACE, rules=(HttpRule(name="general", rate=per(limit)),))


def test_another_revision_than_the_stores_is_told_the_stores(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(5)})
    asked = ((0, identity("ann")),)
    before = crowd.bench.counters()
    for surface, revision in ((SURFACE, crowd.revision + 1), (SURFACE, 0)):
        answer = crowd.door("a").admit(Admit(surface, revision, "a", "a:1", asked))
        assert answer == StaleRules(crowd.revision)
    assert crowd.door("a").admit(Admit("none", 1, "a", "a:2", asked)) == StaleRules(0)
    assert crowd.bench.counters() == before
    old = crowd.revision
    crowd.policy(general={"rate": per(6)})
    assert crowd.door("a").admit(Admit(SURFACE, old, "a", "a:3", asked)) == StaleRules(crowd.revision)


def test_a_surface_is_owned_like_a_queue(crowd: Crowd) -> None:
    gates = crowd.bench.gates("operator")
    assert gates.publish(document(5), MINE) == Published(1)
    assert gates.publish(document(5), MINE) == Same(1)
    assert gates.publish(document(6), Owner("ns/api", "uid-1", 2)) == Stale(3)
    assert gates.publish(document(6), Owner("other/api", "uid-2", 1)) == Owned(MINE)
    assert crowd.door("a").read_http(SURFACE) == (1, document(5))
    assert crowd.door("a").read_http("other") is None
    assert set(gates.inspect().owners) == {f"http/{SURFACE}"}
    assert gates.unpublish("http", SURFACE, Owner("ns/api", "uid-2", 3)) is False
    assert gates.unpublish("http", SURFACE, MINE) is True
    assert crowd.door("a").read_http(SURFACE) is None


def test_renewing_says_what_is_in_use_and_learns_what_is_published(crowd: Crowd) -> None:
    crowd.policy(flight={"in_flight": 5})
    one = crowd.ask()
    renewal = crowd.beat("api-1", one, surfaces={SURFACE: 1, "unknown": 0})
    assert renewal.revisions == {SURFACE: crowd.revision, "unknown": 0}
    assert (renewal.now, renewal.quarantine_until) == (crowd.bench.now, 0)
    crowd.beat("api-2", surfaces={SURFACE: 7})
    state = crowd.door("operator").inspect_http()[SURFACE]
    assert state.instances == {"api-1": 1, "api-2": 7}
    assert state.rules["flight"].in_flight == 1
    crowd.beat("api-2", surfaces={})
    assert crowd.door("operator").inspect_http()[SURFACE].instances == {"api-1": 1}
    crowd.bench.advance(15_000)
    assert crowd.door("operator").inspect_http()[SURFACE].instances == {}
    assert crowd.bench.gates("operator").inspect().queues == {}


@pytest.mark.parametrize("limit", [5, 300])
def test_nothing_stays_of_a_surface_that_was_withdrawn(crowd: Crowd, limit: int) -> None:
    """Every key has an end or an owner: a day after the last ban there is none left."""
    crowd.policy(
        general={"rate": per(limit), "in_flight": 9},
        everybody={"rate": per(limit), "key": "Global"},
        auth={"rate": per(2), "count": "Failures"},
        strict={"rate": per(1), "mode": "Shadow"},
    )
    for who in ("ann", "bob"):
        asked = crowd.admitted(2, who)
        crowd.beat("api-1", *asked)
        crowd.end(asked[0], failed=True)
        crowd.end(asked[1], failed=True)
        crowd.refused(who)
    crowd.withdraw()
    assert crowd.door("a").admit(Admit(SURFACE, crowd.revision, "a", "a:1", ((0, identity("ann")),))) == StaleRules(0)
    crowd.bench.advance(1_000_000 + 86_400_000)
    assert crowd.bench.own_keys() == set()


def test_a_request_that_ends_after_its_surface_is_gone_leaves_nothing(crowd: Crowd) -> None:
    crowd.budget(total=1)
    crowd.policy(auth={"rate": per(1), "count": "Failures", "in_flight": 1, "budgets": [{"name": "ns/db"}]})
    one = crowd.ask()
    crowd.withdraw()
    crowd.beat("api-1", one, surfaces={SURFACE: 0})
    assert crowd.end(one, failed=True) == 2
    assert crowd.end(one, failed=True) == 0
    assert crowd.bench.budget_holders("ns/db") == {}
    crowd.withdraw_budget()
    crowd.bench.advance(900_002)
    assert crowd.bench.own_keys() == set()


def test_what_a_process_refused_by_itself_counts_if_its_policy_is_the_present_one(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(1)})
    crowd.admitted(1)
    assert isinstance(crowd.ask().answer, Denied)
    crowd.beat("api-1", refused={"general": 41})
    crowd.beat("api-2", refused={"general": 8})
    crowd.beat("api-1", surfaces={SURFACE: crowd.revision - 1}, refused={"general": 100})
    crowd.beat("api-1", surfaces={"other": 0}, refused={"general": 100})
    crowd.beat("api-1", surfaces={SURFACE: 0}, refused={"general": 100})
    counts = crowd.door("operator").inspect_http()[SURFACE].rules["general"]
    assert (counts.allowed, counts.denied) == (1, 50)
    crowd.withdraw()
    crowd.beat("api-1", surfaces={SURFACE: 0}, refused={"general": 100})
    crowd.bench.advance(1_000_000)
    assert crowd.bench.own_keys() == set()


def test_a_beat_hears_how_many_live_processes_serve_its_surface(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(1)})
    assert crowd.beat("api-1").instances == {SURFACE: 1}
    assert crowd.beat("api-2", surfaces={SURFACE: 0, "other": 0}).instances == {SURFACE: 2, "other": 1}
    assert crowd.beat("api-3", surfaces={"other": 0}).instances == {"other": 2}
    assert crowd.beat("api-2", surfaces={}).instances == {}
    assert crowd.beat("api-1").instances == {SURFACE: 1}
    crowd.beat("api-3", surfaces={SURFACE: 0})
    crowd.bench.advance(14_999)
    assert crowd.beat("api-1").instances == {SURFACE: 2}
    crowd.bench.advance(2)
    assert crowd.beat("api-1").instances == {SURFACE: 1}


def test_statistics_go_with_their_rule(crowd: Crowd) -> None:
    crowd.policy(general={"rate": per(1)}, other={"rate": per(1)})
    crowd.ask()
    crowd.refused()
    crowd.policy(other={"rate": per(1)})
    crowd.policy(general={"rate": per(1)}, other={"rate": per(1)})
    counts = crowd.counts("general")
    assert (counts.allowed, counts.denied, counts.identities_denied) == (0, 0, 0)
    assert crowd.counts("other").allowed == 1
