"""Whom a policy concerns besides itself: its budgets, and its rivals for what it declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from headgate.control.memory import Memory
from headgate.control.ports import BUDGET, Key
from headgate.control.publishing import Publisher


class Ties:
    """`call` puts keys into the work queue."""

    def __init__(self, memory: Memory, publisher: Publisher, call: Callable[[Iterable[Key]], None]) -> None:
        self._memory, self._publisher, self._call = memory, publisher, call

    def note(self, key: Key, bounds: Mapping[str, int]) -> None:
        """Its budgets, and what it would run if each of them were not there. They look again where that changed."""
        self._call(Key(BUDGET, *name.split("/", 1)) for name in self._memory.set_bounds(key, bounds))

    def tell_rivals(self, key: Key) -> None:
        """They lost: let them say so."""
        self._call(self._memory.claims.rivals(key))

    async def dissolve(self, key: Key) -> None:
        """The policy is gone: so is what it published. Whoever waited for its place, and its budgets, look again."""
        await self._publisher.withdraw(key)
        self._call(self._memory.claims.declare(key, None))
        self.note(key, {})
        self._memory.forget(key)
