"""The policies of a folder, as every command takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from headgate.errors import HeadgateError, InvalidInput
from headgate.model.parse import Resource, parse
from headgate_cli.local.files import DECLARED, Mistake, PolicyFiles, Reading


class BadFiles(InvalidInput):
    """`str` is a line for each mistake."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))


def resources_of(reading: Reading) -> list[Resource]:
    """What is ours of them, by kind and name."""
    ours = {key: manifest for key, manifest in reading.objects.items() if key[0].kind in DECLARED}
    return [parse(ours[key]) for key in sorted(ours, key=lambda key: (key[0].kind, key[1]))]


def strictly_read(where: Path, scope: str) -> list[Resource]:
    """All of them without a mistake, or BadFiles; at least one policy, or InvalidInput."""
    reading = PolicyFiles(where, scope).read()
    if reading.mistakes:
        raise BadFiles(reading.mistakes)
    resources = resources_of(reading)
    if not resources:
        raise InvalidInput(f"{where}: no QueuePolicy, HTTPPolicy, PeriodicTask or Budget in its YAML files")
    return resources


class CheckFailed(HeadgateError):
    """The input is good and the answer is no: exit code 1."""
