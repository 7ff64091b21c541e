"""Two benches in lockstep: whatever is asked is asked of both, and they must answer and look the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from headgate.gates.http import Allowed
from headgate.gates.verbs import Gates, Grant, Renewal, StoreState
from tests.gates.conformance.bench import Bench, JobSeen


def plain(answer: Any) -> Any:
    """An answer without what may differ: the rest of a job's hash, the order of queues, and RQ's own books."""
    if isinstance(answer, Grant):
        return replace(answer, job={}, more=False)
    if isinstance(answer, Renewal):
        return replace(answer, reaped=tuple(sorted(answer.reaped, key=str)))
    if isinstance(answer, Allowed):
        return replace(answer, places=tuple(sorted(answer.places)))
    if isinstance(answer, StoreState):
        return (answer.now, answer.epoch, answer.seq, answer.quarantine_until, dict(answer.owners))
    if isinstance(answer, JobSeen):
        return replace(answer, executions=frozenset())  # RQ forgets them by itself after 150 s
    if isinstance(answer, tuple):
        return tuple(plain(part) for part in answer)
    return sorted(answer, key=str) if isinstance(answer, list) else answer


class DifferentError(AssertionError):
    """The reference and the scripts disagree."""


def same(what: str, first: Any, second: Any) -> Any:
    if plain(first) != plain(second):
        raise DifferentError(f"{what}\n reference: {plain(first)}\n scripts:   {plain(second)}")
    return first


class _Twin:
    """Calls both and compares what they answer."""

    def __init__(self, first: Any, second: Any, label: str) -> None:
        self._first, self._second, self._label = first, second, label

    def __getattr__(self, name: str) -> Callable[..., Any]:
        first, second, label = getattr(self._first, name), getattr(self._second, name), f"{self._label}{name}"

        def both(*arguments: Any, **named: Any) -> Any:
            answers = [call(*arguments, **named) for call in (first, second)]
            answers = [list(answer) if name == "reap" else answer for answer in answers]
            return same(f"{label}{arguments}{named}", *answers)

        return both


class TwinBench(_Twin):
    """A `Bench`: reads compare too, so looking at it is comparing it."""

    def __init__(self, reference: Bench, scripts: Bench) -> None:
        super().__init__(reference, scripts, "")

    def gates(self, caller: str) -> Gates:
        return cast(Gates, _Twin(self._first.gates(caller), self._second.gates(caller), f"{caller}: "))

    @property
    def now(self) -> int:
        return cast(int, same("now", self._first.now, self._second.now))

    def snapshot(self) -> object:
        return self._first.snapshot(), self._second.snapshot()

    def restore(self, snapshot: object) -> None:
        first, second = cast(tuple[object, object], snapshot)
        self._first.restore(first)
        self._second.restore(second)

    def counters(self) -> object:
        """Each in its own form: only whether they moved can be compared."""
        return self._first.counters(), self._second.counters()

    def wakes(self) -> list[tuple[str, str]]:
        first, second = sorted(self._first.wakes()), sorted(self._second.wakes())
        return cast(list[tuple[str, str]], same("wakes", first, second))
