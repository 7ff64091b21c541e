"""Who rules: which of two policies has a queue or a surface, and whether a child object is ours to change."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from headgate.control.ports import Key, Manifest
from headgate.model.common import Metadata
from headgate.names import MANAGED_BY, POLICY_LABEL

Claim = tuple[str, str]
"""Store and `queue/<queue>` or `http/<surface>`: what at most one policy may declare."""
Standing = Literal["ours", "adoptable", "leaving", "foreign"]


def precedence(metadata: Metadata) -> tuple[str, str]:
    """The smallest wins: the oldest, then by uid. RFC 3339 in UTC sorts as text."""
    return metadata.creation_timestamp, metadata.uid


class Claims:
    """Which policies say that they declare what. A hint: whoever loses by it asks the cluster first."""

    def __init__(self) -> None:
        self._of: dict[Key, Claim] = {}
        self._claimants: defaultdict[Claim, set[Key]] = defaultdict(set)

    def declare(self, key: Key, claim: Claim | None) -> set[Key]:
        """Note what `key` declares now, None for nothing. Answers those who may have what it gave up."""
        before = self._of.get(key)
        if before == claim:
            return set()
        if before is not None:
            self._claimants[before].discard(key)
        if claim is None:
            self._of.pop(key, None)
        else:
            self._of[key] = claim
            self._claimants[claim].add(key)
        return set(self._claimants[before]) if before is not None else set()

    def rivals(self, key: Key) -> list[Key]:
        """Others who declare the same, in a constant order."""
        claim = self._of.get(key)
        return sorted(self._claimants[claim] - {key}) if claim else []

    def declares(self, key: Key) -> Claim | None:
        return self._of.get(key)

    def keys(self) -> set[Key]:
        """All who declare something."""
        return set(self._of)


def standing(child: Manifest, policy: Metadata, *, kind: str = "QueuePolicy", label: str = POLICY_LABEL) -> Standing:
    """`leaving`: it belonged to a policy of this name that was deleted; garbage collection takes it.

    `adoptable`: nobody controls it and our labels are on it, as after `kubectl delete --cascade=orphan`. `label`
    names the owner, which is of `kind`.
    """
    metadata = child["metadata"]
    controller = next((owner for owner in metadata.get("ownerReferences", []) if owner.get("controller")), None)
    labels = metadata.get("labels", {})
    if controller is None:
        labelled = labels.get(MANAGED_BY) == "headgate" and labels.get(label) == policy.name
        return "adoptable" if labelled else "foreign"
    if controller["uid"] == policy.uid:
        return "ours"
    same_name = controller["kind"] == kind and controller["name"] == policy.name
    return "leaving" if same_name else "foreign"
