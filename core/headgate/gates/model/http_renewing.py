"""renew_requests and inspect_http: what API processes say of themselves, and what can be seen of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from headgate.gates.http import RequestsBeat, RequestsRenewal, RuleCounts, SurfaceState
from headgate.gates.leases import LEASE_MS
from headgate.gates.model.http_admitting import members
from headgate.gates.model.http_state import API_MS, FORGET_HELD_MS, KEEP_LAPSED_MS, Api, Counted
from headgate.gates.model.leases import Leases
from headgate.gates.model.state import Store


def renew_requests(store: Store, beat: RequestsBeat) -> RequestsRenewal:
    store.meta.clock = store.now
    in_flight: Counter[str] = Counter()
    for place in beat.places:
        request, _, rest = place[1:].partition(" ")
        if place[0] == "i":
            _keep_in_flight(store, request, rest)
            in_flight[rest.rpartition("/")[0]] += 1
        elif place[0] == "b":
            _keep_share(store, request, rest)
    store.http.expire(store.now)
    store.http.apis.pop(beat.instance, None)
    revisions: dict[str, int] = {}
    instances: dict[str, int] = {}
    if beat.surfaces:
        store.http.apis[beat.instance] = Api(beat.pod, dict(beat.surfaces), dict(in_flight), store.now)
        store.http.apis_until = store.now + API_MS
        known = store.http.surfaces
        revisions = {name: known[name].revision if name in known else 0 for name in beat.surfaces}
        apis = store.http.apis.values()
        instances = {name: sum(name in api.surfaces for api in apis) for name in beat.surfaces}
    for (surface, rule), count in beat.refused.items():
        if revisions.get(surface) and revisions[surface] == beat.surfaces[surface]:
            store.http.surfaces[surface].counted.setdefault(rule, Counted()).denied += count
    return RequestsRenewal(revisions, store.meta.quarantine_until if store.quarantined else 0, store.now, instances)


def _keep(store: Store, leases: Leases, holder: str) -> None:
    """In quarantine also what the store does not know (any more); otherwise its request ended meanwhile."""
    if holder in leases or store.quarantined:
        leases.take(holder, store.now + LEASE_MS)


def _keep_in_flight(store: Store, request: str, where: str) -> None:
    client = store.http.client(where, store.now)
    _keep(store, client.held, request)
    for holder in client.held.lapsed(store.now - KEEP_LAPSED_MS):
        client.held.drop(holder)
    client.held_until = store.now + FORGET_HELD_MS


def _keep_share(store: Store, request: str, place: str) -> None:
    """A budget that is gone stays gone."""
    weight, _, name = place.partition(":")
    budget = store.budgets.get(name)
    if budget is None:
        return
    for member in members(request, int(weight)):
        _keep(store, budget.held, member)
        _keep(store, budget.http, member)
    budget.drop_lapsed(store.now - KEEP_LAPSED_MS)


def inspect_http(store: Store) -> Mapping[str, SurfaceState]:
    store.http.expire(store.now)
    apis = store.http.apis

    def counts(surface: str, rule: str, counted: Counted) -> RuleCounts:
        in_flight = sum(api.in_flight.get(f"{surface}/{rule}", 0) for api in apis.values())
        seen = (counted.allowed, counted.denied, counted.shadowed, counted.near)
        return RuleCounts(*seen, len(counted.identities), in_flight)

    return {
        name: SurfaceState(
            surface=name,
            revision=surface.revision,
            document=surface.document,
            rules={rule: counts(name, rule, counted) for rule, counted in surface.counted.items()},
            instances={who: api.surfaces[name] for who, api in apis.items() if name in api.surfaces},
        )
        for name, surface in store.http.surfaces.items()
    }
