"""settle: requests ended. Places go back, starts that need not be remembered are forgotten, failures add up to bans."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.gates.http import BANS_MS, Settle
from headgate.gates.model.http_admitting import members
from headgate.gates.model.http_state import Ban
from headgate.gates.model.limits import rate_of
from headgate.gates.model.state import Store

REMEMBERED_MS = 86_400_000


def settle(store: Store, settles: Sequence[Settle]) -> int:
    done, freed = 0, set()
    for one in settles:
        for place in one.places:
            request, _, rest = place[1:].partition(" ")
            if place[0] == "i":
                done += store.http.client(rest, store.now).held.drop(request)
            elif place[0] == "f":
                done += _settle_start(store, rest, one.stamp, failed=one.failed)
            elif _give_back(store, request, rest):
                done += 1
                freed.add(rest.partition(":")[2])
    for name in sorted(freed):
        budget = store.budgets[name]
        if store.now < budget.waiting:
            budget.hand_over(store.now, store.is_alive, store.wake)
    return done


def _give_back(store: Store, request: str, place: str) -> bool:
    weight, _, name = place.partition(":")
    budget = store.budgets.get(name)
    if budget is None:
        return False
    given = [budget.held.drop(member) for member in members(request, int(weight))]
    for member in members(request, int(weight)):
        budget.http.drop(member)
    return any(given)


def _settle_start(store: Store, where: str, stamp: int, *, failed: bool) -> bool:
    """True: it was forgotten."""
    failures = store.http.client(where, store.now).failures
    start = failures.reserved(stamp)
    if start is None:
        return False
    if not failed:
        failures.forget(start)
        return True
    failures.confirm(start)
    _ban(store, where)
    return False


def _ban(store: Store, where: str) -> None:
    """When the window is full of confirmed failures: longer each time, remembered for a day after its end."""
    name, rule_name, _ = where.split("/")
    surface, client, now = store.http.surfaces.get(name), store.http.client(where, store.now), store.now
    rule = next((rule for rule in surface.document.rules if rule.name == rule_name), None) if surface else None
    rate = rate_of(rule.rate) if rule and rule.count == "Failures" else None
    if rate is None or client.failures.confirmed(store.us, rate.period) < rate.limit:
        return
    if client.ban and client.ban.ends > now:
        return
    strikes = client.ban.strikes + 1 if client.ban else 1
    ends = now + BANS_MS[min(strikes, len(BANS_MS)) - 1]
    client.ban = Ban(ends, strikes, ends + REMEMBERED_MS)
