"""One application of four processes on one store, and a real proxy before it with the configuration of the examples."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.gates.door import Door
from headgate.gates.verbs import Owner
from headgate.model.documents import HttpDocument, HttpMatch, HttpRule, PathMatch, RateDocument
from headgate_api.tokens import Scope, new_token
from tests.processes import tree
from tests.proxies.programs import ProxyMissingError, program
from tests.stores import StoreServer, free_port, valkey_binary
from tests.story.site import Site
from tests.story.world import PROGRAMS, ROOT, until

EXAMPLES = ROOT / "deploy" / "examples" / "proxies"
GENERAL, ADMIN = 100, 5
NGINX = ["-p", ".", "-e", "stderr", "-g", "daemon off; pid nginx.pid;"]
COMMANDS = {
    "nginx": [*NGINX, "-c", "nginx.conf"],
    "haproxy": ["-db", "-f", "haproxy.cfg"],
    "caddy": ["run", "--config", "Caddyfile", "--adapter", "caddyfile"],
    "traefik": ["--configFile=traefik.yaml"],
    "nginx-authz": [*NGINX, "-c", "nginx-authz.conf"],
    "haproxy-authz": ["-db", "-f", "haproxy-authz.cfg"],
    "caddy-authz": ["run", "--config", "Caddyfile-authz", "--adapter", "caddyfile"],
}
"""With the examples' files. `-authz`: the proxy asks headgate-api, and the application has no middleware."""


@dataclass(frozen=True)
class Behind:
    """A proxy before the application. `asks`: it asks headgate-api itself."""

    name: str
    port: int

    @property
    def asks(self) -> bool:
        return self.name.endswith("-authz")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """With the policy of surface `api`."""
    store = StoreServer(valkey_binary(), tmp_path_factory.mktemp("store")).start()
    admin = HttpMatch(paths=(PathMatch(value="/api/admin"),))
    rules = (
        HttpRule(name="general", match=HttpMatch(paths=(PathMatch(value="/api"),)), rate=_quarter(GENERAL)),
        HttpRule(name="admin", match=admin, rate=_quarter(ADMIN)),
    )
    door = Door(store.url)
    document = HttpDocument(surface="api", on_store_failure="Deny", trusted_proxies=("127.0.0.1/32",), rules=rules)
    door.publish(document, Owner("local/api", "uid", 1, "tests"))
    door.close()
    yield store
    store.kill()


def _quarter(limit: int) -> RateDocument:
    return RateDocument(limit=limit, period_ms=900_000)


@pytest.fixture(scope="session")
def limited(store: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application with the middleware, in four processes."""
    folder = tmp_path_factory.mktemp("limited")
    with Site(folder, store.url, "tests.proxies.application:create_app", processes=4) as site:
        yield site


@pytest.fixture(scope="session")
def bare(store: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application without it."""
    with Site(tmp_path_factory.mktemp("bare"), store.url, "tests.proxies.application:create_bare") as site:
        yield site


@pytest.fixture(scope="session")
def api(store: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """headgate-api: its port, and a token of scope proxy."""
    folder, port = tmp_path_factory.mktemp("api"), free_port()
    token, line = new_token(Scope.PROXY, "proxy")
    (folder / "tokens").write_text(line + "\n")
    env = {"REDIS_URL": store.url, "HEADGATE_TOKENS_FILE": str(folder / "tokens"), "HEADGATE_PORT": str(port)}
    with running("api", [str(PROGRAMS / "headgate-api")], folder, port, env):
        yield port, token


@pytest.fixture(scope="session", params=list(COMMANDS))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    name, port = request.param, free_port()
    try:
        path = program(name.removesuffix("-authz"))
    except ProxyMissingError as missing:
        pytest.skip(str(missing))
    folder, env = tmp_path_factory.mktemp(name), {}
    found = Behind(name, port)
    site: Site = request.getfixturevalue("bare" if found.asks else "limited")
    ports = {"8080": port, "8000": site.port}
    if found.asks:
        ports["9190"], token = request.getfixturevalue("api")
        (folder / "headgate-token.conf").write_text(f'proxy_set_header X-Headgate-Token "{token}";\n')
        env["HEADGATE_TOKEN"] = token
    configure(folder, ports)
    with running(name, [path, *COMMANDS[name]], folder, port, env):
        yield found


def configure(folder: Path, ports: Mapping[str, int]) -> None:
    """The examples' files as they are, but for the ports."""
    for source in EXAMPLES.iterdir():
        text = source.read_text()
        for shown, real in ports.items():
            text = text.replace(f":{shown}", f":{real}")
        (folder / source.name).write_text(text)


@contextmanager
def running(name: str, command: list[str], folder: Path, port: int, env: Mapping[str, str]) -> Iterator[None]:
    """A server of ours, in a session of its own, from its first answer to the end of the context."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: _listens(process, port, folder), 60, f"{name} listens", every=0.1)
        yield
    finally:
        tree.end(process.pid)
        process.wait()


def _listens(process: subprocess.Popen[bytes], port: int, folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text(errors="replace")[-2000:]
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
