"""The root folder of the base image: this machine's Python, what it links to, busybox, certificates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "config-*", "*.a"
)
LOADED_BY_NAME = (
    "libdl",
    "libpthread",
    "librt",
    "libutil",
    "libresolv",
    "libm",
    "libnss_dns",
    "libnss_files",
    "libgcc_s",
    "libstdc++",
)
"""Libraries that programs open at run time, or that only wheels link to."""
USERS = "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/nonexistent:/bin/false\n"
GROUPS = "root:x:0:\nnonroot:x:65532:\n"


def make_base_root(root: Path) -> None:
    """Fill the folder `root`, which must not exist: about 80 MB in two seconds."""
    for name in (
        "bin",
        "etc/ssl/certs",
        "tmp",
        "root",
        "usr/local/bin",
        "usr/local/lib",
        "lib64",
        "var/tmp",
        "proc",
        "sys",
        "dev",
        "run",
    ):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(USERS)
    (root / "etc/group").write_text(GROUPS)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"):
        if Path(name).exists():
            shutil.copy(name, root / name[1:])
    _python(root)
    _busybox(root)


def _python(root: Path) -> None:
    prefix = Path(sys.base_prefix)
    library = root / "usr/local/lib" / PYTHON
    shutil.copytree(prefix / "lib" / PYTHON, library, ignore=LEFT_OUT, symlinks=True)
    packages = library / "site-packages"
    packages.mkdir()
    source = Path(sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)}))
    for name in source.glob("pip*"):
        shutil.copytree(name, packages / name.name, ignore=shutil.ignore_patterns("__pycache__"))
    program = prefix / "bin" / PYTHON
    shutil.copy2(program, root / "usr/local/bin" / PYTHON)
    for alias in ("python3", "python"):
        (root / "usr/local/bin" / alias).symlink_to(PYTHON)
    for linked in [program, *library.glob("lib-dynload/*.so")]:
        _libraries(linked, root)


def _busybox(root: Path) -> None:
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox is not installed")
    shutil.copy2(program, root / "bin/busybox")
    _libraries(Path(program), root)
    for name in subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")


def _libraries(program: Path, root: Path) -> None:
    """What `program` links to goes where the loader looks without any configuration."""
    text = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
    for found in re.findall(r"(?:=> )?(/\S+) \(0x", text):
        _copy_library(Path(found), root)
    folder = Path("/lib/x86_64-linux-gnu")
    for name in LOADED_BY_NAME:
        for found in folder.glob(f"{name}.so.*"):
            _copy_library(found, root)


def _copy_library(library: Path, root: Path) -> None:
    target = root / ("lib64" if library.name.startswith("ld-linux") else "usr/lib/x86_64-linux-gnu") / library.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library.resolve(), target)
