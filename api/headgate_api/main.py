"""`headgate-api` serves until it is told to stop; `headgate-api token` makes a token and its line for the file."""

from __future__ import annotations

import logging
import sys
from socket import socket

from headgate.errors import HeadgateError
from headgate_api.settings import Settings, load
from headgate_api.tokens import Scope, new_token

USAGE = """usage: headgate-api
       headgate-api token NAME [SCOPES]

Serves the API and the dashboard. Settings: HEADGATE_STORE_URL_FILE, HEADGATE_STORE_URL or REDIS_URL, RQ_KEY_PREFIX,
HEADGATE_TOKENS_FILE, HEADGATE_HOST, HEADGATE_PORT, HEADGATE_SURFACE, HEADGATE_FUNCTIONS, HEADGATE_LOG_LEVEL.

token: prints a new token, once, and the line for HEADGATE_TOKENS_FILE. SCOPES: read (default), enqueue, operate, proxy;
separated by commas.
"""
GRACE_SECONDS = 25
"""Requests that run when it is told to stop may end; Kubernetes kills after 30 s."""


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    try:
        if not arguments:
            serve(load())
            return 0
        if arguments[0] == "token" and len(arguments) in (2, 3):
            token, line = new_token(arguments[2] if len(arguments) == 3 else Scope.READ, arguments[1])
            sys.stdout.write(f"{token}\n{line}\n")
            return 0
    except HeadgateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    help_wanted = arguments[0] in ("-h", "--help")
    (sys.stdout if help_wanted else sys.stderr).write(USAGE)
    return 0 if help_wanted else 2


def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT: then nothing new is taken, and what runs may end."""
    import uvicorn

    from headgate_api.app import create_app

    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(settings)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            """Open pages are told to end first: they would keep the server until its grace is over."""
            app.state.feed.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config).run()


if __name__ == "__main__":
    sys.exit(main())
