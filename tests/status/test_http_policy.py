"""The status of an HTTPPolicy: every row of its condition table."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.model.documents import HttpDocument, HttpRule
from headgate.model.status import HTTPPolicyStatus
from headgate.status import reasons
from headgate.status.conditions import Verdict
from headgate.status.enforcement import Acknowledged, Publication
from headgate.status.http_policy import HttpView, http_status, http_verdicts

DOCUMENT = HttpDocument(surface="api", rules=(HttpRule(name="general", in_flight=1),))
VALID = Verdict(reasons.VALID)
HELD = Publication(7, held=True)
ALL = Acknowledged(7, 2, 2)
NOW = "2026-11-24T03:00:00Z"


def view(
    publication: Publication = HELD,
    count: Acknowledged = ALL,
    accepted: Verdict = VALID,
    document: HttpDocument | None = DOCUMENT,
    before: dict[str, Any] | None = None,
) -> HttpView:
    return HttpView(3, before or {}, accepted, document, "api", publication, count)


@pytest.mark.parametrize(
    ("given", "enforced", "ready"),
    [
        (view(), "True/AllAcknowledged", "True/InForce"),
        (view(count=Acknowledged(7, 0, 0)), "True/NoInstances", "True/InForce"),
        (view(count=Acknowledged(7, 2, 1)), "False/PartiallyAcknowledged", "False/PartiallyAcknowledged"),
        (view(Publication(0, held=False, problem="full")), "False/NotPublished", "False/NotPublished"),
        (view(Publication(7, held=True, reachable=False)), "Unknown/StoreUnreachable", "Unknown/StoreUnreachable"),
        (
            view(Publication(0, held=False), accepted=Verdict(reasons.SURFACE_CONFLICT), document=None),
            "False/NotPublished",
            "False/SurfaceConflict",
        ),
    ],
)
def test_every_row_of_the_table(given: HttpView, enforced: str, ready: str) -> None:
    """Ready takes the reason of the first part that is not true."""
    found = {v.reason.condition: f"{v.reason.status}/{v.reason.name}" for v in http_verdicts(given)}
    assert found["Enforced"] == enforced
    assert found["Ready"] == ready


def test_the_whole_status_is_what_the_crd_declares() -> None:
    """Surface, rules, revision and who has it in use."""
    found = http_status(view(), http_verdicts(view()), NOW)
    HTTPPolicyStatus.model_validate(found)
    assert {name: value for name, value in found.items() if name != "conditions"} == {
        "observedGeneration": 3,
        "surface": "api",
        "rules": 1,
        "revision": 7,
        "enforcement": {"revision": 7, "expected": 2, "acknowledged": 2, "summary": "2/2"},
    }
    assert [each["type"] for each in found["conditions"]] == ["Accepted", "Enforced", "Ready"]
    assert {each["observedGeneration"] for each in found["conditions"]} == {3}


def test_what_was_in_force_stays_in_the_status() -> None:
    """A spec that is not accepted changes none of it."""
    before = {"surface": "api", "rules": 4, "revision": 6, "limits": "not ours"}
    refused = view(Publication(0, held=False), accepted=Verdict(reasons.BUDGET_NOT_FOUND), document=None, before=before)
    found = http_status(refused, http_verdicts(refused), NOW)
    assert (found["surface"], found["rules"], found["revision"]) == ("api", 4, 6)
    assert "limits" not in found


def test_the_sentences_name_api_processes_and_rules_that_only_count() -> None:
    """Not workers, which a surface has none of."""
    shadow = DOCUMENT.model_copy(update={"rules": (*DOCUMENT.rules, HttpRule(name="new", mode="Shadow", in_flight=1))})
    words = [verdict.text for verdict in http_verdicts(view(document=shadow))]
    assert words[1:] == [
        "2 of 2 API processes have revision 7 in use.",
        "The limits are in force. Shadow: new only counted.",
    ]
    (_, nobody, _) = http_verdicts(view(count=Acknowledged(7, 0, 0)))
    assert nobody.text == "The store holds this spec; no API process serves surface api now."
