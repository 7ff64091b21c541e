"""Which HTTP rules refuse real users, and which hold off abuse: told by how the refusals are spread over identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from headgate.gates.http import SurfaceState

MANY_IDENTITIES = 10
FEW_REFUSALS_EACH = 5
MANY_REFUSALS_EACH = 20


class Who(StrEnum):
    USERS = "real users: the limit may be too strict"
    ABUSE = "abuse: few clients, many refusals each"
    EVERYBODY = "everybody: the rule is Global, it cannot be told who"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Refusals:
    """One rule since it was published. `near`: requests that were admitted with less than a fifth left."""

    surface: str
    rule: str
    allowed: int
    denied: int
    shadowed: int
    near: int
    identities: int
    who: str


def refusals(surfaces: Mapping[str, SurfaceState]) -> Iterator[Refusals]:
    """Rules that have refused somebody, or would have."""
    for name, state in sorted(surfaces.items()):
        keys = {rule.name: rule.key for rule in state.document.rules}
        for rule, counts in state.rules.items():
            refused = counts.denied + counts.shadowed
            if refused:
                who = _who(refused, counts.identities_denied, everybody=keys.get(rule) == "Global")
                yield Refusals(
                    name, rule, counts.allowed, counts.denied, counts.shadowed, counts.near, counts.identities_denied,
                    who.value,
                )  # fmt: skip


def _who(refused: int, identities: int, *, everybody: bool) -> Who:
    if everybody:
        return Who.EVERYBODY
    each = refused / max(identities, 1)
    if each >= MANY_REFUSALS_EACH:
        return Who.ABUSE
    if identities >= MANY_IDENTITIES and each <= FEW_REFUSALS_EACH:
        return Who.USERS
    return Who.UNCLEAR
