"""Keys, tokens and kubeconfigs of the test control plane, made fresh for every one."""

import base64
import json
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"

CERTIFICATE = """
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = headgate-test-apiserver
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
subjectAltName = IP:{host}, IP:127.0.0.1, {more}DNS:localhost
"""


class Credentials:
    """Files in `folder`: `apiserver.crt` (also the CA for clients) and its key, `sa.key`, `tokens.csv`."""

    def __init__(self, folder: Path, server: str, host: str = "127.0.0.1", names: Sequence[str] = ()) -> None:
        self.folder = folder
        self.host = host
        self.names = names
        self.server = server
        self.certificate = folder / "apiserver.crt"
        self.admin_token = secrets.token_hex(16)
        self.controller_manager_token = secrets.token_hex(16)

    def write(self) -> None:
        """Make the keys and the token file. Needs the `openssl` program."""
        (self.folder / "certificate.cnf").write_text(
            CERTIFICATE.format(host=self.host, more="".join(f"{name}, " for name in self.names))
        )
        self._openssl("ecparam -name prime256v1 -genkey -noout -out sa.key")
        self._openssl("ecparam -name prime256v1 -genkey -noout -out apiserver.key")
        self._openssl("req -x509 -days 30 -key apiserver.key -config certificate.cnf -out apiserver.crt")
        users = ((self.admin_token, ADMIN), (self.controller_manager_token, CONTROLLER_MANAGER))
        (self.folder / "tokens.csv").write_text("".join(f'{token},{user},,"system:masters"\n' for token, user in users))

    def add_user(self, user: str, group: str) -> str:
        """A token for one more user; before the API server starts, which reads the file once."""
        token = secrets.token_hex(16)
        with (self.folder / "tokens.csv").open("a") as file:
            file.write(f'{token},{user},,"{group}"\n')
        return token

    def kubeconfig(self, user: str, token: str, file_name: str, namespace: str = "default") -> Path:
        """Write a kubeconfig for `user` into the folder and return its path; only the owner can read it."""
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.server, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }
        path = self.folder / file_name
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2))
        return path

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self.folder, check=True, capture_output=True)
