"""schemathesis over the OpenAPI: no 5xx, and nothing that is not declared."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from headgate_api.app import create_app
from headgate_api.settings import Settings
from headgate_api.tokens import new_token

pytestmark = [pytest.mark.store, pytest.mark.slow]
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture
def app(valkey_url, tmp_path, emails):
    token, line = new_token("operate,proxy", "schemathesis")
    path = tmp_path / "all"
    path.write_text(line)
    return create_app(Settings(valkey_url, path, surface="")), token


@pytest.fixture
def described(app):
    return schemathesis.openapi.from_asgi("/openapi.json", app[0])


lazy = schemathesis.pytest.from_fixture("described")


@lazy.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_no_answer_is_undeclared(case, app):
    headers = {"Authorization": f"Bearer {app[1]}", "X-Headgate-Token": app[1]}
    case.call_and_validate(headers=headers, checks=CHECKS)


async def test_everything_is_described(api):
    described = (await api.client.get("/openapi.json")).json()
    json.dumps(described)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["tags"], where
            if path.startswith("/v1"):
                assert {"401", "403", "422", "429", "503"} <= set(operation["responses"]), where
                assert operation["security"], where
