"""The same stories on the reference, on Valkey and on Redis."""

from collections.abc import Iterator

import pytest

from tests.gates.conformance.bench import Bench
from tests.gates.conformance.crowd import Crowd
from tests.gates.conformance.fleet import Fleet
from tests.gates.conformance.model_bench import ModelBench
from tests.gates.conformance.server_bench import ServerBench


@pytest.fixture(
    params=["model", pytest.param("valkey", marks=pytest.mark.store), pytest.param("redis", marks=pytest.mark.store)]
)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    opened: Bench
    if request.param == "model":
        opened = ModelBench()
    else:
        opened = ServerBench(request.getfixturevalue(f"{request.param}_server").url)
    yield opened
    opened.close()


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    return Fleet(bench)


@pytest.fixture
def crowd(bench: Bench) -> Crowd:
    return Crowd(bench)
