"""The proxies as programs: nginx and HAProxy from Debian, Caddy from pinned Go modules, Traefik only from the PATH.

The Go build goes into a cache outside the tree, once per pin, and costs minutes; `python tests/proxies/programs.py`
does it ahead of a test run. Without HEADGATE_BUILD_PROXIES=1 a test takes only what is built and skips the rest.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

BINARIES = Path(__file__).with_name("binaries")
DEBIAN = {"nginx": "nginx-light", "haproxy": "haproxy"}
GO = {
    "caddy": "github.com/caddyserver/caddy/v2/cmd/caddy",
}
FLAGS = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"]


class ProxyMissingError(RuntimeError):
    """The program is not there; says how to get it."""


def program(name: str) -> str:
    """Path of a proxy. Raises ProxyMissingError."""
    if name in DEBIAN:
        return _debian(name)
    found = shutil.which(name)
    if found is None and name not in GO:
        raise ProxyMissingError(f"{name} is not installed")
    return found or str(built(name))


def _debian(name: str) -> str:
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    found = shutil.which(name, path=path)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # No service: the tests start their own, on their own ports.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", DEBIAN[name]]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        found = shutil.which(name, path=path)
    if found is None:
        raise ProxyMissingError(f"{name} is missing: install Debian's package {DEBIAN[name]}")
    return found


def built(name: str, *, build: bool = os.environ.get("HEADGATE_BUILD_PROXIES") == "1") -> Path:
    target = _cache(name) / name
    if not target.exists():
        if not build:
            raise ProxyMissingError(f"{name} is not built yet: python tests/proxies/programs.py {name}")
        _build(name, target)
    return target


def _cache(name: str) -> Path:
    """Another folder for every other pin, set of flags or kind of machine."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    pins = [path.read_bytes() for path in sorted((BINARIES / name).iterdir())]
    digest = hashlib.sha256(b"\0".join([*pins, repr(FLAGS).encode(), platform.machine().encode()]))
    return base / "headgate" / f"{name}-{digest.hexdigest()[:16]}"


def _build(name: str, target: Path) -> None:
    """Under a temporary name, one process at a time: a file with its real name is complete."""
    go = shutil.which("go")
    if go is None:
        raise ProxyMissingError(f"Go is not installed, so {name} cannot be built")
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        unfinished = target.with_name(f".{name}.{os.getpid()}")
        subprocess.run(
            [go, "build", *FLAGS, "-o", str(unfinished), GO[name]],
            cwd=BINARIES / name,
            env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
            stdin=subprocess.DEVNULL,
            check=True,
        )
        unfinished.replace(target)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or GO:
        print(built(wanted, build=True))
