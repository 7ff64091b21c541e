"""How much of the memory that the kernel lets this pod have is in use: control groups, version 1 and 2.

As the kernel has it (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst), and the kubelet: what counts is
the working set, which is usage less the page cache that can go at once (`inactive_file`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNLIMITED = 1 << 60
"""Version 1 writes a number near 2^63 for no limit."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes."""

    used: int
    limit: int

    @property
    def percent(self) -> float:
        return 100 * self.used / self.limit


@dataclass(frozen=True, slots=True)
class _Group:
    """One directory of the hierarchy, and what its version calls things."""

    folder: Path
    limit: str
    usage: str
    inactive: str

    def read(self) -> Memory | None:
        """None without a limit, or where the kernel does not tell."""
        try:
            text = (self.folder / self.limit).read_text().strip()
            if not text.isdecimal() or not 0 < int(text) < UNLIMITED:
                return None
            usage = int((self.folder / self.usage).read_text())
            for line in (self.folder / "memory.stat").read_text().splitlines():
                if line.startswith(self.inactive):
                    usage -= int(line[len(self.inactive) :])
            return Memory(max(usage, 0), int(text))
        except (OSError, ValueError):
            return None


class PodMemory:
    """The group of this process and those above it that it can see: whichever is nearest to its limit is the measure.

    A container sees its own group, whose limit is its `resources.limits.memory`; limits can change while it runs.
    """

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        self._groups = list(_groups(proc))

    def read(self) -> Memory | None:
        """None: no limit is known, so nothing can be held against it."""
        known = [memory for group in self._groups if (memory := group.read()) is not None]
        return max(known, key=lambda memory: memory.percent, default=None)


def _groups(proc: Path) -> Iterator[_Group]:
    found = _mounted(proc)
    if found is None:
        return
    version, root, mount = found
    folder = mount / _below(_path(proc, version), root)
    if not folder.is_dir():
        folder = mount
    while True:
        if version == 1:
            yield _Group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        else:
            yield _Group(folder, "memory.max", "memory.current", "inactive_file ")
        if folder == mount:
            return
        folder = folder.parent


def _mounted(proc: Path) -> tuple[int, str, Path] | None:
    """(version, root of the mount in the hierarchy, where it is mounted); version 1 has memory if it is mounted at all.

    Fields of mountinfo: proc(5). A hybrid machine mounts an empty version 2 beside version 1.
    """
    second = None
    try:
        lines = (proc / "mountinfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _source, options = after.split(" ", 2)
        if kind == "cgroup" and "memory" in options.split(","):
            return 1, root, Path(mount)
        if kind == "cgroup2":
            second = 2, root, Path(mount)
    return second


def _path(proc: Path, version: int) -> str:
    """Of this process in the hierarchy, as the file cgroup says: `4:memory:/path` or `0::/path`."""
    try:
        lines = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return "/"
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if (version == 1 and "memory" in controllers.split(",")) or (version == 2 and number == "0"):
            return path
    return "/"


def _below(path: str, root: str) -> str:
    """`path` as seen from `root`; "" when it is elsewhere, as in a container that was given the machine's names."""
    if root == "/":
        return path.strip("/")
    return path[len(root) :].strip("/") if path == root or path.startswith(root + "/") else ""
