"""HTTPPolicies for the tests of this folder: put, read back, and found in the store."""

from __future__ import annotations

from typing import Any

from headgate.control.ports import HTTP_POLICY
from headgate.model.documents import HttpDocument

GENERAL = {"name": "general", "rate": {"limit": 100, "periodSeconds": 900}}
SHARED = {"name": "heavy", "inFlight": 5, "budgetRefs": [{"name": "database"}]}
IN_FORCE = {"Accepted": "True/Valid", "Enforced": "True/NoInstances", "Ready": "True/InForce"}


async def put(world: Any, name: str = "api", namespace: str = "mail", *rules: dict[str, Any], **spec: Any) -> None:
    await world.put(name, namespace, HTTP_POLICY, rules=list(rules or (GENERAL,)), **spec)


async def conditions(world: Any, name: str = "api", namespace: str = "mail") -> dict[str, str]:
    found: dict[str, str] = await world.conditions(name, HTTP_POLICY, namespace)
    return found


def published(world: Any, surface: str = "api") -> HttpDocument:
    found = world.store.documents[f"http/{surface}"]
    assert isinstance(found, HttpDocument)
    return found
