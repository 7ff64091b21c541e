"""HTTP verbs to script arguments: what follows prefix, epoch and seq in ARGV. The Lua files say what each one means."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.gates.http import Admit, RequestsBeat, Settle
from headgate.gates.wire import Argument


def admit(admit: Admit) -> list[Argument]:
    arguments: list[Argument] = [admit.surface, admit.revision, admit.request]
    for index, identity in admit.rules:
        arguments += (index, identity)
    return arguments


def settle(settles: Sequence[Settle]) -> list[Argument]:
    arguments: list[Argument] = [len(settles)]
    for settle in settles:
        arguments += (settle.stamp, int(settle.failed), len(settle.places), *settle.places)
    return arguments


def renew_requests(beat: RequestsBeat) -> list[Argument]:
    arguments: list[Argument] = [beat.instance, beat.pod, len(beat.surfaces)]
    for surface, revision in beat.surfaces.items():
        arguments += (surface, revision)
    refused = [f"d{count} {surface}/{rule}" for (surface, rule), count in beat.refused.items()]
    return [*arguments, *beat.places, *refused]
