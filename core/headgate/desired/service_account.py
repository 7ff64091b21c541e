"""The account of workers whose template names none: it has no right and its token is mounted nowhere."""

from __future__ import annotations

from headgate.desired.wanted import Manifest, Wanted, child


def service_account(wanted: Wanted) -> Manifest | None:
    if wanted.service_account:
        return None
    return child(wanted, "v1", "ServiceAccount", {"automountServiceAccountToken": False})
