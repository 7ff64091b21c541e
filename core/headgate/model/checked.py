"""A rule about one value that no pattern can say, as a marker on its type: CEL in the API server, Python in `parse`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from headgate.model.rules import Rule, as_validations


@dataclass(frozen=True, slots=True)
class Checked:
    """`rule.holds` gets the value itself, its CEL calls it `self`. The refusal quotes it."""

    rule: Rule

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._judge, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core) | {"x-kubernetes-validations": as_validations((self.rule,))}

    def _judge(self, value: Any) -> Any:
        if not self.rule.holds(value):
            raise PydanticCustomError("rule", "{sentences}", {"sentences": f"{self.rule.message} (it is {value})"})
        return value
