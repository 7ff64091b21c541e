"""The whole API on a real port, in a thread of its own, and Debian's Chromium to look at it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from headgate_api.app import create_app
from headgate_api.gate.store_url import StoreUrl
from headgate_api.settings import Settings
from tests.dashboard.fleet import wait_until
from tests.stores import free_port

TOKENS = {"lookout": "read", "ada": "operate"}
"""Each token is its name."""


def tokens_file(folder: Path, tokens: dict[str, str] | None = None) -> Path:
    path = folder / "tokens"
    lines = (
        f"sha256:{hashlib.sha256(token.encode()).hexdigest()} {scopes} {token}\n"
        for token, scopes in (tokens or TOKENS).items()
    )
    path.write_text("".join(lines))
    return path


@contextlib.contextmanager
def serving(store_url: str, folder: Path, port: int = 0) -> Iterator[str]:
    """The address of a running API."""
    settings = Settings(StoreUrl(store_url), tokens_file(folder), port=port or free_port())
    app = create_app(settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=settings.port, log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        app.state.feed.close()
        server.should_exit = True
        thread.join(15)


def chromium_binary() -> str:
    """Debian's chromium; installed when this runs as root and it is missing."""
    found = shutil.which("chromium")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu-core"],
        ):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        raise RuntimeError("chromium is missing: install Debian's packages chromium and fonts-dejavu-core")
    return found
