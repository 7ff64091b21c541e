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
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from headgate.errors import InvalidInput

EVERY_NAMESPACE = "*"
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Prefix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:{}-]{1,64}$")]


def _namespace(value: str) -> str:
    if value != EVERY_NAMESPACE and not all(part.isalnum() for part in value.split("-")):
        raise ValueError("is neither a namespace nor '*' for all")
    return value


Namespace = Annotated[str, AfterValidator(_namespace)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, strict=True)


class StoreEntry(_Entry):
    """One store. `url_file` holds `redis://user:password@host:port/0` and is read again when it changes."""

    name: Label
    url_file: Path = Field(strict=False)
    worker_secret_name: Annotated[str, Field(min_length=1, max_length=253)]
    key_prefix: Prefix = "rq"
    namespaces: tuple[Namespace, ...] = Field(default=(EVERY_NAMESPACE,), min_length=1, strict=False)

    def serves(self, namespace: str) -> bool:
        return EVERY_NAMESPACE in self.namespaces or namespace in self.namespaces


class WorkerDefaults(_Entry):
    """What the worker Pods of a namespace get where their policy's template does not say it."""

    image: str | None = None
    image_pull_policy: str | None = None
    image_pull_secrets: tuple[dict[str, str], ...] = Field(default=(), strict=False)
    env: tuple[dict[str, Any], ...] = Field(default=(), strict=False)
    resources: dict[str, Any] = {}
    service_account_name: str | None = None


class StoresFile(_Entry):
    """Store names are unique. `worker_defaults` by namespace; `*` is for those that are not named."""

    stores: tuple[StoreEntry, ...] = Field(min_length=1, strict=False)
    worker_defaults: dict[Namespace, WorkerDefaults] = {}

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
    try:
        found = StoresFile.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"the stores file {path}: {_first(error)}") from None
    names = [store.name for store in found.stores]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"the stores file {path}: stores has two entries named {name!r}: give each its own name")
    return found


def _first(error: ValidationError) -> str:
    """The first mistake as `stores[0].urlFile is 5: must be ...`."""
    mistake = error.errors(include_url=False)[0]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake["loc"]).lstrip(".")
    if mistake["type"] == "missing":
        return f"{where} is missing: add it"
    if mistake["type"] == "extra_forbidden":
        return f"{where} is {mistake['input']!r}: no such key here, remove it or correct its name"
    remedy = mistake["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where or 'the file'} is {mistake['input']!r}: it {remedy}"
