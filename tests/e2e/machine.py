"""What a node takes of this machine, and who gives it back: one run at a time, nothing left however the run ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .commands import run
from .workplace import cache

CGROUPS = Path("/sys/fs/cgroup")
JANITOR = """
read -r _
for _ in $(seq 100); do
  ip link del "$1" 2> /dev/null
  find /sys/fs/cgroup/"$2" /sys/fs/cgroup/*/"$2" -depth -type d -exec rmdir {} + 2> /dev/null
  [ -z "$(find /sys/fs/cgroup -maxdepth 2 -name "$2")" ] && break
  sleep 0.1
done
rm -rf "$3/containerd" "$3/etcd"
"""
"""Waits for the end of its input, which comes with that of the run, also by SIGKILL. Arguments: link, cgroup, work."""


class Janitor:
    """Deletes the network link, the cgroups and the large folders when `close` is called or this process is gone."""

    def __init__(self, link: str, cgroup: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            ["bash", "-c", JANITOR, "janitor", link, cgroup, str(folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Returns when all is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One node at a time: the addresses are fixed. The kernel drops the lock with its holder."""
    path = cache("node.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another run that has a node on this machine ...", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_link(name: str, address: str) -> None:
    """The host's end has its address before anything listens on it; the other end, `<name>n`, moves into the node."""
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}n"])
    run(["ip", "addr", "add", f"{address}/24", "dev", name])
    run(["ip", "link", "set", name, "up"])


def make_cgroups(name: str) -> None:
    """What the kubelet takes as root of all pods: one folder (version 2), or one in each hierarchy (version 1)."""
    if (CGROUPS / "cgroup.controllers").exists():
        (CGROUPS / name).mkdir(exist_ok=True)
        return
    for controller in CGROUPS.iterdir():
        if (controller / "tasks").exists() or (controller / "cgroup.procs").exists():
            with contextlib.suppress(FileExistsError):
                (controller / name).mkdir()


def cannot() -> str | None:
    """Why this machine cannot run a node; None when it can."""
    if os.geteuid() != 0:
        return "the node needs root: namespaces, cgroups, mounts"
    if not CGROUPS.is_dir() or not os.access(CGROUPS, os.W_OK):
        return "the node needs /sys/fs/cgroup, writable"
    spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    if subprocess.run(spaces, capture_output=True, check=False).returncode:
        return "the node needs namespaces of its own, which this machine refuses (unshare)"
    return None
