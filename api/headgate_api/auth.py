"""Who may do what: a bearer token with the scope that the route names, or the dashboard's session, which is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from headgate_api.dashboard import session
from headgate_api.parts import PartsOf
from headgate_api.problems import Problem
from headgate_api.tokens import Caller, Scope

bearer = HTTPBearer(
    auto_error=False, description="A token of HEADGATE_TOKENS_FILE with scope read, enqueue or operate."
)


def needs(scope: Scope) -> Any:
    """A dependency: the caller, who has this scope. 401 without a known token, 403 without the scope."""
    return Depends(_guard(scope))


def _guard(scope: Scope) -> Callable[..., Caller]:
    def check(
        request: Request,
        parts: PartsOf,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    ) -> Caller:
        token = credentials.credentials if credentials else session.presented(request)
        caller = parts.tokens.caller(token) if token else None
        return permit(caller, scope, request)

    return check


def permit(caller: Caller | None, scope: Scope, request: Request) -> Caller:
    """The caller again, when it may. Its name is the `user` by which the service limits."""
    if caller is None:
        raise Problem(401, "A known bearer token is needed.", {"WWW-Authenticate": 'Bearer realm="headgate"'})
    if not caller.may(scope):
        challenge = f'Bearer realm="headgate", error="insufficient_scope", scope="{scope}"'
        raise Problem(403, f"This token has no scope {scope}.", {"WWW-Authenticate": challenge})
    request.state.caller = caller
    return caller


Reader = Annotated[Caller, needs(Scope.READ)]
Producer = Annotated[Caller, needs(Scope.ENQUEUE)]
Operator = Annotated[Caller, needs(Scope.OPERATE)]
