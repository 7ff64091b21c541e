"""kube-score and kubeconform, built from their pinned module as the control plane's programs are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.cluster import binaries

MODULE = Path(__file__).with_suffix("")
PACKAGES = {
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
}
FLAGS = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"]


def program(name: str) -> Path:
    """Built first where needed. Raises BinariesError."""
    digest = hashlib.sha256((MODULE / "go.mod").read_bytes() + (MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    target = binaries.cache_folder().with_name(f"chart-tools-{digest}")
    return binaries.build(target, {name: PACKAGES[name]}, MODULE, lambda: FLAGS) / name
