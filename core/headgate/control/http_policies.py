"""Reconcile of one HTTPPolicy: read, decide, publish, status. Idempotent: a second run writes nothing."""

from __future__ import annotations

from headgate.control.facts import Gatherer
from headgate.control.http_decision import HttpDecision, HttpFacts, decide_http
from headgate.control.memory import Memory
from headgate.control.policy_view import publication_of
from headgate.control.ports import HTTP_POLICY, Clock, Cluster, Key
from headgate.control.publishing import Answer, Publisher
from headgate.control.reading import is_leaving
from headgate.control.references import budget_refs
from headgate.control.stores import Site
from headgate.control.ties import Ties
from headgate.control.writing import StatusWriter
from headgate.gates.http import SurfaceState
from headgate.model.documents import HttpDocument
from headgate.model.http_policy import HTTPPolicy
from headgate.status import reasons
from headgate.status.conditions import Verdict
from headgate.status.enforcement import Acknowledged
from headgate.status.http_policy import HttpView, http_status, http_verdicts


class HttpPolicies:
    """No children: an application or a proxy asks for the surface by its name."""

    def __init__(
        self,
        cluster: Cluster,
        site: Site,
        memory: Memory,
        gatherer: Gatherer,
        publisher: Publisher,
        writer: StatusWriter,
        clock: Clock,
        ties: Ties,
    ) -> None:
        self._cluster, self._site, self._memory, self._clock, self._ties = cluster, site, memory, clock, ties
        self._gatherer, self._publisher, self._writer = gatherer, publisher, writer

    async def reconcile(self, key: Key) -> float | None:
        """Seconds until a count may be written, None when nothing is left to do."""
        manifest = await self._cluster.get(HTTP_POLICY, key.namespace, key.name)
        if manifest is None or is_leaving(manifest):
            await self._ties.dissolve(key)
            return None
        facts = await self._gatherer.policy_facts(HTTPPolicy, key, manifest)
        decision = decide_http(facts, self._site)
        answer = await self._publisher.follow(facts, decision.document, withdraw=decision.withdraw)
        if answer.by:
            decision = HttpDecision(Verdict(reasons.SURFACE_CONFLICT, answer.problem))
        if facts.policy:
            self._ties.note(key, self._budgets(facts, decision))
        if answer.news:
            self._ties.tell_rivals(key)
        wait = await self._write_status(facts, decision, answer)
        if answer.error:
            raise answer.error
        return wait

    def _budgets(self, facts: HttpFacts, decision: HttpDecision) -> dict[str, int]:
        """Those it names or whose places its last good limits use. Requests are bounded by nothing: they demand 0."""
        if facts.policy is None or decision.withdraw:
            return {}
        names = {name for _, name in budget_refs(facts.policy)}
        document = self._published(facts)
        names |= {share.name for rule in document.rules for share in rule.budgets} if document else set()
        return dict.fromkeys(names, 0)

    async def _write_status(self, facts: HttpFacts, decision: HttpDecision, answer: Answer) -> float | None:
        view = self._view(facts, decision, answer)
        judged = http_verdicts(view)
        return await self._writer.write(facts.key, facts.manifest, http_status(view, judged, self._clock.now()), judged)

    def _view(self, facts: HttpFacts, decision: HttpDecision, answer: Answer) -> HttpView:
        document = decision.document or self._published(facts)
        surface = facts.policy.surface if facts.policy else document.surface if document else facts.key.name
        ruled = not decision.withdraw and answer.by is None
        return HttpView(
            generation=facts.metadata.generation,
            before=facts.manifest.get("status", {}),
            accepted=decision.accepted,
            document=decision.document,
            surface=surface,
            publication=publication_of(facts, answer, self._clock.monotonic()),
            acknowledged=_acknowledged(answer, facts.picture.surfaces.get(surface) if ruled else None),
        )

    def _published(self, facts: HttpFacts) -> HttpDocument | None:
        """What the store holds of this policy: as we remember it, or as it was seen after a restart."""
        declared = self._memory.declared.get(facts.key)
        if declared:
            return declared.document if isinstance(declared.document, HttpDocument) else None
        for surface in facts.picture.surfaces.values():
            owner = facts.picture.owner(f"http/{surface.surface}")
            if owner and owner.uid == facts.metadata.uid:
                return surface.document
        return None


def _acknowledged(answer: Answer, surface: SurfaceState | None) -> Acknowledged:
    """Every API process that renews for the surface must act."""
    in_use = list(surface.instances.values()) if surface else []
    revision = answer.revision or (surface.revision if surface else 0)
    return Acknowledged(revision, len(in_use), in_use.count(revision))
