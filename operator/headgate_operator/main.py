"""`headgate-operator`: takes no arguments; the environment and the stores file say everything."""

from __future__ import annotations

import asyncio
import sys

from headgate.errors import InvalidInput
from headgate_operator.logs import configure
from headgate_operator.operator import Operator
from headgate_operator.settings import Settings


def main() -> None:
    """Exit code 0 after a signal, 1 with one sentence on stderr when the configuration is wrong."""
    try:
        settings = Settings.from_environment()
        configure(settings.log_format)
        code = asyncio.run(_run(settings))
    except InvalidInput as error:
        sys.exit(f"headgate-operator: {error}")
    sys.exit(code)


async def _run(settings: Settings) -> int:
    return await Operator(settings).run()
