"""The REST door to the API server: the one file that knows the Kubernetes client.

Plain paths instead of the client's dynamic discovery, which writes a cache file: the root file system is read-only.
Every failure leaves here as `Conflict`, `Rejected` or `ClusterError`, with the server's own words.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from headgate.control.ports import Kind
from headgate.errors import ClusterError, Conflict, InvalidInput, Rejected
from headgate_operator.metrics import Metrics

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
"""JSON is YAML: an apply patch is sent as JSON under this name."""
REQUEST_SECONDS = 30
TRIES_WHEN_BUSY = 4
"""How often one call is sent while the server answers 429 before its key goes back to the queue's own backoff."""
LONGEST_PAUSE_SECONDS = 60.0
REFUSALS = frozenset({400, 403, 422})
"""Repeating the same request cannot help: malformed, forbidden (RBAC, quota, admission) or invalid."""

WRONG_TYPE = ("failed to create typed patch object", "unable to convert unstructured object")
"""A value of the wrong type in an apply patch is a 500 to the server, though only the patch can be changed."""


class NotFound(ClusterError):
    """404: the object is not there, or its kind or namespace is not."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the API server is and how to log in, for kopf, which has a client of its own."""

    server: str
    ca_file: str | None
    verify: bool
    token: str | None
    certificate_file: str | None
    key_file: str | None


def path_of(kind: Kind, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
    """`/apis/apps/v1/namespaces/a/deployments/b/status`; without a namespace the path of all namespaces."""
    parts = ["/apis" if kind.group else "/api", kind.group, kind.version]
    parts += ["namespaces", namespace] if namespace else []
    parts += [kind.plural, name or "", subresource or ""]
    return "/".join(part for part in parts if part)


class ApiServer:
    """One HTTP session to the API server. `connect` makes it, `close` ends it."""

    def __init__(self, client: ApiClient, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics
        self._busy_until = 0.0

    @classmethod
    async def connect(cls, kubeconfig: str | None, metrics: Metrics) -> ApiServer:
        """Log in with the Pod's ServiceAccount, or with a kubeconfig file when one is named."""
        # With trust_env, aiohttp reads proxies and ~/.netrc anew for every request, and kopf's watches take neither.
        configuration = Configuration(client_session_kwargs={"trust_env": False})
        try:
            if kubeconfig:
                await config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)
            else:
                config.load_incluster_config(client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            where = f"KUBECONFIG {kubeconfig!r}" if kubeconfig else "the Pod's ServiceAccount"
            raise InvalidInput(
                f"{where} gives no way to log in to Kubernetes ({error}): "
                "run in a Pod with a mounted ServiceAccount token, or set KUBECONFIG to a readable kubeconfig file"
            ) from error
        return cls(ApiClient(configuration), metrics)

    async def close(self) -> None:
        await self._client.close()

    async def connection(self) -> Connection:
        """The login as it is now: a ServiceAccount's token changes about once an hour."""
        configuration = self._client.configuration
        header: str | None = await configuration.get_api_key_with_prefix("BearerToken")
        return Connection(
            server=configuration.host,
            ca_file=configuration.ssl_ca_cert,
            verify=configuration.verify_ssl,
            token=header.split(" ", 1)[-1] if header else None,
            certificate_file=configuration.cert_file,
            key_file=configuration.key_file,
        )

    async def call(
        self,
        verb: str,
        path: str,
        *,
        resource: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        urgent: bool = False,
    ) -> Any:
        """Send one request and return its JSON.

        While the server says 429 every call of this process waits for its Retry-After, and this one is sent again;
        an `urgent` call (the Lease) neither waits nor repeats. `resource` is the label of the call in the metrics.
        """
        for attempt in range(1, TRIES_WHEN_BUSY + 1):
            if not urgent:
                await asyncio.sleep(max(0.0, self._busy_until - time.monotonic()))
            status, headers, text = await self._send(verb, path, query, body, content_type, resource)
            if status != 429:
                return _answer(status, text, f"{verb} {path}")
            pause = _retry_after(headers, default=float(attempt))
            self._busy_until = max(self._busy_until, time.monotonic() + pause)
            if urgent:
                break
        raise ClusterError(f"the API server is too busy (429) for {verb} {path}: {_message(text)}")

    async def _send(
        self, verb: str, path: str, query: Mapping[str, str] | None, body: Any, content_type: str, resource: str
    ) -> tuple[int, Mapping[str, str], str]:
        code = "unreachable"
        configuration = self._client.configuration
        url = f"{configuration.host}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": JSON, "Content-Type": content_type}
        try:
            token = await configuration.get_api_key_with_prefix("BearerToken")
            if token:
                headers["Authorization"] = token
            # Not by way of ApiClient.call_api, which walks through every body in search of its own models.
            response = await self._client.rest_client.request(
                verb, url, headers=headers, body=body, _request_timeout=REQUEST_SECONDS
            )
            text = (await response.read()).decode("utf-8", "replace")
            code = str(response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterError(
                f"the API server does not answer {verb} {path}: {error or type(error).__name__}"
            ) from error
        finally:
            self._metrics.api_requests.labels(verb=verb, resource=resource, code=code).inc()
        return int(code), response.headers, text


def _answer(status: int, text: str, what: str) -> Any:
    if status < 300:
        return json.loads(text) if text else None
    failure = _kind_of_failure(status, text)
    # A refusal ends in a condition, where only the server's own words help; it names the object itself.
    raise failure(_message(text) if failure is Rejected else f"{_message(text)} ({status} to {what})")


def _kind_of_failure(status: int, text: str) -> Callable[[str], ClusterError]:
    if status == 404:
        return NotFound
    if status == 409:
        return Conflict
    if status in REFUSALS or (status == 500 and any(words in text for words in WRONG_TYPE)):
        return Rejected
    return ClusterError


def _message(text: str) -> str:
    """The sentence inside a Status object, or the start of whatever a proxy answered instead."""
    try:
        found = json.loads(text)
    except ValueError:
        return text.strip()[:500] or "no text"
    return (
        str(found.get("message") or found.get("reason") or "no text") if isinstance(found, dict) else str(found)[:500]
    )


def _retry_after(headers: Mapping[str, str], default: float) -> float:
    try:
        return min(LONGEST_PAUSE_SECONDS, max(0.0, float(headers.get("Retry-After", default))))
    except ValueError:
        return default
