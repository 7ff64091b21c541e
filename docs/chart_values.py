"""The chart's values as a table, from values.yaml and the comments that begin with `# --` above a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KEY = re.compile(r"^(?P<indent> *)(?:- )?(?P<key>[A-Za-z]+):")


def comments(text: str) -> dict[str, str]:
    """Dotted path -> its comment. Items of a list count as their list: they are shown as one value."""
    found: dict[str, str] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            words = stripped.lstrip("# ")
            if words.startswith("--"):
                above = [words.removeprefix("--").strip()]
            elif above and not words.startswith("@"):
                above.append(words)
            continue
        key = KEY.match(line)
        if key and not line.lstrip().startswith("- "):
            depth = len(key["indent"])
            path = [*(entry for entry in path if entry[0] < depth), (depth, key["key"])]
            if above:
                found[".".join(name for _, name in path)] = " ".join(above)
        above = []
    return found


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        for name, child in node.items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    else:
        yield path, node


def table(values: Path) -> str:
    text = values.read_text()
    said = comments(text)
    rows = ["| value | default | |", "|---|---|---|"]
    for name, default in leaves(yaml.safe_load(text)):
        parts = name.split(".")
        above = [".".join(parts[:size]) for size in range(len(parts), 1, -1)]
        own = next((said[path] for path in [name, *above] if path in said), "")
        shown = json.dumps(default).replace("|", "\\|")
        rows.append(f"| `{name}` | `{shown}` | {own.replace('|', chr(92) + '|')} |")
    return "\n".join(rows)
