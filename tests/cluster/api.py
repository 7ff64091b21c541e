"""Plain API requests as cluster administrator, with nothing but the standard library."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any


class ControlPlaneError(RuntimeError):
    """A request or kubectl failed, or something did not happen in time. `status`: HTTP status, where there is one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API server at `host` and `port`, asked with the bearer `token`; `certificate` is the PEM file of its CA."""

    def __init__(self, port: int, certificate: Path, token: str, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(certificate))
        self._headers = {"Authorization": f"Bearer {token}"}

    def request(self, method: str, path: str, body: dict[str, Any] | None, content_type: str) -> dict[str, Any]:
        """The JSON answer. ControlPlaneError with `status` from 400 up; OSError when the server is away."""
        status, answer = self._exchange(method, path, None if body is None else json.dumps(body), content_type)
        if status >= 400:
            raise ControlPlaneError(f"{method} {path}: {status} {answer[:500].decode(errors='replace')}", status)
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def answers(self, path: str) -> bool:
        """Whether a GET of `path` gets a 200 now."""
        try:
            return self._exchange("GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def _exchange(self, method: str, path: str, body: str | None = None, content_type: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=30, context=self._tls)
        headers = {**self._headers, "Content-Type": content_type} if body is not None else self._headers
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
