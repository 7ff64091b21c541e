"""The documents of a YAML file, with the line of every field, read as Kubernetes reads them (times stay text)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class Unreadable(Exception):
    """`str` says what is wrong in `line` (from 1)."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    content: Any
    node: yaml.Node

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def line_of(self, path: str) -> int:
        """The line of `spec.budgetRefs[0].name`, or of the nearest field above it that is written down."""
        node, line = self.node, self.line
        for name, index in STEP.findall(path):
            if isinstance(node, yaml.MappingNode) and name:
                found = next(((key, value) for key, value in node.value if key.value == name), None)
            elif isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
                found = (node.value[int(index)], node.value[int(index)])
            else:
                found = None
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line


def documents(text: str) -> Iterator[Document]:
    """Empty documents are left out. Raises Unreadable at the first mistake; what came before it has been given."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            content = loader.construct_document(node) if node else None
            if node and content is not None:
                yield Document(content, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, f"this is no YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise Unreadable(1, f"this is no YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Refuses a field that is written twice: YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"{key.value} is written twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
