"""The command lines of the servers, all with their working folder as current folder (paths are relative to it)."""

import json
from pathlib import Path

from . import audit
from .credentials import CONTROLLER_MANAGER, Credentials

FEWER_COLLECTIONS = ["env", "GOGC=400"]
"""A tenth of the processor time of young, small servers goes into garbage collection; memory there is to spare."""
ETCD_SOCKET = "unix://etcd-client:1"  # a file of the name `etcd-client:1`; etcd wants a port in it
ETCD_PEER_SOCKET = "unix://etcd-peer:1"
AUDIT_LOG = "audit.log"


def etcd(programs: Path) -> list[str]:
    return [
        str(programs / "etcd"),
        "--name=etcd",
        "--data-dir=etcd",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls={ETCD_SOCKET}",
        f"--advertise-client-urls={ETCD_SOCKET}",
        f"--listen-peer-urls={ETCD_PEER_SOCKET}",
        f"--initial-advertise-peer-urls={ETCD_PEER_SOCKET}",
        f"--initial-cluster=etcd={ETCD_PEER_SOCKET}",
    ]


def apiserver(programs: Path, folder: Path, port: int, host: str = "127.0.0.1") -> list[str]:
    """RBAC and ServiceAccount tokens on; no port beside `port`. Writes the audit policy into `folder`."""
    (folder / "audit-policy.json").write_text(json.dumps(audit.POLICY))
    return [
        *FEWER_COLLECTIONS,
        str(programs / "kube-apiserver"),
        f"--etcd-servers={ETCD_SOCKET}",
        f"--bind-address={host}",
        f"--advertise-address={host}",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        "--tls-cert-file=apiserver.crt",
        "--tls-private-key-file=apiserver.key",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=sa.key",
        "--service-account-signing-key-file=sa.key",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--enable-priority-and-fairness=false",
        "--audit-policy-file=audit-policy.json",
        f"--audit-log-path={AUDIT_LOG}",
        "--audit-log-mode=blocking",
        "--audit-log-maxsize=100000",  # MB: never rotated
    ]


def controller_manager(programs: Path, credentials: Credentials) -> list[str]:
    """With the default client limits (20 requests a second) the first ServiceAccounts would take 5 s longer."""
    token = credentials.controller_manager_token
    kubeconfig = credentials.kubeconfig(CONTROLLER_MANAGER, token, "controllers.json")
    return [
        *FEWER_COLLECTIONS,
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--leader-elect=false",
        "--service-account-private-key-file=sa.key",
        "--root-ca-file=apiserver.crt",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
