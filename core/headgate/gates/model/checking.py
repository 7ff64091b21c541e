"""May a job of this queue start? Looks at every gate but those of keys, in `Blocker`'s order, and takes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.gates.model.budgets import FOREVER, Budget, Waiter
from headgate.gates.model.limits import Limits, rate_of
from headgate.gates.model.rates import Rate, Ring
from headgate.gates.model.state import Store
from headgate.gates.verbs import WAKE_MS, Blocker, Claim, Wait

Line = Callable[[], int]
"""Stand in line for the gate; answers when (us) it opens for this waiter, 0 when time does not open it."""


@dataclass(slots=True)
class Refusals:
    """The first gate that refuses is named; `open_at` (us) is the latest of those that time can open."""

    shadowed: Callable[[str], None] | None = None
    blocker: str = ""
    holders: int = 0
    open_at: int = 0
    line: Line | None = None

    def add(self, blocker: str, *, holders: int = 0, open_at: int = 0, line: Line | None = None) -> None:
        if self.shadowed is not None:
            self.shadowed(blocker)
            return
        if not self.blocker:
            self.blocker, self.holders, self.line = blocker, holders, line
        self.open_at = max(self.open_at, open_at)


@dataclass(slots=True)
class Share:
    """A budget as one claim sees it. `queued`: somebody waits, or waited a moment ago."""

    budget: Budget
    weight: int
    waiter: Waiter
    queued: bool = False
    carried: bool = False


@dataclass(slots=True)
class Check:
    refusals: Refusals
    shares: list[Share] = field(default_factory=list)


def worker_ring(store: Store, instance: str) -> Ring:
    ring = store.worker_starts.setdefault(instance, Ring())
    ring.forget_if_due(store.us)
    return ring


def check(store: Store, claim: Claim, limits: Limits) -> Check:
    gates = store.gates(claim.queue)

    def count(blocker: str) -> None:
        gates.shadowed[blocker] += 1

    refusals = Refusals(count if limits.shadow else None)
    found = Check(refusals)
    held = gates.held.live(store.now)
    if limits.total and held >= limits.total:
        line = wait_for_place(gates.wait, claim.instance, store.now)
        refusals.add(Blocker.CONCURRENCY_TOTAL, holders=held, line=line)
    if limits.rate_total:
        at = gates.starts.opens(store.us, store.meta.full_at, limits.rate_total.limit, limits.rate_total.period)
        if at:
            line = _wait_for_opening(store, gates.rate_wait, claim.instance, gates.starts, limits.rate_total)
            refusals.add(Blocker.RATE_TOTAL, open_at=at, line=line)
    for share in limits.budgets:
        _check_budget(store, found, share.name, Waiter(claim.instance, claim.queue, share.weight))
    if limits.rate_per_worker:
        rate = limits.rate_per_worker
        at = worker_ring(store, claim.instance).opens(store.us, store.meta.full_at, rate.limit, rate.period)
        if at:
            refusals.add(Blocker.RATE_PER_WORKER, open_at=at)
    sleep = store.policies[claim.queue].sleep
    if sleep > store.us:
        refusals.add(Blocker.DEFERRED, open_at=sleep)
    return found


def _check_budget(store: Store, found: Check, name: str, waiter: Waiter) -> None:
    label, budget, now = f"{Blocker.BUDGET}/{name}", store.budgets.get(name), store.now
    if budget is None:
        found.refusals.add(label)
        return
    share = Share(budget, waiter.weight, waiter)
    found.shares.append(share)
    blocked, promised = _queue_up(store, share)
    # A carried place counts as used already: less than none free means that the total was lowered meanwhile.
    lacking = budget.free(now) < (0 if share.carried else waiter.weight)
    if lacking or (blocked and not share.carried):
        found.refusals.add(label, holders=budget.used(now), line=_wait_for_budget(budget, waiter, now))
    rate = rate_of(budget.document.rate)
    if rate:
        at = budget.starts.opens_after(store.us, store.meta.full_at, rate, waiter.weight, promised)
        if at:
            line = _wait_for_budget_rate(store, budget, waiter, rate)
            found.refusals.add(label, open_at=at, line=line)
    if budget.sleep > store.us:
        found.refusals.add(label, open_at=budget.sleep)


def _queue_up(store: Store, share: Share) -> tuple[bool, int]:
    """Does an earlier waiter want the free places, and how many starts are promised to earlier waiters?"""
    budget, now, blocked, promised = share.budget, store.now, False, 0
    share.queued = now < budget.waiting or now < budget.promised
    if not share.queued:
        return False, 0
    share.carried = budget.carries(share.waiter, now)
    if now < budget.waiting:
        blocked = budget.hand_over(now, store.is_alive, store.wake, share.waiter)
    if now < budget.promised:
        promised = sum(who.weight for who in budget.ahead(share.waiter, now))
    return blocked, promised


# ---- lines ----


def wait_for_place(wait: dict[str, int], instance: str, now: int) -> Line:
    def stand() -> int:
        wait.setdefault(instance, now)
        return 0

    return stand


def _wait_for_opening(store: Store, wait: dict[str, int], instance: str, ring: Ring, rate: Rate) -> Line:
    def stand() -> int:
        for who, at in list(wait.items()):
            if at <= store.now - WAKE_MS:
                del wait[who]
        mine = wait.get(instance)
        ahead = sum(mine is None or at < mine for at in wait.values())
        # The k-th who waits is told the k-th opening, so that pods do not all fire at one instant.
        opens = ring.opens_after(store.us, store.meta.full_at, rate, 1, ahead)
        wait[instance] = -(-opens // 1000)
        return opens

    return stand


def _wait_for_budget(budget: Budget, waiter: Waiter, now: int) -> Line:
    def stand() -> int:
        budget.wait.setdefault(waiter, now)
        budget.waiting = FOREVER
        return 0

    return stand


def _wait_for_budget_rate(store: Store, budget: Budget, waiter: Waiter, rate: Rate) -> Line:
    def stand() -> int:
        ahead = waiter.weight * len(budget.ahead(waiter, store.now))
        opens = budget.starts.opens_after(store.us, store.meta.full_at, rate, waiter.weight, ahead)
        budget.rate_wait[waiter] = -(-opens // 1000)
        budget.promised = max(budget.promised, -(-opens // 1000) + WAKE_MS)
        return opens

    return stand


def refused(store: Store, queue: str, refusals: Refusals) -> Wait:
    """Stand in line where there is one and say what refused."""
    if refusals.line is not None:
        refusals.open_at = max(refusals.open_at, refusals.line())
    open_at = -(-refusals.open_at // 1000)
    store.gates(queue).refused = (refusals.blocker, store.now, open_at)
    return Wait(refusals.blocker, open_at or None, refusals.holders)
