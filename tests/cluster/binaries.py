"""The programs of the test clusters, built from pinned Go modules into a cache outside the tree, once per pin.

`folder()` gives the folder with those of the control plane: etcd, kube-apiserver, kube-controller-manager and
kubectl. With KUBEBUILDER_ASSETS set it is that folder, which must be complete. `node_folder()` adds what a node needs,
for tests/e2e. A cold build takes several minutes and needs the network; `python tests/cluster/binaries.py` does it
ahead of a test run.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MODULE = Path(__file__).with_suffix("")
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
NODE_PACKAGES = PACKAGES | {
    name: f"k8s.io/kubernetes/cmd/{name}" for name in ("kubelet", "kube-scheduler", "kube-proxy")
}


class BinariesError(RuntimeError):
    """The programs are not there and cannot be built; the message says which one and why."""


def folder() -> Path:
    """The folder with every program of PACKAGES, built first where needed. Raises BinariesError."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return build(cache_folder())
    missing = [name for name in PACKAGES if not os.access(Path(assets) / name, os.X_OK)]
    if missing:
        raise BinariesError(f"KUBEBUILDER_ASSETS is {assets}, which has no executable {', '.join(missing)}")
    return Path(assets)


def node_folder() -> Path:
    """The same with kubelet, kube-scheduler and kube-proxy, always built. Raises BinariesError."""
    return build(cache_folder(), NODE_PACKAGES)


def cache_folder() -> Path:
    """Where the build goes: another folder for every other pin, set of flags or kind of machine."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256()
    for part in ((MODULE / "go.mod").read_bytes(), (MODULE / "go.sum").read_bytes(), repr(build_flags()).encode()):
        digest.update(hashlib.sha256(part).digest())
    digest.update(platform.machine().encode())
    return base / "headgate" / f"kube-{digest.hexdigest()[:16]}"


def build(
    target: Path,
    packages: Mapping[str, str] = PACKAGES,
    module: Path = MODULE,
    flags: Callable[[], list[str]] | None = None,
) -> Path:
    """Build into `target` what is not there yet, one process at a time; returns `target`."""
    if missing_in(target, packages):
        with locked(target.with_suffix(".lock")):
            for name in missing_in(target, packages):
                build_one(name, target, packages[name], module, (flags or build_flags)())
    return target


def missing_in(target: Path, packages: Mapping[str, str] = PACKAGES) -> list[str]:
    return [name for name in packages if not (target / name).exists()]


def build_one(name: str, target: Path, package: str, module: Path, flags: list[str]) -> None:
    """Compile one program under a temporary name and rename it, so that a file with its real name is complete."""
    go = shutil.which("go")
    if go is None:
        raise BinariesError(
            f"Go is not installed, so {name} cannot be built: install Go {required_go()} or newer, "
            "or point KUBEBUILDER_ASSETS at a folder with the programs"
        )
    started = time.monotonic()
    say(f"building {name} ...")
    unfinished = target / f".{name}.{os.getpid()}"
    result = subprocess.run(
        [go, "build", *flags, "-o", str(unfinished), package],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if result.returncode:
        unfinished.unlink(missing_ok=True)
        raise BinariesError(f"`go build {package}` failed: {result.stderr.strip()[-2000:]}")
    unfinished.replace(target / name)
    say(f"built {name} in {time.monotonic() - started:.0f} s")


def build_flags() -> list[str]:
    """Without the version in the flags the servers call themselves v0.0.0-master and version checks of clients fail."""
    version, major, minor = pinned(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\d+)")
    variables = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    stamps = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in variables.items())
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", f"-s -w {stamps}"]


def required_go() -> str:
    return pinned(r"^go (\S+)()")[0]


def pinned(pattern: str) -> tuple[str, ...]:
    """The groups of `pattern` in go.mod, which is the one place that states versions."""
    found = re.search(pattern, (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise BinariesError(f"go.mod has no line like {pattern}")
    return found.groups()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; the folder beside it exists inside. The kernel drops it when the holder dies."""
    path.with_suffix("").mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that builds the same programs ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    try:
        print(folder())
    except BinariesError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
