"""One application of four processes on one store, and a real proxy before it with the configuration of the examples."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, PathMatch, RateDocument
from tests.processes import tree
from tests.proxies.programs import ProxyMissingError, program
from tests.stores import StoreServer, free_port, valkey_binary
from tests.story.site import Site
from tests.story.world import ROOT, until

EXAMPLES = ROOT / "deploy" / "examples" / "proxies"
GENERAL, ADMIN = 100, 5
COMMANDS = {
    "nginx": ["-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off; pid nginx.pid;"],
    "haproxy": ["-db", "-f", "haproxy.cfg"],
    "caddy": ["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
    "traefik": ["--configFile=traefik.yaml"],
}


@dataclass(frozen=True)
class Behind:
    """A proxy, and the application it stands before."""

    name: str
    port: int
    site: Site


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("behind")
    store = StoreServer(valkey_binary(), folder).start()
    rate = RateDocument(limit=GENERAL, period_ms=900_000)
    admin = HttpMatch(paths=(PathMatch(value="/api/admin"),))
    rules = (
        HttpRule(name="general", match=HttpMatch(paths=(PathMatch(value="/api"),)), rate=rate),
        HttpRule(name="admin", match=admin, rate=RateDocument(limit=ADMIN, period_ms=900_000)),
    )
    document = HttpDocument(surface="behind", trusted_proxies=("127.0.0.1/32",), rules=rules)
    door = Door(store.url)
    door.publish(document, Owner("local/behind", "uid", 1, "tests"))
    door.close()
    with Site(folder, store.url, "tests.proxies.application:create_app", processes=4) as site:
        yield site
    store.kill()


@pytest.fixture(scope="session", params=list(COMMANDS))
def behind(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    name = request.param
    try:
        path = program(name)
    except ProxyMissingError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp(name)
    port = free_port()
    configure(folder, {"8080": str(port), "8000": str(site.port)})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [path, *COMMANDS[name]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: listens(port) or ended(process, folder), 30, f"{name} listens")
        yield Behind(name, port, site)
    finally:
        tree.end(process.pid)
        process.wait()


def configure(folder: Path, ports: dict[str, str]) -> None:
    """The examples' files as they are, but for the two ports."""
    for source in EXAMPLES.iterdir():
        if source.is_file():
            text = source.read_text()
            for shown, real in ports.items():
                text = text.replace(f":{shown}", f":{real}")
            (folder / source.name).write_text(text)
    shutil.copystat(EXAMPLES, folder)


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            time.sleep(0.1)
            return True
    except OSError:
        return False


def ended(process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
    return False
