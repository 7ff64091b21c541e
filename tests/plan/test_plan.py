"""headgate plan: the arithmetic of the story, and the corners in which arithmetic lies."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.model.parse import Resource, parse
from headgate.plan import Plan, as_text, headline, plan

HEAD = {"apiVersion": "headgate.dev/v1alpha1"}


def policy(name: str, namespace: str = "default", **spec: Any) -> Resource:
    return parse({**HEAD, "kind": "QueuePolicy", "metadata": {"name": name, "namespace": namespace}, "spec": spec})


def budget(name: str, total: int | None = None, reserved: int = 0, **spec: Any) -> Resource:
    concurrency = {} if total is None else {"concurrency": {"total": total, "httpReserved": reserved}}
    return parse({**HEAD, "kind": "Budget", "metadata": {"name": name}, "spec": concurrency | spec})


STORY = [policy(name, concurrency={"perWorker": 5}) for name in ("campaigns", "follow-ups")] + [
    policy(f"queue-{number}") for number in range(7)
]


def test_the_story_is_31_and_was_90() -> None:
    """Nine workers; two with five slots, seven with three; before, ten each."""
    found = plan(STORY, before=10)
    assert headline(found) == "at most 31 jobs at once (before: 9 x 10 = 90)"
    assert (found.total, found.before and found.before.total, found.problems) == (31, 90, ())
    assert {(q.slots, q.bound_by) for q in found.queues} == {(5, "slots"), (3, "slots")}


def test_totals_and_replicas_count() -> None:
    """2 x 5 slots under a total of 7; three workers before."""
    found = plan(
        [policy("a", concurrency={"perWorker": 5, "total": 7}, workers={"replicas": 2}), policy("b")], before=10
    )
    assert [(q.slots, q.bound, q.bound_by) for q in found.queues] == [(10, 7, "total"), (3, 3, "slots")]
    assert headline(found) == "at most 10 jobs at once (before: 3 x 10 = 30)"


def test_a_shared_budget_bounds_the_sum_not_only_each() -> None:
    """Each queue alone could run 5; together 6; demand says what they would want."""
    refs = [{"name": "mail"}]
    members = [policy(name, concurrency={"perWorker": 5}, budgetRefs=refs) for name in ("a", "b")]
    found = plan([budget("mail", 8, 2), *members, policy("c")])
    assert found.total == 6 + 3
    assert (found.budgets[0].demand, found.budgets[0].members) == (10, ("default/a", "default/b"))


def test_a_budget_of_rates_bounds_no_concurrency() -> None:
    """As in the story: the provider takes so many a second."""
    rate = {"total": {"limit": 50, "periodSeconds": 1}}
    found = plan([budget("mail", rate=rate), policy("a", budgetRefs=[{"name": "mail"}])])
    assert found.total == 3
    assert (found.budgets[0].total, found.budgets[0].rate) == (None, "50/1s")


def test_autoscaling_counts_with_its_most_workers() -> None:
    """A plan is about the worst hour."""
    found = plan([policy("a", workers={"replicas": 2, "autoscaling": {"maxReplicas": 7}})])
    assert (found.queues[0].workers, found.total) == (7, 21)


def test_problems_are_named_and_the_rest_is_counted() -> None:
    """A conflict, a missing budget, a budget elsewhere."""
    found = plan(
        [
            policy("a", queue="q"),
            policy("b", queue="q", namespace="other"),
            policy("c", budgetRefs=[{"name": "gone"}, {"name": "far"}]),
            budget("far", 1, store="elsewhere"),
        ]
    )
    assert found.problems == (
        "other/b: queue q of store default is already declared by default/a, give it another queue",
        "default/c: spec.budgetRefs[0].name: there is no Budget default/gone, declare it or remove the reference",
        "default/c: spec.budgetRefs[1].name: Budget default/far is in store elsewhere, this queue in default",
    )
    assert [q.policy for q in found.queues] == ["default/a", "default/c"]


def test_an_override_counts_until_it_ends() -> None:
    """The clock is the caller's."""
    override = {"concurrencyTotal": 1, "reason": "slow", "expireTime": "1970-01-01T00:00:02Z"}
    assert plan([policy("a", override=override)], now_ms=1_999).total == 1
    assert plan([policy("a", override=override)], now_ms=2_000).total == 3


def test_text_and_json_say_the_same() -> None:
    """A person reads the one, a CI step the other."""
    found = plan([*STORY, budget("mail", 20)], before=10)
    text, data = as_text(found), found.as_json()
    assert text.splitlines()[0] == headline(found)
    assert text.splitlines()[2].split() == ["POLICY", "QUEUE", "WORKERS", "x", "SLOTS", "BOUND", "BY", "STOP"]
    assert text.splitlines()[3].split()[:2] == ["default/campaigns", "campaigns"]
    assert text.splitlines()[3].split()[2:] == ["1", "x", "5", "=", "5", "5", "slots", "-"]
    assert text.splitlines()[-1].split() == ["default/mail", "20", "-", "0", "-"]
    assert data["before"] == {"workers": 9, "concurrency": 10, "total": 90}
    assert (data["total"], data["queues"][0]["bound"], data["budgets"][0]["budget"]) == (31, 5, "default/mail")


