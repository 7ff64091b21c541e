"""Lists in which Kubernetes keeps items apart: by one field (`ListMap`) or by value (`ListSet`)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def _refuse_twins(items: Any, identity: Callable[[Any], Hashable]) -> Any:
    seen: set[Hashable] = set()
    for item in items:
        if identity(item) in seen:
            raise PydanticCustomError("duplicate", "{twin} is listed twice", {"twin": str(identity(item))})
        seen.add(identity(item))
    return items


@dataclass(frozen=True, slots=True)
class ListMap:
    """No two items share the value of `key`; server-side apply merges them by it."""

    key: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda items: _refuse_twins(items, lambda item: getattr(item, self.key)), handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}


@dataclass(frozen=True, slots=True)
class ListSet:
    """No value twice."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda items: _refuse_twins(items, lambda item: item), handler(source)
        )

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-list-type": "set"}
