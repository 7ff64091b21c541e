"""`workers.template`: the pod template of the workers. Only guarded fields are declared; the rest passes through."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from annotated_types import Len
from pydantic import ConfigDict, Field, StringConstraints

from headgate.model.common import Declared, DnsLabel, Flag, Text
from headgate.model.lists import ListMap
from headgate.model.rules import Rule

LabelValue = Annotated[Text, StringConstraints(min_length=1, max_length=63)]
AnnotationValue = Annotated[Text, StringConstraints(max_length=4096)]


class TemplateMetadata(Declared):
    """Labels and annotations of the worker pods."""

    labels: Annotated[dict[str, LabelValue] | None, Len(max_length=32)] = None
    """Added to Headgate's own labels."""
    annotations: Annotated[dict[str, AnnotationValue] | None, Len(max_length=32)] = None
    """Added to Headgate's own annotations."""


class Container(Declared):
    """A container of core/v1."""

    model_config = ConfigDict(extra="allow")

    name: DnsLabel
    """`worker` is Headgate's; others run beside it."""
    image: Annotated[Text, StringConstraints(min_length=1, max_length=512)] | None = None
    """Image with your application and headgate[worker]."""


class TemplateSpec(Declared):
    """A pod spec of core/v1."""

    model_config = ConfigDict(extra="allow")
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.containers) || self.containers.exists(c, c.name == 'worker')",
            message="template.spec.containers needs one named worker",
            holds=lambda spec: spec.containers is None or any(c.name == "worker" for c in spec.containers),
        ),
        Rule(
            cel="!(has(self.hostNetwork) && self.hostNetwork) && !(has(self.hostPID) && self.hostPID)"
            " && !(has(self.hostIPC) && self.hostIPC)",
            message="host namespaces are not allowed in a worker template",
            holds=lambda spec: not (spec.host_network or spec.host_pid or spec.host_ipc),
        ),
    )

    containers: Annotated[tuple[Container, ...] | None, Len(max_length=8), ListMap("name")] = None
    """The container named worker, and any others."""
    host_network: Flag | None = None
    """Refused when true."""
    host_pid: Flag | None = Field(default=None, alias="hostPID")
    """Refused when true."""
    host_ipc: Flag | None = Field(default=None, alias="hostIPC")
    """Refused when true."""


class WorkerTemplate(Declared):
    """Pod template of the workers: image, env, resources, volumes. Changing it rolls the pods."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations of the pods."""
    spec: TemplateSpec | None = None
    """Pod spec; Headgate adds what the worker needs and refuses what would lend it other rights."""

    def pod_spec(self) -> dict[str, Any]:
        """The spec as it was written, unknown fields included; null is absent, as for the API server."""
        written = self.spec.model_dump(exclude_unset=True, mode="json") if self.spec else {}
        spec: dict[str, Any] = _without_nulls(written)
        return spec


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(below) for name, below in value.items() if below is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
