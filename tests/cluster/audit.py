"""Which writes the API server saw: the audit policy that records them and the reader of its log.

Recorded is every request that would store something: also refused ones, and no-op patches. Not recorded are reads,
dry runs and requests that store nothing (token requests, token and access reviews). The API server appends the line
before the response ends, so a write that has been answered is in the log. A request that a SIGKILL cut off is not.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "resources": [{"group": "authentication.k8s.io"}, {"group": "authorization.k8s.io"}]},
        {"level": "None", "resources": [{"group": "", "resources": ["serviceaccounts/token"]}]},
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True)
class Write:
    """One request. `at`: Unix seconds of its arrival. `resource` is the plural, with `/status` and the like."""

    at: float
    verb: str  # create, update, patch, delete or deletecollection
    group: str  # "" for the core group
    resource: str
    namespace: str  # "" for what has none
    name: str  # "" for deletecollection, and for a create that failed with generateName
    user: str  # system:serviceaccount:<namespace>:<name> for a ServiceAccount
    code: int  # HTTP status of the answer


def read(log: Path) -> Iterator[Write]:
    """The writes in `log` in the order in which they were answered; a line still being written is left out."""
    if not log.exists():
        return
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                event = json.loads(line)
                if "objectRef" in event and "dryRun=" not in event["requestURI"]:
                    yield parse(event)


def parse(event: dict[str, Any]) -> Write:
    about = event["objectRef"]
    resource = about.get("resource", "")
    subresource = about.get("subresource")
    return Write(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp(),
        verb=event["verb"],
        group=about.get("apiGroup", ""),
        resource=f"{resource}/{subresource}" if subresource else resource,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        user=event["user"]["username"],
        code=event["responseStatus"]["code"],
    )
