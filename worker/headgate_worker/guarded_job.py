"""RQ's Job for RQ's maintenance code, whose callbacks follow the policy's function list."""

from __future__ import annotations

from typing import Any

from rq.job import Job

from headgate_worker.functions import Functions


def guarded(functions: Functions) -> type[Job]:
    """A Job class that resolves callbacks through `functions`, which raises for one that is not allowed."""

    class Guarded(Job):  # type: ignore[misc]
        @property
        def failure_callback(self) -> Any:
            name = self._failure_callback_name
            return functions.get(name) if name else None

        @property
        def success_callback(self) -> Any:
            name = self._success_callback_name
            return functions.get(name) if name else None

        @property
        def stopped_callback(self) -> Any:
            name = self._stopped_callback_name
            return functions.get(name) if name else None

    return Guarded
