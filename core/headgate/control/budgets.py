"""Reconcile of one Budget. Its gate outlives it for as long as a policy names it: a mistake must not open it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from headgate.control.checks import unknown_store
from headgate.control.memory import Memory
from headgate.control.pictures import Pictures
from headgate.control.ports import BUDGET, Clock, Cluster, Key, Manifest
from headgate.control.publishing import Answer, Publisher
from headgate.control.reading import is_leaving, metadata_of, read_as
from headgate.control.stores import Site
from headgate.control.writing import StatusWriter
from headgate.desired.documents import budget_document
from headgate.model.budget import Budget
from headgate.status import reasons
from headgate.status.budget import BudgetView, budget_status, budget_verdicts
from headgate.status.conditions import Verdict
from headgate.status.enforcement import Publication


class Budgets:
    """`call` puts the members into the work queue when what they count on changed."""

    def __init__(
        self,
        cluster: Cluster,
        site: Site,
        memory: Memory,
        pictures: Pictures,
        publisher: Publisher,
        writer: StatusWriter,
        clock: Clock,
        call: Callable[[Iterable[Key]], None],
    ) -> None:
        self._cluster, self._site, self._memory, self._pictures = cluster, site, memory, pictures
        self._publisher, self._writer, self._clock, self._call = publisher, writer, clock, call

    async def reconcile(self, key: Key) -> float | None:
        """Seconds until a count may be written, None when nothing is left to do."""
        manifest = await self._cluster.get(BUDGET, key.namespace, key.name)
        if manifest is None or is_leaving(manifest):
            await self._gone(key)
            return None
        budget, mistakes = read_as(Budget, manifest)
        if budget:
            self._memory.budget_stores[key] = budget.spec.store
        accepted, answer = await self._publish(key, budget, mistakes)
        if answer.news:
            self._call(self._members(key))
        wait = await self._write_status(key, manifest, accepted, answer)
        if answer.error:
            raise answer.error
        return wait

    async def _publish(self, key: Key, budget: Budget | None, mistakes: str) -> tuple[Verdict, Answer]:
        if budget is None:
            return Verdict(reasons.INVALID_SPEC, mistakes), Answer()
        if self._site.store(budget.spec.store, key.namespace) is None:
            return unknown_store(budget.spec.store, key.namespace, self._site), Answer()
        answer = await self._publisher.publish(key, budget.metadata, budget.spec.store, budget_document(budget))
        return Verdict(reasons.VALID), answer

    async def _write_status(self, key: Key, manifest: Manifest, accepted: Verdict, answer: Answer) -> float | None:
        picture = self._pictures[self._memory.budget_stores.get(key, "")]
        reachable = picture.reachable(self._clock.monotonic()) or accepted.reason is not reasons.VALID
        bounds = self._memory.bounds.get(key.full_name, {})
        view = BudgetView(
            generation=metadata_of(manifest).generation,
            before=manifest.get("status", {}),
            accepted=accepted,
            publication=Publication(answer.revision, answer.held, reachable, answer.problem or picture.problem),
            members=[f"{member.kind.kind}/{member.name}" for member in bounds],
            demand=sum(bounds.values()),
        )
        judged = budget_verdicts(view)
        return await self._writer.write(key, manifest, budget_status(view, judged, self._clock.now()), judged)

    async def _gone(self, key: Key) -> None:
        """Members say BudgetNotFound and keep their last good limits; without any, the gate goes too."""
        members = self._members(key)
        if not members:
            await self._publisher.withdraw(key)
        self._memory.forget(key)
        self._call(members)

    def _members(self, key: Key) -> list[Key]:
        return list(self._memory.bounds.get(key.full_name, {}))
