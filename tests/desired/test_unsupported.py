"""What the schema knows and this version does not do is refused by name."""

from collections.abc import Callable
from typing import Any

import pytest

from headgate.desired.unsupported import unsupported
from headgate.desired.wanted import Wanted


@pytest.mark.parametrize(
    ("workers", "field"),
    [
        ({"autoscaling": {"maxReplicas": 2}}, "spec.workers.autoscaling"),
        ({"memory": {}}, ""),
        ({}, ""),
    ],
)
def test_a_field_that_does_nothing_is_named(workers: dict[str, Any], field: str, wanted: Callable[..., Wanted]) -> None:
    assert unsupported(wanted({"workers": workers}).policy).partition(":")[0] == field
