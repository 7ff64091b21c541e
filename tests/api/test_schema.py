"""schemathesis over the OpenAPI: no 5xx, and nothing that is not declared."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from headgate_api.app import create_app
from headgate_api.gate.store_url import StoreUrl
from headgate_api.settings import Settings
from headgate_api.tokens import new_token
from tests.api.server import serving

pytestmark = [pytest.mark.store, pytest.mark.slow]
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


EXAMPLES = 25


@pytest.fixture
def served(valkey_url, tmp_path, emails):
    """A real server whose token may everything."""
    token, line = new_token("operate,proxy", "schemathesis")
    path = tmp_path / "all"
    path.write_text(line)
    with serving(create_app(Settings(StoreUrl(valkey_url), path, surface=""))) as url:
        yield url, {"Authorization": f"Bearer {token}", "X-Headgate-Token": token}


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_answer_is_undeclared(served, mode):
    url, headers = served
    described = schemathesis.openapi.from_url(f"{url}/openapi.json")
    names = set()
    for found in described.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not [*operation.iter_parameters(), *operation.body]:
            continue  # nothing of it could be wrong
        names.add(operation.label)

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def try_it(case):
            case.call_and_validate(headers=headers, checks=CHECKS)

        try_it()
    assert {"POST /v1/queues/{queue}/jobs", "GET /v1/admin/panels", "POST /report"} <= names


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
