"""How this operator was set up: the environment, read here and nowhere else, and the file it points at."""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headgate.errors import InvalidInput
from headgate_operator.stores_file import StoresFile, read_stores_file

SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """`namespaces` None serves all. `cluster_id` None: the uid of a namespace (kube-system when that can be read)."""

    namespaces: tuple[str, ...] | None
    stores: StoresFile
    kubeconfig: str | None
    lease_namespace: str
    lease_name: str
    identity: str
    cluster_id: str | None
    host: str
    port: int
    resync_seconds: float
    workers: int
    log_format: Literal["text", "json"]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Raises InvalidInput: one sentence that names the variable or key, its value, and what would be right."""
        read = _Reader(environ)
        pod = read.text("HEADGATE_POD_NAME", socket.gethostname())
        return cls(
            namespaces=read.namespaces("HEADGATE_NAMESPACES"),
            stores=read_stores_file(read.required("HEADGATE_STORES_FILE", "the path of the stores file")),
            kubeconfig=read.text("KUBECONFIG", "") or None,
            lease_namespace=read.label("HEADGATE_LEASE_NAMESPACE", _own_namespace()),
            lease_name=read.label("HEADGATE_LEASE_NAME", "headgate-operator"),
            identity=f"{pod}_{secrets.token_hex(4)}",
            cluster_id=read.text("HEADGATE_CLUSTER_ID", "") or None,
            host=read.text("HEADGATE_HOST", ""),
            port=int(read.number("HEADGATE_PORT", 9180, 0, 65535)),
            resync_seconds=read.number("HEADGATE_RESYNC_SECONDS", 300, 1, 86400),
            workers=int(read.number("HEADGATE_RECONCILE_WORKERS", 8, 1, 64)),
            log_format=read.log_format("HEADGATE_LOG_FORMAT"),
        )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, key: str, default: str) -> str:
        return self._environ.get(key, "").strip() or default

    def required(self, key: str, what: str) -> str:
        value = self.text(key, "")
        if not value:
            raise InvalidInput(f"{key} is not set: it must be {what}")
        return value

    def label(self, key: str, default: str) -> str:
        value = self.text(key, default)
        if not DNS_LABEL.fullmatch(value):
            raise InvalidInput(f"{key} is {value!r}: it must be lower case letters, digits and dashes, at most 63")
        return value

    def number(self, key: str, default: int, least: int, most: int) -> float:
        value = self.text(key, str(default))
        if not value.isdecimal() or not least <= int(value) <= most:
            raise InvalidInput(f"{key} is {value!r}: it must be a whole number from {least} to {most}")
        return float(value)

    def namespaces(self, key: str) -> tuple[str, ...] | None:
        """Absent, empty or `*`: all namespaces."""
        names = [name.strip() for name in self.text(key, "*").split(",") if name.strip()]
        if names in ([], ["*"]):
            return None
        for name in names:
            if not DNS_LABEL.fullmatch(name):
                raise InvalidInput(
                    f"{key} names {name!r}, which is no namespace: list exact names, or leave it empty for all"
                )
        return tuple(dict.fromkeys(names))

    def log_format(self, key: str) -> Literal["text", "json"]:
        value = self.text(key, "text")
        if value == "json":
            return "json"
        if value != "text":
            raise InvalidInput(f"{key} is {value!r}: it must be text or json")
        return "text"


def _own_namespace() -> str:
    try:
        return SERVICE_ACCOUNT_NAMESPACE.read_text(encoding="ascii").strip()
    except OSError:
        return "headgate-system"