def test_nothing_is_zero() -> None:
    """An empty folder."""
    assert plan([]) == Plan((), (), 0, None, ())
    assert as_text(plan([])) == "at most 0 jobs at once"


SHARES = st.lists(st.tuples(st.sampled_from("xy"), st.integers(1, 3)), max_size=2, unique_by=lambda share: share[0])
QUEUES = st.lists(st.tuples(st.integers(1, 4), SHARES), min_size=1, max_size=4)


@given(QUEUES, st.integers(1, 8), st.integers(1, 8))
def test_the_total_is_never_less_than_what_can_happen(queues: list[Any], x: int, y: int) -> None:
    """Against every way in which jobs can run at once; equal to it while each queue names at most one budget."""
    refs = [[{"name": name, "weight": weight} for name, weight in shares] for _, shares in queues]
    policies = [
        policy(f"q{i}", concurrency={"perWorker": slots}, budgetRefs=refs[i]) for i, (slots, _) in enumerate(queues)
    ]
    most = 0
    for running in product(*(range(slots + 1) for slots, _ in queues)):
        taken = {"x": 0, "y": 0}
        for jobs, (_, shares) in zip(running, queues, strict=True):
            for name, weight in shares:
                taken[name] += jobs * weight
        if taken["x"] <= x and taken["y"] <= y:
            most = max(most, sum(running))
    total = plan([*policies, budget("x", x), budget("y", y)]).total
    assert total >= most
    if all(len(shares) < 2 for _, shares in queues):
        assert total == most


@pytest.mark.parametrize("stop", ["Hold", "HoldAndDrain"])
def test_a_stopped_queue_is_marked(stop: str) -> None:
    """It still counts: it can be let go at any moment."""
    found = plan([policy("a", stopPolicy=stop)])
    assert (found.total, found.queues[0].stop_policy) == (3, stop)
    assert stop in as_text(found)


def surface(name: str = "api", *rules: dict[str, Any], **spec: Any) -> Resource:
    return parse({**HEAD, "kind": "HTTPPolicy", "metadata": {"name": name}, "spec": {"rules": list(rules), **spec}})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"rate": {"limit": 100, "periodSeconds": 900}}, "r 100 requests in any 15 min for each address"),
        ({"rate": {"limit": 1, "periodSeconds": 90}}, "r 1 request in any 90 s for each address"),
        (
            {"rate": {"limit": 20, "periodSeconds": 3600}, "key": {"type": "User"}, "cost": 5},
            "r 20 requests in any 1 h, each counts 5, for each user",
        ),
        (
            {"rate": {"limit": 5, "periodSeconds": 86400}, "count": "Failures", "match": {"paths": [{"value": "/a"}]}},
            "r 5 failures in any 1 d for each address on /a and below",
        ),
        (
            {"inFlight": 3, "key": {"type": "Header", "header": "X-Api-Key"}, "mode": "Shadow"},
            "r 3 at once for each X-Api-Key (Shadow: only counted)",
        ),
        (
            {"rate": {"limit": 2, "periodSeconds": 1}, "inFlight": 3, "key": {"type": "Global"}},
            "r 2 requests in any 1 s and 3 at once for all together",
        ),
        ({"budgetRefs": [{"name": "mail", "weight": 2}]}, "r within budget default/mail (2 places each)"),
        (
            {
                "inFlight": 1,
                "match": {
                    "methods": ["GET", "POST"],
                    "hosts": ["a.example"],
                    "paths": [{"type": "Exact", "value": "/b"}, {"type": "Template", "value": "/c/{id}"}],
                },
            },
            "r 1 at once for each address on GET|POST a.example /b, /c/{id}",
        ),
    ],
)
def test_a_limit_is_said_as_a_person_says_it(rule: dict[str, Any], words: str) -> None:
    """What, in any window of how long, for whom, on which requests."""
    (found,) = plan([budget("mail", 3), surface("api", {"name": "r"} | rule)]).surfaces
    assert str(found.rules[0]) == words
    assert f"api: {words}" in as_text(plan([budget("mail", 3), surface("api", {"name": "r"} | rule)]))


def test_surfaces_have_the_problems_that_queues_have() -> None:
    """A second policy for one surface, a budget that is not there, one in another store; members are named."""
    shared = {"name": "r", "budgetRefs": [{"name": "mail"}, {"name": "gone"}, {"name": "far"}]}
    resources = [budget("mail", 3), budget("far", 3, store="second"), surface("api", shared)]
    found = plan([*resources, surface("web", {"name": "r", "inFlight": 1}, surface="api")])
    where = "default/api: spec.rules[0].budgetRefs"
    assert found.problems == (
        "default/web: surface api of store default is already declared by default/api, give it another surface",
        f"{where}[1].name: there is no Budget default/gone, declare it or remove the reference",
        f"{where}[2].name: Budget default/far is in store second, this surface in default",
    )
    assert {each.budget: each.members for each in found.budgets} == {
        "default/mail": ("default/api",),
        "default/far": ("default/api",),
    }
    assert [each.policy for each in found.surfaces] == ["default/api"]
