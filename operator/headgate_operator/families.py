"""Metric families of many lines, written straight into Prometheus' text form (version 0.0.4).

The client's own objects would do; but with 5,000 policies they are 100,000, and a scrape takes a second and 100 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Family:
    """One metric name. A counter's ends in `_total`."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], kind: Literal["gauge", "counter"] = "gauge"
    ) -> None:
        self.name = name
        self._head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
        self._order = sorted(range(len(labels)), key=labels.__getitem__)  # as the client writes them
        pairs = ",".join(f'{labels[at]}="%s"' for at in self._order)
        self._form = f"{name}{{{pairs}}} %s\n"
        self._lines: list[str] = []

    def add(self, labels: Sequence[str], value: float) -> None:
        self._lines.append(self._form % (*[labels[at].translate(_ESCAPES) for at in self._order], float(value)))

    def __iter__(self) -> Iterator[str]:
        """Its text, in pieces."""
        yield self._head
        yield from self._lines
