"""Rules that could match nothing are found, and those that can are left alone."""

from typing import Any

import pytest

from headgate.desired.unmatchable import unmatchable
from headgate.model.http_policy import HTTPPolicy
from headgate.model.parse import parse


def policy(**match: Any) -> HTTPPolicy:
    rules = [{"name": "fine", "inFlight": 1}, {"name": "r", "inFlight": 1, "match": match}]
    head = {"apiVersion": "headgate.dev/v1alpha1", "kind": "HTTPPolicy", "metadata": {"name": "api"}}
    found = parse({**head, "spec": {"rules": rules}})
    assert isinstance(found, HTTPPolicy)
    return found


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        ("Prefix", "/api/{id}", "only type: Template knows"),
        ("Exact", "/api/{id:int}/x", "only type: Template knows"),
        ("Template", "/api/{id", "has a brace that is no parameter"),
        ("Template", "/api/{}/x", "has a brace that is no parameter"),
        ("Template", "/api/{a}}", "has a brace that is no parameter"),
        ("Prefix", "/api?page=1", "has more than a path in it"),
        ("Exact", "/api#top", "has more than a path in it"),
        ("Exact", "/api/a%20b", "is escaped"),
    ],
)
def test_paths_that_no_request_has(type_: str, value: str, words: str) -> None:
    """The sentence names the field, the value, and what to write instead."""
    (sentence,) = unmatchable(policy(paths=[{"value": "/"}, {"type": type_, "value": value}]))
    assert sentence.startswith(f"spec.rules[1].match.paths[1].value: {value} ")
    assert words in sentence


@pytest.mark.parametrize("host", ["https://example.com", "example.com:8080", "*", "a.*.example.com", "a b"])
def test_hosts_that_no_request_has(host: str) -> None:
    """A host is compared without its port."""
    (sentence,) = unmatchable(policy(hosts=["example.com", host]))
    assert sentence.startswith(f"spec.rules[1].match.hosts[1]: {host} is no host, give a name")


def test_what_can_be_matched_is_left_alone() -> None:
    """Templates with converters, plain characters that only look odd, wildcards, addresses."""
    paths = [
        {"type": "Template", "value": "/api/{campaign_id}/x/{rest:path}"},
        {"value": "/100%/a;b=c/@me/~x"},
        {"type": "Exact", "value": "/"},
    ]
    assert list(unmatchable(policy(paths=paths, hosts=["*.example.com", "localhost", "10.0.0.1", "[::1]"]))) == []
