"""The statistics page of the service itself, over a real store."""

import asyncio

import pytest

from headgate_api.panels import Panel

pytestmark = pytest.mark.store


async def test_the_page_has_all_panels_and_says_how_old_they_are(api, emails):
    answer = await api.get("reader", "/v1/admin/panels?days=30")
    panels = answer.json()["panels"]
    assert set(panels) == {"queues", "dead", "http", "periodic", "processes", "store"}
    assert {panel["freshness"] for panel in panels.values()} == {"miss"}, panels
    assert panels["queues"]["value"][0]["queue"] == "emails"
    assert answer.headers["age"] == "0"
    assert "queues; fwd=miss; stored" in answer.headers["cache-status"]
    again = await api.get("reader", "/v1/admin/panels?days=30")
    assert {panel["freshness"] for panel in again.json()["panels"].values()} == {"hit"}


async def test_size_is_computed_only_when_it_is_asked_for(api, emails):
    assert "keys" not in (await api.get("reader", "/v1/admin/panels/store")).json()["value"]
    assert (await api.get("reader", "/v1/admin/panels/store?size=true")).json()["value"]["keys"] > 0


@pytest.mark.parametrize("query", ["days=0", "days=366", "days=x", "size=perhaps"])
async def test_bounds(api, query):
    assert (await api.get("reader", f"/v1/admin/panels?{query}")).status_code == 422


async def test_scopes_and_unknown_panels(api):
    assert (await api.get(None, "/v1/admin/panels")).status_code == 401
    assert (await api.get("edge", "/v1/admin/panels")).status_code == 403
    assert (await api.get("reader", "/v1/admin/panels/none")).status_code == 404


async def test_a_stuck_panel_degrades_alone(api, emails):
    async def hang(_query):
        await asyncio.Event().wait()

    api.app.state.parts.panels.add(Panel("stuck", hang, deadline=0.2, fallback="later"))
    panels = (await api.get("reader", "/v1/admin/panels")).json()["panels"]
    assert panels["stuck"] == {
        "value": "later", "freshness": "missing", "age": 0, "error": "no answer within 0.2 s",
    }  # fmt: skip
    assert panels["queues"]["freshness"] == "miss"
