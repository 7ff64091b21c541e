"""The administrator's stores file: which stores exist, who may use them, and what a worker Pod gets by default.

YAML, mounted from a ConfigMap. It holds no password: `urlFile` names a file that is mounted from a Secret.

    stores:
    - name: default
      urlFile: /etc/headgate/stores/default/url
      keyPrefix: rq
      namespaces: ["*"]
      workerSecretName: headgate-store
    workerDefaults:
      taskforce: {image: "example.com/taskforce:1", serviceAccountName: taskforce}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Len
from pydantic import Field, StringConstraints, ValidationError

from headgate.errors import InvalidInput
from headgate.model.common import DNS_SUBDOMAIN, META_FIELD, Declared, DnsLabel, Text
from headgate.model.mistakes import sentences

EVERY_NAMESPACE = "*"
ObjectName = Annotated[Text, StringConstraints(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
Prefix = Annotated[Text, StringConstraints(min_length=1, max_length=63, pattern=META_FIELD)]
FilePath = Annotated[Text, StringConstraints(min_length=1, max_length=4096)]


class StoreEntry(Declared):
    """One store."""

    name: DnsLabel
    """What `spec.store` of a policy says."""
    url_file: FilePath
    """Holds `redis://user:password@host:port/0`; read again when it changes."""
    worker_secret_name: ObjectName
    """Secret with the key `url` in every namespace that has workers on this store."""
    key_prefix: Prefix = "rq"
    """RQ's prefix; one prefix is one tenant."""
    namespaces: Annotated[tuple[Text, ...], Len(min_length=1)] = (EVERY_NAMESPACE,)
    """Who may use it; `*` is all."""

    def serves(self, namespace: str) -> bool:
        return EVERY_NAMESPACE in self.namespaces or namespace in self.namespaces


class WorkerDefaults(Declared):
    """What the worker Pods of a namespace get where their policy's template does not say it."""

    image: Text | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: tuple[dict[str, Any], ...] = ()
    env: tuple[dict[str, Any], ...] = ()
    resources: dict[str, Any] = Field(default_factory=dict)
    service_account_name: ObjectName | None = None


class StoresFile(Declared):
    """Store names are unique. `worker_defaults` by namespace; `*` is for those that are not named."""

    stores: Annotated[tuple[StoreEntry, ...], Len(min_length=1)]
    worker_defaults: dict[str, WorkerDefaults] = Field(default_factory=dict)

    def defaults_for(self, namespace: str) -> WorkerDefaults:
        found = self.worker_defaults.get(namespace) or self.worker_defaults.get(EVERY_NAMESPACE)
        return found or WorkerDefaults()


def read_stores_file(path: str) -> StoresFile:
    """Raises InvalidInput: one sentence with the file, the key, its value and what would be right."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"the stores file {path} cannot be read ({error.strerror}): mount it there") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the stores file {path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InvalidInput(f"the stores file {path} holds {content!r}: give a mapping with stores and workerDefaults")
    try:
        found = StoresFile.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"the stores file {path}: {sentences(error, StoresFile)[0]}") from None
    names = [store.name for store in found.stores]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"the stores file {path}: stores has two entries named {twice!r}, give each its own name")
    return found
