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

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Len
from pydantic import Field, StringConstraints, ValidationError

from headgate.control.stores import EVERY_NAMESPACE, StoreEntry, WorkerDefaults
from headgate.errors import InvalidInput
from headgate.model.common import DNS_SUBDOMAIN, META_FIELD, Declared, DnsLabel, Text
from headgate.model.mistakes import sentences

ObjectName = Annotated[Text, StringConstraints(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
Prefix = Annotated[Text, StringConstraints(min_length=1, max_length=63, pattern=META_FIELD)]
FilePath = Annotated[Text, StringConstraints(min_length=1, max_length=4096)]
Mappings = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StoresFile:
    """What the file says. Store names are unique; `url_files` and `worker_defaults` are by store and by namespace."""

    stores: tuple[StoreEntry, ...]
    url_files: Mapping[str, Path]
    worker_defaults: Mapping[str, WorkerDefaults]


class _Store(Declared):
    name: DnsLabel
    url_file: FilePath
    worker_secret_name: ObjectName
    key_prefix: Prefix = "rq"
    namespaces: Annotated[tuple[Text, ...], Len(min_length=1)] = (EVERY_NAMESPACE,)


class _Defaults(Declared):
    image: Text | None = None
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    image_pull_secrets: Mappings = ()
    service_account_name: ObjectName | None = None
    env: Mappings = ()
    env_from: Mappings = ()
    volumes: Mappings = ()
    volume_mounts: Mappings = ()
    resources: dict[str, Any] = Field(default_factory=dict)


class _File(Declared):
    stores: Annotated[tuple[_Store, ...], Len(min_length=1)]
    worker_defaults: dict[str, _Defaults] = Field(default_factory=dict)


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
        found = _File.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"the stores file {path}: {sentences(error, _File)[0]}") from None
    names = [store.name for store in found.stores]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"the stores file {path}: stores has two entries named {twice!r}, give each its own name")
    return _meant(found)


def _meant(file: _File) -> StoresFile:
    return StoresFile(
        stores=tuple(
            StoreEntry(
                name=store.name,
                key_prefix=store.key_prefix,
                namespaces=store.namespaces,
                worker_secret_name=store.worker_secret_name,
            )
            for store in file.stores
        ),
        url_files={store.name: Path(store.url_file) for store in file.stores},
        worker_defaults={
            namespace: WorkerDefaults(**{name: getattr(defaults, name) for name in _Defaults.model_fields})
            for namespace, defaults in file.worker_defaults.items()
        },
    )
