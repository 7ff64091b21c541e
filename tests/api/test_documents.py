"""The examples of docs/api.md, sent as they stand there."""

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.store
PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()
CALLS = re.findall(r"curl (?:-X (\w+) |-H [^\n]*? )(http://127\.0\.0\.1:9190\S+)(.*?)(?:```|\n\n)", PAGE, re.DOTALL)


def test_there_are_examples():
    assert len(CALLS) == 3


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[1].rpartition("9190")[2])
async def test_each_call_is_answered(api, emails, call):
    method, url, rest = call
    body = re.search(r"-d '([^']*)'", rest)
    headers = dict(found.split(": ", 1) for found in re.findall(r"-H '([^']*)'", rest))
    options = {"json": json.loads(body[1])} if body else {}
    answer = await api.send(method or "GET", "operator", url.partition("9190")[2], headers=headers, **options)
    assert answer.status_code in (200, 201), answer.text


def test_every_route_that_the_page_names_exists(settings):
    from headgate_api.app import create_app

    described = create_app(settings).openapi()["paths"]
    named = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"`(?:[A-Z]+ )?(/v1/[^`]*)`", PAGE)}
    known = {re.sub(r"\{\w+\}", "{}", path) for path in described}
    assert named
    assert named - known == set()
