"""What a rule names that no request has: it would limit nothing, in silence. The schema cannot tell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headgate.model.http_policy import HttpPath, HTTPPolicy

_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(:[A-Za-z_][A-Za-z0-9_]*)?\}")
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")
_HOST = re.compile(r"(\*\.)?[^*:/\s]+|\[[0-9A-Fa-f:.]+\]")


def unmatchable(policy: HTTPPolicy) -> Iterator[str]:
    """A sentence for each, with field, value and remedy."""
    for index, rule in enumerate(policy.spec.limits):
        where = f"spec.rules[{index}].match"
        for at, path in enumerate(rule.match.paths or ()):
            why = _path(path)
            if why:
                yield f"{where}.paths[{at}].value: {path.value} {why}."
        for at, host in enumerate(rule.match.hosts or ()):
            if not _HOST.fullmatch(host):
                yield f"{where}.hosts[{at}]: {host} is no host, give a name without scheme and port, or *.example.com."


def _path(path: HttpPath) -> str:
    if "?" in path.value or "#" in path.value:
        return "has more than a path in it, and requests are matched by their path alone: leave out what follows it"
    if _ESCAPE.search(path.value):
        return "is escaped, and paths are matched as the router sees them: write the characters themselves"
    if path.type != "Template":
        return "has a parameter in it, which only type: Template knows" if _PARAMETER.search(path.value) else ""
    if set("{}") & set(_PARAMETER.sub("", path.value)):
        return "has a brace that is no parameter, write {name} for one segment or {name:path} for the rest"
    return ""
