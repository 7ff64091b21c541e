"""Helm, built from its pinned module as the control plane's programs are, and the Debian packages of a node."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from tests.cluster import binaries

from .commands import run
from .workplace import cache

HELM = binaries.MODULE / "helm"
VERSION = "v3.22.0"
KUBERNETES = {"Major": "1", "Minor": "36"}
"""What `helm template` and `helm lint` take for the cluster's version; without it they believe in 1.20."""
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "ip": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "socat": "socat",
    "busybox": "busybox",
    "gcc": "gcc",
    "openssl": "openssl",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}


def helm() -> Path:
    """The program, built first where needed. Raises BinariesError."""
    digest = hashlib.sha256((HELM / "go.mod").read_bytes() + repr(_flags()).encode()).hexdigest()[:16]
    return binaries.build(cache(f"helm-{digest}"), {"helm": "helm.sh/helm/v3/cmd/helm"}, HELM, _flags) / "helm"


def _flags() -> list[str]:
    modules = ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules")
    stamps = [f"-X helm.sh/helm/v3/internal/version.version={VERSION}"]
    for module in modules:
        stamps += [f"-X {module}.k8sVersion{part}={value}" for part, value in KUBERNETES.items()]
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", f"-s -w {' '.join(stamps)}"]


def install_packages() -> None:
    """Debian packages of what is not there; CommandError with apt's words when that fails."""
    missing = [package for name, package in PACKAGES.items() if not (shutil.which(name) or Path(name).exists())]
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=environment)
        run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing], env=environment)
