"""What all resources share: the base model, the small types, rates, references, metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from annotated_types import Interval, Len
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from headgate.model.lists import ListMap
from headgate.model.rules import Rule, Transition, as_validations

API_VERSION = "headgate.dev/v1alpha1"
NAME_MAX = 52
"""Longest metadata.name: it becomes part of other names, and a CronJob adds 11 characters of its own to 52."""

DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
QUEUE_NAME = "^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
META_FIELD = "^[A-Za-z0-9_.-]+$"
HEADER_NAME = "^[A-Za-z0-9-]+$"
PATH = "^/"
FUNCTION = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"

PATTERN_WORDS: Mapping[str, str] = {
    DNS_LABEL: "lower-case letters, digits and dashes, with a letter or digit at both ends",
    DNS_SUBDOMAIN: "lower-case letters, digits, dashes and dots, with a letter or digit at both ends",
    QUEUE_NAME: "letters, digits, '_', '.' and '-', with a letter or digit at both ends",
    META_FIELD: "letters, digits, '_', '.' and '-'",
    HEADER_NAME: "letters, digits and '-'",
    PATH: "a path that begins with a slash",
    FUNCTION: "a dotted path such as package.module.function",
}
"""Each pattern in the words of a refusal."""

_RFC3339 = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")


def _rfc3339(value: object) -> object:
    """Only what the API server takes as date-time: pydantic alone would read 5 as five seconds past 1970."""
    if isinstance(value, datetime) and value.tzinfo is not None:  # YAML readers make these of unquoted times
        return value
    if isinstance(value, str) and _RFC3339.match(value):
        return value
    raise PydanticCustomError("date_time", "not a time")


Whole = Annotated[int, Strict()]
Count = Annotated[Whole, Interval(ge=0, le=100_000)]
Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
DnsLabel = Annotated[Text, StringConstraints(min_length=1, max_length=63, pattern=DNS_LABEL)]
QueueName = Annotated[Text, StringConstraints(min_length=1, max_length=63, pattern=QUEUE_NAME)]
FunctionPath = Annotated[Text, StringConstraints(min_length=1, max_length=256, pattern=FUNCTION)]
Time = Annotated[datetime, BeforeValidator(_rfc3339)]
StopPolicy = Literal["None", "Hold", "HoldAndDrain"]


class Declared(BaseModel):
    """Frozen, strict, camelCase outside and snake_case inside; null is absent, as for the API server."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, serialize_by_alias=True, use_attribute_docstrings=True
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    transitions: ClassVar[tuple[Transition, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        declared = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in data.items() if value is not None or name not in declared}

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = [self._refusal(rule) for rule in self.rules if not rule.holds(self)]
        if broken:
            raise PydanticCustomError("rule", "{sentences}", {"sentences": "\n".join(broken)})
        return self

    def _refusal(self, rule: Rule) -> str:
        aliases = {field.alias: name for name, field in type(self).model_fields.items()}
        values = [f"{name} is {getattr(self, aliases[name])}" for name in rule.names]
        return f"{rule.message} ({', '.join(values)})" if values else rule.message

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core))
        own = tuple(rule for rule in cls.transitions if rule.field is None)
        if cls.rules or own:
            schema["x-kubernetes-validations"] = as_validations((*cls.rules, *own))
        for rule in cls.transitions:
            if rule.field is not None:
                schema["properties"][rule.field]["x-kubernetes-validations"] = as_validations((rule,))
        return schema


class Rate(Declared):
    """At most `limit` starts in any window of `periodSeconds`, retries included."""

    limit: Annotated[Whole, Interval(ge=1, le=10_000)]
    """Starts."""
    period_seconds: Annotated[Whole, Interval(ge=1, le=86_400)]
    """Length of the window."""

    def __str__(self) -> str:
        return f"{self.limit}/{self.period_seconds}s"


class KeyRate(Rate):
    """As Rate, for each key: the window of every key is kept apart, so the limit is smaller."""

    limit: Annotated[Whole, Interval(ge=1, le=1_000)]
    """Starts."""


class BudgetRef(Declared):
    """A Budget of the same namespace and the same store."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=NAME_MAX, pattern=DNS_LABEL)]
    """Name of the Budget."""
    weight: Annotated[Whole, Interval(ge=1, le=100)] = 1
    """Places, and starts, that each job takes of it."""


BudgetRefs = Annotated[tuple[BudgetRef, ...], Len(max_length=4), ListMap("name")]


class Metadata(BaseModel):
    """The part of metadata that decisions need; the API server judges the rest."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    name: Annotated[Text, StringConstraints(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
    namespace: DnsLabel = "default"
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None


NAME_FITS = Rule(
    cel="size(self.metadata.name) <= 52",
    message="metadata.name: at most 52 characters, it becomes part of other names",
    holds=lambda resource: len(resource.metadata.name) <= NAME_MAX,
)
STORE_IS_IMMUTABLE = Transition(
    cel="self == oldSelf",
    message="store is immutable",
    holds=lambda new, old: new.store == old.store,
    field="store",
)
