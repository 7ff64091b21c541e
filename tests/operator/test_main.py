"""The program from outside: what it says and with which code it ends when it cannot work."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from .fake_api import FakeApi
from .polling import until

PROGRAM = str(Path(sys.executable).with_name("headgate-operator"))
STORES = "stores:\n- {{name: default, urlFile: {folder}/url, workerSecretName: s}}\n"


@pytest.fixture
def environ(tmp_path: Path, kubeconfig: Path) -> dict[str, str]:
    (tmp_path / "stores.yaml").write_text(STORES.format(folder=tmp_path))
    return {
        "PATH": os.environ["PATH"],
        "HEADGATE_STORES_FILE": str(tmp_path / "stores.yaml"),
        "HEADGATE_HOST": "127.0.0.1",
        "HEADGATE_PORT": "0",
        "HEADGATE_CLUSTER_ID": "test",
        "KUBECONFIG": str(kubeconfig),
    }


async def run(environ: dict[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(PROGRAM, env=environ, stdout=PIPE, stderr=PIPE)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("HEADGATE_STORES_FILE", "", "HEADGATE_STORES_FILE is not set: it must be the path of the stores file"),
        ("HEADGATE_PORT", "http", "HEADGATE_PORT is 'http': it must be a whole number from 0 to 65535"),
        ("KUBECONFIG", "/nowhere", "KUBECONFIG '/nowhere' gives no way to log in to Kubernetes"),
        ("KUBECONFIG", "", "the Pod's ServiceAccount gives no way to log in to Kubernetes"),
    ],
)
async def test_a_bad_configuration_is_one_sentence_and_code_1(
    environ: dict[str, str], key: str, value: str, sentence: str
) -> None:
    process = await run({**environ, key: value})
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (1, b"")
    assert "Traceback" not in err.decode()
    assert err.decode().splitlines()[-1].startswith(f"headgate-operator: {sentence}")


async def test_a_port_that_is_taken_is_named(environ: dict[str, str], fake_api: FakeApi) -> None:
    port = fake_api.url.rsplit(":", 1)[1]
    process = await run({**environ, "HEADGATE_PORT": port})
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert f"HEADGATE_PORT is {port}: cannot listen there" in err.decode()


async def test_a_cluster_that_cannot_be_told_from_others_is_refused_and_the_lease_given_back(
    environ: dict[str, str], fake_api: FakeApi
) -> None:
    del environ["HEADGATE_CLUSTER_ID"]
    process = await run(environ)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "set HEADGATE_CLUSTER_ID to a name of this cluster" in err.decode().splitlines()[-1]
    assert fake_api.objects["leases", "headgate-system", "headgate-operator"]["spec"]["holderIdentity"] == ""


async def test_sigterm_ends_it_with_0_and_the_lease_is_free(environ: dict[str, str], fake_api: FakeApi) -> None:
    process = await run(environ)
    await until(lambda: any(request.query.get("watch") for request in fake_api.requests), "it leads and watches")
    process.send_signal(signal.SIGTERM)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, err.decode()
    assert fake_api.objects["leases", "headgate-system", "headgate-operator"]["spec"]["holderIdentity"] == ""
    assert all("/leases" in request.path for request in fake_api.writes)


async def test_it_waits_for_its_crds(environ: dict[str, str], fake_api: FakeApi) -> None:
    fake_api.without = {"budgets"}
    process = await run(environ)
    assert process.stderr
    while b"Waiting for the CRDs" not in (line := await asyncio.wait_for(process.stderr.readline(), 20)):
        assert line, "it ended"
    assert b"budgets" in line
    fake_api.without = set()
    await until(lambda: any(request.query.get("watch") for request in fake_api.requests), "it goes on by itself")
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0


async def test_it_starts_on_a_read_only_file_system(environ: dict[str, str], fake_api: FakeApi, tmp_path: Path) -> None:
    """HOME and the temporary folder are there and cannot be written to."""
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o500)
    process = await run({**environ, "HOME": str(sealed), "TMPDIR": str(sealed), "PYTHONDONTWRITEBYTECODE": "1"})
    await until(lambda: any(request.query.get("watch") for request in fake_api.requests), "it leads and watches")
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert list(sealed.iterdir()) == []
