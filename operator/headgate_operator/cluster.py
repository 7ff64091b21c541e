"""The REST door to the API server: plain paths over one HTTP session.

Every failure leaves here as `Conflict`, `Rejected` or `ClusterError`, with the server's own words.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import kopf
from yarl import URL

from headgate.control.ports import Kind
from headgate.errors import ClusterError, Conflict, InvalidInput, Rejected
from headgate_operator.login import login
from headgate_operator.metrics import Metrics

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
"""JSON is YAML: an apply patch is sent as JSON under this name."""
MERGE = "application/merge-patch+json"
REQUEST_SECONDS = 30
CONNECTIONS = 100
LOGIN_SECONDS = 60
"""How long a login is used before its files are read anew."""
TRIES_WHEN_BUSY = 4
"""How often one call is sent while the server answers 429 before its key goes back to the queue's own backoff."""
LONGEST_PAUSE_SECONDS = 60.0
REFUSALS = frozenset({400, 403, 422})
"""Repeating the same request cannot help: malformed, forbidden (RBAC, quota, admission) or invalid."""

WRONG_TYPE = ("failed to create typed patch object", "unable to convert unstructured object")
"""A value of the wrong type in an apply patch is a 500 to the server, though only the patch can be changed."""


class NotFound(ClusterError):
    """404: the object is not there, or its kind or namespace is not."""


def path_of(kind: Kind, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
    """`/apis/apps/v1/namespaces/a/deployments/b/status`; without a namespace the path of all namespaces."""
    parts = ["/apis" if kind.group else "/api", kind.group, kind.version]
    parts += ["namespaces", namespace] if namespace else []
    parts += [kind.plural, name or "", subresource or ""]
    return "/".join(part for part in parts if part)


class ApiServer:
    """One HTTP session to the API server. `connect` makes it, `close` ends it."""

    def __init__(self, session: aiohttp.ClientSession, kubeconfig: str | None, metrics: Metrics) -> None:
        self._session = session
        self._kubeconfig = kubeconfig
        self._metrics = metrics
        self._busy_until = 0.0
        self._login = login(kubeconfig)
        self._login_until = time.monotonic() + LOGIN_SECONDS

    @classmethod
    async def connect(cls, kubeconfig: str | None, metrics: Metrics) -> ApiServer:
        """Log in with the Pod's ServiceAccount, or with a kubeconfig file when one is named. Raises InvalidInput."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=login(kubeconfig).as_ssl_context())
        # With trust_env, aiohttp reads proxies and ~/.netrc anew for every request, and kopf's watches take neither.
        session = aiohttp.ClientSession(
            connector=connector, trust_env=False, timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        )
        return cls(session, kubeconfig, metrics)

    async def close(self) -> None:
        await self._session.close()

    def connection(self) -> kopf.ConnectionInfo:
        """The login as it is now, read anew each minute; while its files cannot be read the last one stays."""
        if time.monotonic() >= self._login_until:
            self._login_until = time.monotonic() + LOGIN_SECONDS
            with contextlib.suppress(InvalidInput):
                self._login = login(self._kubeconfig)
        return self._login

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
        connection = self.connection()
        url = f"{connection.server}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Accept": JSON, "Content-Type": content_type}
        if connection.token:
            headers["Authorization"] = f"Bearer {connection.token}"
        data = None if body is None else json.dumps(body)
        try:
            async with self._session.request(verb, URL(url, encoded=True), headers=headers, data=data) as response:
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
