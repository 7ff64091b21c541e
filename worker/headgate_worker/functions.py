"""Which functions may run here, and where they are: exact names, imported once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rq.utils import import_attribute

from headgate_worker.payload import Refused

CALLBACK_FIELDS = (b"success_callback_name", b"failure_callback_name", b"stopped_callback_name")


class Functions:
    """Resolves names. With a list (`jobs.functions`) only its exact names; without one but with a safe payload rule
    anything that is not part of Python itself; under payload Any everything, as RQ does.
    """

    def __init__(self, allowed: Iterable[str] | None, *, trusted: bool) -> None:
        self._allowed = None if allowed is None else frozenset(allowed)
        self._free = trusted and allowed is None
        self._cache: dict[str, Callable[..., Any]] = {}

    def get(self, name: str) -> Callable[..., Any]:
        """The function of that name. Raises `Refused`, or what the import raises."""
        function = self._cache.get(name)
        if function is None:
            self.check(name)
            function = self._cache[name] = _import(name)
        return function

    def check(self, name: str) -> None:
        """Raise `Refused` when the policy does not let this name be called. Imports nothing."""
        if self._free:
            return
        if self._allowed is not None:
            if name not in self._allowed:
                raise Refused("FunctionNotAllowed", f"{name} is not in jobs.functions")
        elif "." not in name or name.split(".", 1)[0] in sys.stdlib_module_names:
            raise Refused(
                "FunctionNotAllowed", f"{name} is part of Python, not of the application; allow it in jobs.functions"
            )

    def check_callbacks(self, job: Mapping[bytes, bytes]) -> None:
        """Callbacks are functions that the producer chooses, so the same rule holds for them."""
        if self._free:
            return
        for field in CALLBACK_FIELDS:
            name = job.get(field)
            if name:
                self.check(name.decode("utf-8", "replace"))


def _import(name: str) -> Callable[..., Any]:
    """As RQ, which says only `Invalid attribute name`, but with the reason."""
    try:
        function: Callable[..., Any] = import_attribute(name)
    except ValueError as error:
        raise ValueError(f"{name} does not import: {_reason(name) or error}") from error
    return function


def _reason(name: str) -> str | None:
    module, _, attribute = name.rpartition(".")
    try:
        getattr(importlib.import_module(module or name), attribute)
    except (ImportError, AttributeError) as error:
        return str(error)
    return None
