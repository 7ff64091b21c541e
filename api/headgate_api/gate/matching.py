"""Which rules apply to a request: what the router will dispatch, not what the client wrote.

A middleware sees the decoded `scope["path"]`, as the router does. A proxy's check sees only the raw target and cannot
know how the backend reads it: there every reading is tried and the rules of all of them apply (`candidates`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from headgate.model.documents import HttpDocument, HttpRule, PathMatch

_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*(:path|:[A-Za-z_]\w*)?\}")
_HOST = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^:\[\]/@\s]+)(?::\d{0,5})?")

Rules = tuple[int, ...]
Matches = Callable[[str], bool]


class Matcher:
    """Compiled once from a document, never changed. Answers are indexes of its rules, in their order."""

    def __init__(self, document: HttpDocument) -> None:
        self._rules = tuple(_Rule(rule) for rule in document.rules)
        self.by_host = any(rule.match.hosts for rule in document.rules)

    def rules(self, method: str, path: str, host: str = "") -> Rules:
        """`path` as `routed` gives it. `host` as the Host header has it; only looked at when a rule names hosts."""
        return self._find(_method(method), (path,), host, folded=False)

    def union(self, method: str, paths: Iterable[str], host: str = "") -> Rules:
        """The rules of all of them, upper and lower case alike: for `candidates`."""
        return self._find(_method(method), tuple(paths), host, folded=True)

    def _find(self, method: str, paths: tuple[str, ...], host: str, *, folded: bool) -> Rules:
        host = host_name(host) if self.by_host else ""
        return tuple(
            index
            for index, rule in enumerate(self._rules)
            if rule.has_method(method) and rule.has_host(host) and any(rule.has_path(path, folded) for path in paths)
        )

    def names_options(self, rules: Rules) -> Rules:
        """Those that name OPTIONS: only they apply to a browser's preflight."""
        return tuple(index for index in rules if "OPTIONS" in self._rules[index].methods)


class _Rule:
    def __init__(self, rule: HttpRule) -> None:
        match = rule.match
        self.methods = frozenset(method.upper() for method in match.methods)
        self._paths = _compiled(match.paths, re.DOTALL)
        self._folded = _compiled(match.paths, re.DOTALL | re.IGNORECASE)
        self._hosts = frozenset(host.lower().rstrip(".") for host in match.hosts)
        self._suffixes = tuple(host[1:] for host in self._hosts if host.startswith("*."))

    def has_method(self, method: str) -> bool:
        """HEAD counts as GET: routers answer it from the GET route."""
        return not self.methods or method in self.methods or (method == "HEAD" and "GET" in self.methods)

    def has_path(self, path: str, folded: bool) -> bool:
        matches = self._folded if folded else self._paths
        return matches is None or matches(path)

    def has_host(self, host: str) -> bool:
        """Without a usable Host header every rule applies: leaving it out must not escape one."""
        return not self._hosts or not host or host in self._hosts or host.endswith(self._suffixes)


def _compiled(paths: tuple[PathMatch, ...], flags: int) -> Matches | None:
    """None: every path. `fullmatch`, and one newline more: routers end their patterns with `$`, which lets it pass."""
    if not paths:
        return None
    pattern = re.compile("|".join(f"(?:{_pattern(path)})" for path in paths), flags)
    return lambda path: (
        pattern.fullmatch(path) is not None or (path.endswith("\n") and pattern.fullmatch(path[:-1]) is not None)
    )


def _pattern(path: PathMatch) -> str:
    if path.type == "Exact":
        return re.escape(path.value)
    if path.type == "Prefix":
        return re.escape(path.value.rstrip("/")) + r"(?:/.*)?"
    pattern, at = "", 0
    for parameter in _PARAMETER.finditer(path.value):
        pattern += re.escape(path.value[at : parameter.start()])
        pattern += ".*" if parameter.group(1) == ":path" else "[^/]+"
        at = parameter.end()
    return pattern + re.escape(path.value[at:])


def _method(method: str) -> str:
    return method.upper()


def routed(scope: Mapping[str, Any]) -> str:
    """The path that the router compares: `scope["path"]` without `root_path` where it begins with it (Starlette)."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if not root or not path.startswith(root):
        return path
    rest = path[len(root) :]
    return rest if rest.startswith("/") else path if rest else "/"


def host_name(header: str) -> str:
    """Lower case, without port and last dot; empty when the header is none or cannot be read."""
    found = _HOST.fullmatch(header.strip())
    return found.group(1).lower().rstrip(".") if found else ""


def candidates(target: str) -> frozenset[str]:
    """Every path a backend may read in a request target: absolute form, decoded once and twice, merged slashes, dots
    resolved before and after decoding, backslashes, path parameters, with and without the last slash."""
    found: set[str] = set()
    todo = {_origin(target)}
    while todo and len(found) < 512:
        path = todo.pop()
        found.add(path)
        todo |= {reading for reading in _readings(path) if reading not in found}
    ends = {path.rstrip("/") or "/" for path in found}
    return frozenset(found | ends | {path + "/" for path in ends if path != "/"})


def _origin(target: str) -> str:
    """`http://host/path` as `/path`."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", target)
    rest = target[scheme.end() :] if scheme else target
    return rest if rest.startswith("/") else "/" + rest


def _readings(path: str) -> set[str]:
    once = unquote(path) if "%" in path else path
    latin = unquote_to_bytes(path.encode(errors="replace")).decode("latin-1") if "%" in path else path
    return {
        once,
        latin,
        path.replace("\\", "/"),
        re.sub(r"/{2,}", "/", path),
        re.sub(r";[^/]*", "", path),
        *(path.partition(end)[0] or "/" for end in "?#\0"),
        path.rstrip(" \t\r\n") or "/",
        resolved(path),
    }


def resolved(path: str) -> str:
    """Dot segments taken out (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            if kept:
                kept.pop()
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
