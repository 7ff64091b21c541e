"""HTTP surfaces at a terminal: each rule with what it let in and what it refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headgate.gates.http import RuleCounts, SurfaceState
from headgate.surface_plan import limits_of, match_of
from headgate_cli.text import table

ONCE = "A process that was told a refusal repeats it by itself for as long as it holds: here that counts once."
"""`headgate_http_decisions_total` of each process counts every request."""
HEAD = ("SURFACE", "RULE", "LIMIT", "ALLOWED", "NEAR", "REFUSED", "CLIENTS", "IN FLIGHT", "REVISION")


def as_table(surfaces: Mapping[str, SurfaceState]) -> str:
    """A line a rule. CLIENTS: about how many different ones were refused; REFUSED: by the store (see `ONCE`)."""
    return table(HEAD, [row for _, surface in sorted(surfaces.items()) for row in _rows(surface)])


def _rows(surface: SurfaceState) -> Iterable[tuple[str, ...]]:
    in_use = list(surface.instances.values())
    for rule in surface.document.rules:
        counts = surface.rules.get(rule.name, RuleCounts())
        shadow = rule.mode == "Shadow"
        yield (
            surface.surface,
            rule.name,
            limits_of(rule),
            str(counts.allowed),
            str(counts.near),
            f"{counts.shadowed} (only counted)" if shadow else str(counts.denied),
            str(counts.identities_denied),
            str(counts.in_flight),
            f"{surface.revision} ({in_use.count(surface.revision)}/{len(in_use)})",
        )


def as_text(surface: SurfaceState) -> str:
    """What a rule is about, and what its counts mean."""
    lines = []
    for rule in surface.document.rules:
        counts = surface.rules.get(rule.name, RuleCounts())
        about = match_of(rule.match) or "all requests"
        shadow = " (Shadow: only counted)" if rule.mode == "Shadow" else ""
        lines.append(f"{rule.name}: {limits_of(rule)}, on {about}{shadow}\n  {_told(counts, bool(shadow))}")
    serving = ", ".join(sorted(surface.instances)) or "no API process"
    head = f"surface {surface.surface}, revision {surface.revision}, served by {serving}"
    refused = any(counts.denied or counts.shadowed for counts in surface.rules.values())
    return "\n".join([head, *lines, *([ONCE] if refused else [])])


def _told(counts: RuleCounts, shadow: bool) -> str:
    """Many clients with few refusals each are real users who meet a limit that is too low; few with many are abuse."""
    refused, clients = counts.shadowed if shadow else counts.denied, counts.identities_denied
    whom = f" of about {clients} client{'' if clients == 1 else 's'}" if clients else ""
    verb, many = "would have refused" if shadow else "refused", f"{refused}{whom}" if refused else "nobody"
    return f"let in {counts.allowed}, {counts.near} of them above 80 % of the limit; {verb} {many}"
