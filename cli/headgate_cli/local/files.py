"""Policies as YAML files in a folder: what they declare, where each mistake is, and what stays in force beside one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.control.ports import QUEUE_POLICY, SUBJECTS, Kind, Manifest
from headgate.errors import InvalidInput
from headgate.model.parse import InvalidManifest, parse
from headgate_cli.local.memory_pods import CONFIG_MAP, SECRET
from headgate_cli.local.yaml_documents import Document, Unreadable, documents

SUFFIXES = (".yaml", ".yml")
DEFAULT_SCOPE = "local"
DECLARED = tuple(kind.kind for kind in SUBJECTS)
OURS = {(kind.api_version, kind.kind): kind for kind in (*SUBJECTS, SECRET, CONFIG_MAP)}
"""Secrets and ConfigMaps are for `workers.template`. What else lies in the folder is for a cluster, not for us."""

ObjectKey = tuple[Kind, str]
"""Kind and name; the namespace is always the scope."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """`str` is one sentence that begins with file and line."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}"


@dataclass(slots=True)
class Reading:
    """What is in force now, and what is wrong in the files as they are."""

    objects: dict[ObjectKey, Manifest] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


class PolicyFiles:
    """`read` after every change. What a file declared stays in force for as long as a mistake stands in its place."""

    def __init__(self, where: Path, scope: str = DEFAULT_SCOPE) -> None:
        self._where = where
        self._scope = scope
        self._in_force: dict[Path, dict[ObjectKey, Manifest]] = {}

    def read(self) -> Reading:
        """Raises InvalidInput when `where` is neither a folder nor a file; never for what is in a file."""
        reading = Reading()
        before = {key: manifest for objects in self._in_force.values() for key, manifest in objects.items()}
        now: dict[Path, dict[ObjectKey, Manifest]] = {}
        for file in self._files():
            own, mistakes = self._read_file(file, before, reading.objects)
            if mistakes:
                last = self._in_force.get(file, {})
                own = {key: manifest for key, manifest in last.items() if key not in reading.objects} | own
            now[file] = own
            reading.objects |= own
            reading.mistakes += mistakes
        self._in_force = now
        return reading

    def _files(self) -> list[Path]:
        if self._where.is_dir():
            return sorted(path for path in self._where.iterdir() if path.suffix in SUFFIXES and path.is_file())
        if self._where.is_file():
            return [self._where]
        raise InvalidInput(f"{self._where}: neither a folder of YAML files nor one such file")

    def _read_file(
        self, file: Path, before: Mapping[ObjectKey, Manifest], taken: Mapping[ObjectKey, Manifest]
    ) -> tuple[dict[ObjectKey, Manifest], list[Mistake]]:
        """What it declares well, and what is wrong in it. `before` was in force, `taken` is in other files."""
        own: dict[ObjectKey, Manifest] = {}
        mistakes: list[Mistake] = []
        try:
            for document in documents(file.read_text(encoding="utf-8")):
                try:
                    key, manifest = self._judge(document, before)
                    if key in own or key in taken:
                        raise InvalidManifest([f"metadata.name: {key[0].kind} {key[1]} is declared twice, remove one"])
                    own[key] = manifest
                except _NotOurs:
                    continue
                except InvalidManifest as error:
                    mistakes += [_placed(file, document, sentence) for sentence in error.mistakes]
        except Unreadable as error:
            mistakes.append(Mistake(file.name, error.line, str(error)))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "this is no UTF-8 text"
            mistakes.append(Mistake(file.name, 1, f"cannot be read: {reason}"))
        return own, mistakes

    def _judge(self, document: Document, before: Mapping[ObjectKey, Manifest]) -> tuple[ObjectKey, Manifest]:
        """Raises InvalidManifest, or _NotOurs for what a cluster may know."""
        content = document.content
        if not isinstance(content, dict) or not content.get("kind"):
            raise InvalidManifest(["kind: missing, a manifest has apiVersion, kind, metadata and spec"])
        api_version = str(content.get("apiVersion"))
        kind = OURS.get((api_version, str(content["kind"])))
        if kind is None:
            if content["kind"] in DECLARED or api_version.startswith(f"{QUEUE_POLICY.group}/"):
                parse(content)  # says which of apiVersion and kind is unknown
            raise _NotOurs
        manifest = _mine(content, self._scope)
        name = manifest["metadata"]["name"]
        if kind.kind in DECLARED:
            parse(manifest, before.get((kind, name)))
            manifest["metadata"]["uid"] = uid_of(self._scope, kind.kind, name)
        return (kind, name), manifest


class _NotOurs(Exception):
    """A manifest for others."""


def uid_of(scope: str, kind: str, name: str) -> str:
    """The same on a laptop and in CI, and never the same for two objects: names have no slash."""
    return f"{scope}/{name}" if kind == QUEUE_POLICY.kind else f"{scope}/{kind.lower()}/{name}"


def _mine(content: dict[str, Any], scope: str) -> Manifest:
    """Without status and what a server put into metadata, so that a file may come out of `kubectl get -o yaml`."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise InvalidManifest(["metadata.name: missing, give the object a name"])
    kept = {name: metadata[name] for name in ("name", "labels", "annotations") if name in metadata}
    rest = {name: value for name, value in content.items() if name not in ("metadata", "status")}
    return {**rest, "metadata": {**kept, "namespace": scope}}


def _placed(file: Path, document: Document, sentence: str) -> Mistake:
    """A model's sentence begins with the path of its field: `spec.jobs.payload: ...`."""
    return Mistake(file.name, document.line_of(sentence.partition(":")[0]), sentence)
