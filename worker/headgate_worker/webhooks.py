"""RQ 3 lets a producer name URLs that the worker calls. Off unless the host is listed, and never through a redirect."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from rq.job import Job
from rq.webhook import Webhook

from headgate_worker import logs


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A listed host could otherwise send us anywhere."""
        return


class _Guarded(Webhook):  # type: ignore[misc]
    """RQ's webhook with the same request, sent without following redirects."""

    def send(self, job: Job, *, exc_string: str | None = None) -> None:
        headers, body = dict(self.headers or {}), None
        try:
            if self.method == "POST":
                headers = {"Content-Type": "application/json", **headers}
                body = json.dumps(self.get_payload(job, exc_string=exc_string)).encode()
            request = Request(self.url, data=body, headers=headers, method=self.method)  # noqa: S310 - RQ checked the scheme
            with build_opener(_NoRedirect).open(request, timeout=self.timeout):
                pass
        except Exception as error:
            logs.get().warning("webhook failed", id=job.id, host=urlsplit(self.url).hostname, error=str(error))


def guard(job: Job, hosts: Collection[str]) -> None:
    """Leave only the webhooks whose host is listed (`host` or `host:port`); each refused one is a log line."""
    kept = []
    for webhook in job.webhooks:
        parts = urlsplit(webhook.url)
        if parts.hostname in hosts or parts.netloc.rpartition("@")[2] in hosts:
            kept.append(_Guarded(**webhook.to_dict()))
        else:
            logs.get().warning(
                "webhook not sent: its host is not in HEADGATE_WEBHOOK_HOSTS", id=job.id, host=parts.hostname
            )
    job.webhooks = kept
