"""Conditions: what flips, what is kept, what is told."""

import pytest

from headgate.status import reasons
from headgate.status.conditions import Verdict, merged, news, ready
from headgate.status.reasons import REASONS

EARLY, LATE = "2026-11-24T00:00:00Z", "2026-11-24T00:01:00Z"


def test_a_new_object_gets_all_conditions_with_the_time_of_now() -> None:
    """metav1.Condition, whole."""
    (condition,) = merged([], [Verdict(reasons.VALID)], 3, EARLY)
    assert condition == {
        "type": "Accepted",
        "status": "True",
        "reason": "Valid",
        "message": "The spec is in use.",
        "lastTransitionTime": EARLY,
        "observedGeneration": 3,
    }


def test_the_time_moves_only_when_the_answer_flips() -> None:
    """Another reason for the same answer is no transition."""
    before = merged([], [Verdict(reasons.PROGRESSING)], 1, EARLY)
    (kept,) = merged(before, [Verdict(reasons.UNAVAILABLE, "crash")], 2, LATE)
    assert (kept["lastTransitionTime"], kept["reason"], kept["observedGeneration"]) == (EARLY, "Unavailable", 2)
    (flipped,) = merged(before, [Verdict(reasons.MINIMUM_AVAILABLE)], 2, LATE)
    assert flipped["lastTransitionTime"] == LATE


def test_long_messages_are_cut_to_what_the_schema_takes() -> None:
    """A server's own text can be of any length."""
    (condition,) = merged([], [Verdict(reasons.TEMPLATE_INVALID, "x" * 5000)], 1, EARLY)
    assert len(condition["message"]) == 1024
    assert condition["message"].endswith("...")


@pytest.mark.parametrize(
    ("parts", "status", "reason"),
    [
        ([reasons.VALID, reasons.ALL_ACKNOWLEDGED, reasons.MINIMUM_AVAILABLE], "True", "InForce"),
        ([reasons.BUDGET_NOT_FOUND, reasons.NOT_PUBLISHED, reasons.NOT_RECONCILED], "False", "BudgetNotFound"),
        ([reasons.VALID, reasons.STORE_UNREACHABLE, reasons.PROGRESSING], "Unknown", "StoreUnreachable"),
        ([reasons.VALID, reasons.ALL_ACKNOWLEDGED, reasons.NOT_OWNED], "False", "NotOwned"),
    ],
)
def test_ready_is_the_first_that_is_not_true(parts: list[reasons.Reason], status: str, reason: str) -> None:
    """And it says which condition that is."""
    verdict = ready([Verdict(part) for part in parts], Verdict(reasons.IN_FORCE))
    assert (verdict.reason.condition, verdict.reason.status, verdict.reason.name) == ("Ready", status, reason)


def test_news_are_changed_reasons_that_are_worth_telling() -> None:
    """Once per change; passing states are not told."""
    verdicts = [Verdict(reasons.QUEUE_CONFLICT), Verdict(reasons.PROGRESSING), Verdict(reasons.AS_EXPECTED)]
    assert [verdict.reason.name for verdict in news([], verdicts)] == ["QueueConflict"]
    assert news(merged([], verdicts, 1, EARLY), verdicts) == []


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    """docs/runbook is made of these; names are unique within a condition."""
    assert len({(reason.condition, reason.name) for reason in REASONS}) == len(REASONS)
    assert [reason.name for reason in REASONS if not (reason.meaning.endswith(".") and reason.action)] == []


def test_the_reasons_are_those_of_the_contract() -> None:
    """Users match on them in alerts: adding one is a change of the API, removing one breaks it."""
    table = {
        condition: {r.name for r in REASONS if r.condition == condition} for condition in {r.condition for r in REASONS}
    }
    assert table == {
        "Accepted": {
            "Valid", "InvalidSpec", "QueueConflict", "BudgetNotFound", "StoreUnknown", "StoreMismatch", "ImageMissing",
            "TemplateForbidden", "TemplateInvalid", "SurfaceConflict", "NeedsMiddleware",
            "InvalidSchedule", "QueuePolicyNotFound", "FunctionNotAllowed",
        },
        "Scheduled": {"CronJobApplied", "Suspended", "NotOwned", "NotPublished", "NotReconciled"},
        "Healthy": {"LastRunSucceeded", "NeverRan", "LastRunFailed", "SkipsEveryRun", "StoreUnreachable"},
        "Enforced": {
            "AllAcknowledged", "NoInstances", "NotPublished", "PartiallyAcknowledged", "ForeignWorkers", "Shadow",
            "StoreUnreachable", "Published", "Unreferenced",
        },
        "WorkersReady": {
            "MinimumAvailable", "ScaledToZero", "Progressing", "Unavailable", "QuotaExceeded", "NotOwned",
            "NotReconciled",
        },
        "Throttled": {
            "ConcurrencyTotal", "RateTotal", "PerKey", "Budget", "WorkerRate", "Memory", "Deferred", "Held", "Free",
            "StoreUnreachable",
        },
        "Degraded": {
            "StoreEvicts", "Quarantine", "DriftFight", "ScaleFight", "PoisonJobs", "NoScheduler", "AsExpected",
        },
        "Ready": {"InForce", "Held", "Shadow"},
    }  # fmt: skip
