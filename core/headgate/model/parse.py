"""From a manifest to a model: the judge of files, in the words that the API server would use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from headgate.errors import InvalidInput
from headgate.model.budget import Budget
from headgate.model.common import API_VERSION, Declared
from headgate.model.http_policy import HTTPPolicy
from headgate.model.mistakes import sentences
from headgate.model.periodic_task import PeriodicTask
from headgate.model.queue_policy import QueuePolicy

Resource = QueuePolicy | Budget | HTTPPolicy | PeriodicTask
Model = type[QueuePolicy] | type[Budget] | type[HTTPPolicy] | type[PeriodicTask]
MODELS: Mapping[str, Model] = {
    "QueuePolicy": QueuePolicy, "Budget": Budget, "HTTPPolicy": HTTPPolicy, "PeriodicTask": PeriodicTask,
}  # fmt: skip


class InvalidManifest(InvalidInput):
    """`mistakes`: one sentence each, naming field, value and remedy. `str` is all of them, a line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def parse(manifest: Mapping[str, Any], old: Mapping[str, Any] | None = None) -> Resource:
    """The resource that a manifest declares; `old` is what it replaces. Raises `InvalidManifest`."""
    model = _model(manifest)
    try:
        resource = model.model_validate(manifest)
    except ValidationError as error:
        raise InvalidManifest(sentences(error, model)) from None
    if old is not None:
        _refuse_transitions(resource.spec, model.model_validate(old).spec)
    return resource


def _model(manifest: Mapping[str, Any]) -> Model:
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if api_version != API_VERSION:
        raise InvalidManifest([f"apiVersion: {api_version} is not known here, give {API_VERSION}"])
    if not isinstance(kind, str) or kind not in MODELS:
        raise InvalidManifest([f"kind: {kind} is not known here, give {_listed(MODELS)}"])
    return MODELS[kind]


def _listed(names: Iterable[str]) -> str:
    *rest, last = names
    return f"{', '.join(rest)} or {last}"


def _refuse_transitions(new: Declared, old: Declared) -> None:
    broken = [rule for rule in new.transitions if not rule.holds(new, old)]
    if broken:
        fields = [f"spec.{rule.field}" if rule.field else "spec" for rule in broken]
        raise InvalidManifest(
            [
                f"{field}: {rule.message}, create a new resource to change it"
                for field, rule in zip(fields, broken, strict=True)
            ]
        )
