"""A Pod's folder, environment and command line: what a container would get, as files and variables of a process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from headgate.control.ports import Manifest
from headgate.errors import InvalidInput
from headgate_cli.local import supported

REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
"""`$(NAME)`, or `$$` for a literal dollar, in env, command and args."""

DataKind = Literal["Secret", "ConfigMap"]
VOLUMES: tuple[tuple[str, DataKind, str], ...] = (
    ("secret", "Secret", "secretName"),
    ("configMap", "ConfigMap", "name"),
)
"""Field of a volume, kind of what it reads, and the field with its name."""


class DataSource(Protocol):
    async def data(self, kind: DataKind, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """The contents of a Secret or ConfigMap by key, None when there is none of that name."""


class NotThereYet(Exception):
    """A Secret, ConfigMap or key that the Pod needs does not exist (yet). `str` names it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute. `env` is complete: nothing else is inherited."""

    command: list[str]
    env: dict[str, str]


async def prepare(pod: Manifest, ip: str, folder: Path, base: Mapping[str, str], source: DataSource) -> Launch:
    """Write the Pod's volumes below `folder` and work out its process. Raises NotThereYet or InvalidInput."""
    paths = {mount["mountPath"]: folder / mount["name"] for mount in supported.mounts(pod)}
    for volume in supported.volumes(pod):
        await _write_volume(volume, pod["metadata"]["namespace"], folder / volume["name"], source)
    temporary = {"TMPDIR": str(paths["/tmp"])} if "/tmp" in paths else {}  # noqa: S108  a mount path inside the Pod
    container = pod["spec"]["containers"][0]
    own = await _environment(pod, container, ip, source)
    moved = {name: _moved(value, paths) for name, value in own.items()}
    words = [*container.get("command", []), *container.get("args", [])]
    if not container.get("command"):
        raise InvalidInput("worker.command is missing: without an image there is no other program to run")
    return Launch([_expand(word, moved) for word in words], {**base, **temporary, **moved})


async def _write_volume(volume: Manifest, namespace: str, folder: Path, source: DataSource) -> None:
    """Its files as bytes; an emptyDir is just the folder."""
    files: dict[str, bytes] = {}
    for field, kind, name in VOLUMES:
        if field in volume:
            given = volume[field]
            data = await _data(source, kind, namespace, given[name], optional=given.get("optional", False))
            items = given.get("items") or [{"key": key, "path": key} for key in data]
            missing = [item["key"] for item in items if item["key"] not in data]
            if missing:
                raise NotThereYet(f"{kind} {given[name]} has no key {missing[0]}")
            files = {item["path"]: data[item["key"]] for item in items}
    _write(folder, files)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path, content in files.items():
        file = folder / path
        if folder.resolve() not in file.resolve().parents:
            raise InvalidInput(f"volume {folder.name}: path {path} leaves the volume")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(content)


async def _data(
    source: DataSource, kind: DataKind, namespace: str, name: str, *, optional: bool = False
) -> Mapping[str, bytes]:
    found = await source.data(kind, namespace, name)
    if found is None and not optional:
        raise NotThereYet(f"{kind} {namespace}/{name} does not exist: create it (headgate up: beside the policies)")
    return found or {}


async def _environment(pod: Manifest, container: Manifest, ip: str, source: DataSource) -> dict[str, str]:
    """The container's own variables in order: envFrom first, then env, each able to refer to those before it."""
    namespace = pod["metadata"]["namespace"]
    env: dict[str, str] = {}
    for entry in container.get("envFrom", []):
        kind, reference = _reference(entry, "secretRef", "configMapRef")
        data = await _data(source, kind, namespace, reference["name"], optional=reference.get("optional", False))
        env |= {entry.get("prefix", "") + key: value.decode() for key, value in data.items()}
    for variable in container.get("env", []):
        given = variable.get("valueFrom")
        value = _expand(variable.get("value", ""), env) if not given else await _value_from(pod, given, ip, source)
        if value is not None:
            env[variable["name"]] = value
    return env


def _reference(given: Manifest, secret: str, config_map: str) -> tuple[DataKind, Manifest]:
    return ("Secret", given[secret]) if secret in given else ("ConfigMap", given[config_map])


async def _value_from(pod: Manifest, given: Manifest, ip: str, source: DataSource) -> str | None:
    if "fieldRef" in given:
        return _field(pod, given["fieldRef"]["fieldPath"], ip)
    kind, reference = _reference(given, "secretKeyRef", "configMapKeyRef")
    optional = reference.get("optional", False)
    data = await _data(source, kind, pod["metadata"]["namespace"], reference["name"], optional=optional)
    if reference["key"] in data:
        return data[reference["key"]].decode()
    if optional:
        return None
    raise NotThereYet(f"{kind} {reference['name']} has no key {reference['key']}")


def _field(pod: Manifest, path: str, ip: str) -> str:
    metadata, spec = pod["metadata"], pod["spec"]
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": ip,
        "status.podIPs": ip,
        "status.hostIP": "127.0.0.1",
    }
    subscript = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if subscript:
        return str(metadata.get(subscript[1], {}).get(subscript[2], ""))
    if path not in known:
        raise InvalidInput(f"fieldRef {path} is not supported on one machine: use one of {', '.join(sorted(known))}")
    return str(known[path])


def _moved(value: str, paths: Mapping[str, Path]) -> str:
    """A value that is a path in a mounted volume, as the path of that file here."""
    for mount in sorted(paths, key=len, reverse=True):
        if value == mount or value.startswith(mount.rstrip("/") + "/"):
            return str(paths[mount]) + value[len(mount.rstrip("/")) :]
    return value


def _expand(text: str, env: Mapping[str, str]) -> str:
    """As Kubernetes does it: an unknown name stays as it is written."""

    def known(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else env.get(found[2], found[0])

    return REFERENCE.sub(known, text)
