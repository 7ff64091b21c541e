"""What the documents promise about themselves: a line for each reason, links that lead somewhere, nothing stale."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.status.reasons import REASONS, Reason

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"]
)
LEVELS = ("info", "warning", "error", "exception", "critical")
RUNBOOK = (ROOT / "docs/runbook.md").read_text()


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


def logged() -> Iterator[str]:
    """How the message of each log call of the API and the middleware begins, up to its first value."""
    for path in [*(ROOT / "api/headgate_api").rglob("*.py"), ROOT / "core/headgate/gates/http_door.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                if not (isinstance(node.func.value, ast.Name) and node.func.value.id in ("logger", "log")):
                    continue
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno} logs no literal"
                yield re.split(r"%| \w+=%", str(node.args[0].value))[0].rstrip(" :")


LOGGED = sorted(set(logged()))


def test_log_calls_are_found() -> None:
    assert {"Rate limit exceeded", "Decided without the store", "Policy in force", "Broke"} <= set(LOGGED)


@pytest.mark.parametrize("message", LOGGED)
def test_every_log_line_of_the_api_and_the_middleware_stands_in_the_runbook(message: str) -> None:
    rows = [line for line in RUNBOOK.splitlines() if line.startswith("| `")]
    found = [row for row in rows if message.startswith(row.split("`")[1])]
    assert len(found) == 1, found
    assert found[0].count("|") == 4


def test_the_runbook_tells_of_no_line_that_nobody_logs() -> None:
    section = RUNBOOK.partition("## What the API and the middleware log")[2]
    told = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert [line for line in told if not any(message.startswith(line) for message in LOGGED)] == []


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


def test_every_command_is_in_the_page_of_the_command_line() -> None:
    from headgate_cli.main import app

    page = (ROOT / "docs" / "cli.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    names += [str(group.name) for group in app.registered_groups]
    for name in names:
        assert f"`headgate {name}" in page
