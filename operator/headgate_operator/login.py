"""How to log in to the API server: the Pod's ServiceAccount, or the current context of a kubeconfig file.

The result is kopf's own `ConnectionInfo`, which the watches of kopf and the calls of `cluster.py` share. The official
client library would be 75 MB on disk and 45 MB of memory for this and nothing else (docs/adr/0014).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kopf
import yaml

from headgate.errors import InvalidInput

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/"""
SERVER = "https://kubernetes.default.svc"


def login(kubeconfig: str | None) -> kopf.ConnectionInfo:
    """Read the files as they are now: a ServiceAccount's token changes about once an hour. Raises InvalidInput."""
    try:
        return _from_kubeconfig(Path(kubeconfig)) if kubeconfig else _from_service_account()
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        where = f"KUBECONFIG {kubeconfig!r}" if kubeconfig else "the Pod's ServiceAccount"
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidInput(
            f"{where} gives no way to log in to Kubernetes ({why}): "
            "run in a Pod with a mounted ServiceAccount token, or set KUBECONFIG to a readable kubeconfig file"
        ) from error


def _from_service_account() -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(
        server=SERVER,
        ca_path=str(SERVICE_ACCOUNT / "ca.crt"),
        scheme="Bearer",
        token=(SERVICE_ACCOUNT / "token").read_text(encoding="ascii").strip(),
    )


def _from_kubeconfig(path: Path) -> kopf.ConnectionInfo:
    """https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ - paths in it are relative to the file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    context = _named(content, "contexts", content["current-context"])["context"]
    cluster = _named(content, "clusters", context["cluster"])["cluster"]
    user = _named(content, "users", context["user"])["user"] or {}
    if "exec" in user:
        raise ValueError("its user logs in by an exec plugin, which the operator does not run: use a token")
    token = user.get("token") or _file_text(path, user.get("tokenFile"))
    return kopf.ConnectionInfo(
        server=cluster["server"],
        ca_path=_file(path, cluster.get("certificate-authority")),
        ca_data=cluster.get("certificate-authority-data"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        scheme="Bearer" if token else None,
        token=token,
        certificate_path=_file(path, user.get("client-certificate")),
        certificate_data=user.get("client-certificate-data"),
        private_key_path=_file(path, user.get("client-key")),
        private_key_data=user.get("client-key-data"),
    )


def _named(content: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    for entry in content[key]:
        if entry["name"] == name:
            found: dict[str, Any] = entry
            return found
    raise KeyError(f"{name!r} in {key}")


def _file(kubeconfig: Path, name: str | None) -> str | None:
    return str(kubeconfig.parent / name) if name else None


def _file_text(kubeconfig: Path, name: str | None) -> str | None:
    found = _file(kubeconfig, name)
    return Path(found).read_text(encoding="ascii").strip() if found else None
