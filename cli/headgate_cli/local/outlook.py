"""The arithmetic of what is in force: said at the start and again whenever an edit changes it."""

from __future__ import annotations

from headgate import plan as arithmetic
from headgate.control.ports import Store
from headgate.surface_plan import as_lines
from headgate.task_plan import as_task_lines
from headgate_cli.clock import SystemClock
from headgate_cli.local.console import Console
from headgate_cli.local.files import Reading
from headgate_cli.local.status_line import status_line
from headgate_cli.policies import resources_of


class Outlook:
    def __init__(self, before: int | None, console: Console) -> None:
        self._before = before
        self._console = console
        self._headline = ""
        self._limits: list[str] = []
        self._surfaces: list[str] = []
        self._tasks: list[str] = []
        self._bounds: dict[str, int] = {}
        self._total = 0

    def look(self, reading: Reading) -> None:
        found = arithmetic.plan(resources_of(reading), before=self._before, now_ms=SystemClock().milliseconds())
        self._bounds = {queue.queue: queue.bound for queue in found.queues}
        self._total = found.total
        if arithmetic.headline(found) != self._headline:
            self._headline = arithmetic.headline(found)
            self._console.note(self._headline)
        self._surfaces = sorted(plan.surface for plan in found.surfaces)
        self._tasks = sorted(plan.task for plan in found.tasks)
        limits = [*as_lines(found.surfaces), *as_task_lines(found.tasks)]
        for line in limits:
            if line not in self._limits:
                self._console.note(line)
        self._limits = limits

    async def status(self, store: Store) -> str:
        """Raises StoreUnavailable."""
        state = await store.inspect()
        shown = await store.inspect_http() if self._surfaces else {}
        ours = [shown[name] for name in self._surfaces if name in shown]
        known = await store.inspect_tasks() if self._tasks else {}
        tasks = [known[name] for name in self._tasks if name in known]
        return status_line(state, self._bounds, self._total, ours, tasks)
