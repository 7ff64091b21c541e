"""RQ's source distribution of the installed version: it has the tests that the wheel leaves out."""

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path


def suite() -> Path:
    """The unpacked folder with `tests/`, from the cache or fetched through pip by the package's name."""
    found = version("rq")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate" / "rq-suite"
    folder = base / f"rq-{found}"
    if not (folder / "tests").is_dir():
        base.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # Only the archive is wanted; building its metadata needs hatchling, which the development environment has.
        options = ["--no-binary", ":all:", "--no-build-isolation", "--dest", str(base), f"rq=={found}"]
        subprocess.run([*command, *options], check=True)
        with tarfile.open(base / f"rq-{found}.tar.gz") as archive:
            members = [member for member in archive if member.name.startswith(f"rq-{found}/tests")]
            archive.extractall(base, members, filter="data")
    return folder
