"""The CRDs, generated from the models: `python -m headgate.model.schema [--check] FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from headgate.model.budget import Budget, BudgetSpec
from headgate.model.common import Declared
from headgate.model.http_policy import HTTPPolicy, HTTPPolicySpec
from headgate.model.periodic_task import PeriodicTask, PeriodicTaskSpec
from headgate.model.queue_policy import QueuePolicy, QueuePolicySpec
from headgate.model.rules import as_validations
from headgate.model.status import BudgetStatus, HTTPPolicyStatus, PeriodicTaskStatus, QueuePolicyStatus
from headgate.model.structural import Node, structural

GROUP = "headgate.dev"
VERSION = "v1alpha1"
CONDITION = ".status.conditions[?(@.type=='{}')].{}"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `wide` ones appear with -o wide only."""

    name: str
    type: str
    path: str
    wide: bool = False

    def as_manifest(self) -> Node:
        return {"name": self.name, "type": self.type, "jsonPath": self.path} | ({"priority": 1} if self.wide else {})


READY = Column("Ready", "string", CONDITION.format("Ready", "status"))
REASON = Column("Reason", "string", CONDITION.format("Ready", "reason"))
AGE = Column("Age", "date", ".metadata.creationTimestamp")


@dataclass(frozen=True, slots=True)
class Definition:
    """One kind: its models and how kubectl names and shows it."""

    plural: str
    short_name: str
    model: type[Declared]
    spec: type[Declared]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    scale: Node | None = None

    @property
    def kind(self) -> str:
        return self.model.__name__


DEFINITIONS = (
    Definition(
        plural="queuepolicies",
        short_name="qp",
        model=QueuePolicy,
        spec=QueuePolicySpec,
        status=QueuePolicyStatus,
        columns=(
            Column("Queue", "string", ".status.queue"),
            Column("Stop", "string", ".spec.stopPolicy"),
            Column("Bound", "integer", ".status.capacity.bound"),
            Column("Workers", "integer", ".status.readyReplicas"),
            Column("Enforced", "string", ".status.enforcement.summary"),
            READY,
            REASON,
            AGE,
            Column("By", "string", ".status.capacity.boundBy", wide=True),
            Column("Draining", "integer", ".status.drainingReplicas", wide=True),
            Column("Mode", "string", ".spec.mode", wide=True),
        ),
        scale={
            "specReplicasPath": ".spec.workers.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Definition(
        plural="budgets",
        short_name="bg",
        model=Budget,
        spec=BudgetSpec,
        status=BudgetStatus,
        columns=(
            Column("Concurrency", "integer", ".spec.concurrency.total"),
            Column("Rate", "integer", ".spec.rate.total.limit"),
            Column("Per", "integer", ".spec.rate.total.periodSeconds"),
            Column("Demand", "integer", ".status.demand"),
            READY,
            AGE,
        ),
    ),
    Definition(
        plural="httppolicies",
        short_name="hp",
        model=HTTPPolicy,
        spec=HTTPPolicySpec,
        status=HTTPPolicyStatus,
        columns=(
            Column("Surface", "string", ".status.surface"),
            Column("Rules", "integer", ".status.rules"),
            Column("Enforced", "string", ".status.enforcement.summary"),
            READY,
            REASON,
            AGE,
        ),
    ),
    Definition(
        plural="periodictasks",
        short_name="pt",
        model=PeriodicTask,
        spec=PeriodicTaskSpec,
        status=PeriodicTaskStatus,
        columns=(
            Column("Schedule", "string", ".spec.schedule"),
            Column("Stop", "string", ".spec.stopPolicy"),
            Column("Active", "integer", ".status.active"),
            Column("Last", "date", ".status.lastScheduleTime"),
            Column("Success", "date", ".status.lastSuccessTime"),
            Column("Skipped", "integer", ".status.skipped"),
            READY,
            REASON,
            AGE,
        ),
    ),
)


def custom_resource_definition(definition: Definition) -> Node:
    """The whole manifest of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{definition.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                "shortNames": [definition.short_name],
                "categories": ["headgate"],
            },
            "versions": [_version(definition)],
        },
    }


def _version(definition: Definition) -> Node:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(definition)},
        "subresources": {"status": {}} | ({"scale": definition.scale} if definition.scale else {}),
        "additionalPrinterColumns": [column.as_manifest() for column in definition.columns],
    }


def _root(definition: Definition) -> Node:
    spec_field = definition.model.model_fields["spec"]
    spec = deepcopy(structural(definition.spec))
    required: Node = {"required": ["spec"]}
    if not spec_field.is_required():
        spec["default"] = {}
        required = {}
    return {
        "type": "object",
        "description": spec["description"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": deepcopy(structural(definition.status)),
        },
        **required,
        "x-kubernetes-validations": as_validations(definition.model.rules),
    }


def files() -> Iterator[tuple[str, str]]:
    """Name and content of each generated file."""
    import yaml  # only this command needs it; the models must import without

    for definition in DEFINITIONS:
        manifest: Any = custom_resource_definition(definition)
        text = yaml.dump(manifest, sort_keys=False, width=120, Dumper=_without_aliases(yaml))
        yield f"{definition.plural}.yaml", "# Generated by `make generate` from headgate.model; do not edit.\n" + text


def _without_aliases(yaml: Any) -> Any:
    class Dumper(yaml.SafeDumper):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Dumper


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with --check answer 1 when what is there differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the files differ")
    options = parser.parse_args(arguments)
    stale = [(options.folder / name, text) for name, text in files() if _read(options.folder / name) != text]
    if options.check:
        for path, _ in stale:
            sys.stderr.write(f"{path} is not what the models say: run make generate\n")
        return 1 if stale else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for path, text in stale:
        path.write_text(text)
    return 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    raise SystemExit(main())
