"""headgate-api as the CLI asks it: at an address, or by way of the caller's kubeconfig and a port-forward."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from headgate.errors import HeadgateError, InvalidInput
from headgate_cli import settings

SELECTOR = "app.kubernetes.io/name=headgate,app.kubernetes.io/component=api"
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
SECONDS = 10


class Remote:
    """Requests to the API at `url`, with a bearer token. A failure is one sentence that says what would be right."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, *path: str, body: Any = None, query: str = "") -> Any:
        """`path` are segments, quoted here. InvalidInput for what the API does not know, HeadgateError otherwise."""
        url = f"{self.url}/v1/{'/'.join(map(quoted, path))}{query}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, self._headers, method=method)  # noqa: S310  checked by `address`
        try:
            with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                text = answer.read()
        except HTTPError as refused:
            raise self._failure(refused.code, refused.read()) from refused
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise HeadgateError(f"the API at {self.url} does not answer: {reason}") from error
        return json.loads(text) if text else None

    def _failure(self, status: int, body: bytes) -> HeadgateError:
        try:
            found = json.loads(body)
            said = str(found.get("detail") or found.get("title") or status)
        except (ValueError, AttributeError):
            said = f"status {status}"
        if status == 401:
            return InvalidInput(f"the API wants a token: set HEADGATE_TOKEN or give --token-file ({said})")
        if status == 403:
            return InvalidInput(f"this token may not do that: {said}")
        return InvalidInput(said) if status in (404, 409, 422) else HeadgateError(f"the API says: {said}")


def quoted(segment: str) -> str:
    return quote(segment, safe="")


def address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"--url {url}: the API's address begins with http:// or https://")
    return url


@contextmanager
def opened(url: str | None, token_file: str | None, context: str | None) -> Iterator[Remote]:
    """At `url` or $HEADGATE_URL; else the headgate-api of the current (or named) kubeconfig context, by `kubectl`."""
    token = settings.api_token(token_file)
    url = url or settings.api_url()
    if url:
        yield Remote(address(url), token)
        return
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise InvalidInput(
            "where is the API? give --url or set HEADGATE_URL, or install kubectl to find it in a cluster"
        )
    base = [kubectl, *(["--context", context] if context else [])]
    namespace, name = _service(base)
    command = [*base, "-n", namespace, "port-forward", f"service/{name}", ":http"]
    with subprocess.Popen(  # noqa: S603  the caller's own kubectl
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as forward:
        try:
            yield Remote(f"http://127.0.0.1:{_port(forward)}", token)
        finally:
            forward.terminate()


def _service(base: list[str]) -> tuple[str, str]:
    """Namespace and name of the one Service of headgate-api that the caller can see."""
    found = subprocess.run(  # noqa: S603  the same
        [*base, "get", "services", "-A", "-l", SELECTOR, "-o", "json"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise HeadgateError(f"the cluster cannot be asked for headgate-api: {found.stderr.strip()}; or give --url")
    items = json.loads(found.stdout)["items"]
    if len(items) != 1:
        raise InvalidInput(f"{len(items)} Services of headgate-api in this cluster: give --url")
    return items[0]["metadata"]["namespace"], items[0]["metadata"]["name"]


def _port(forward: subprocess.Popen[str]) -> int:
    assert forward.stdout is not None  # noqa: S101  piped
    assert forward.stderr is not None  # noqa: S101
    for line in forward.stdout:
        matched = FORWARDING.match(line)
        if matched:
            return int(matched[1])
    raise HeadgateError(f"no port-forward to headgate-api: {forward.stderr.read().strip()}; or give --url")
