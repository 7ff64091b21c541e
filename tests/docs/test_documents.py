"""What the documents promise about themselves: a line for each reason, links that lead somewhere, nothing stale."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.status.reasons import REASONS, Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"]
)


@pytest.mark.parametrize("reason", REASONS, ids=lambda r: f"{r.condition}-{r.name}")
def test_every_reason_has_a_line_in_the_runbook_that_says_what_to_do(reason: Reason) -> None:
    lines = [
        line
        for line in (ROOT / "docs/runbook.md").read_text().splitlines()
        if f"{reason.condition}={reason.status} `{reason.name}`" in line
    ]
    assert len(lines) == 1
    assert reason.meaning.endswith(".")
    assert reason.action in lines[0]
    assert reason.action.endswith(".")


def test_generated_pages_are_what_models_and_reasons_say() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
