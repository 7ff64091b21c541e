"""`headgate-worker [QUEUE]`: one worker of one queue, until it is told to stop."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version

from headgate.errors import HeadgateError, InvalidInput, StoreUnavailable
from headgate_worker import logs
from headgate_worker.settings import Settings, load

USAGE = """usage: headgate-worker [QUEUE]

Runs the jobs of one RQ queue behind its policy's gates. The queue comes from the argument or HEADGATE_QUEUE, the store
from HEADGATE_STORE_URL_FILE, HEADGATE_STORE_URL or REDIS_URL. Other settings: HEADGATE_PRELOAD, HEADGATE_DRAIN_SECONDS,
HEADGATE_DEADLINE_SECONDS, HEADGATE_RECYCLE_SLOT_ABOVE_MIB, HEADGATE_WEBHOOK_HOSTS, HEADGATE_PAYLOAD_LIMIT_BYTES,
HEADGATE_METRICS_PORT, HEADGATE_LOG_FORMAT=text|json, HEADGATE_LOG_LEVEL, RQ_KEY_PREFIX.
"""


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    try:
        check_rq()
        settings = load(arguments)
    except InvalidInput as error:
        logs.configure("text", "info")
        logs.get().error(str(error))
        return 1
    logs.configure(settings.log_format, settings.log_level)
    return _work(settings)


def _work(settings: Settings) -> int:
    from headgate_worker.startup import wait_for_store
    from headgate_worker.supervisor import Supervisor

    try:
        supervisor = Supervisor(settings)
        if not wait_for_store(supervisor.link, supervisor.signals):
            return 0
        return supervisor.run()
    except StoreUnavailable as error:
        logs.get().error(str(error))
    except HeadgateError as error:
        logs.get().error(str(error))
    return 1


def check_rq() -> None:
    """The parts of RQ that we build on are private: another minor version is another program."""
    try:
        found = version("rq")
    except PackageNotFoundError:
        raise InvalidInput("rq is not installed: pip install 'rq>=3.0,<3.1'") from None
    if not re.match(r"3\.0(\.|$)", found):
        raise InvalidInput(f"rq {found} is installed, this worker needs rq>=3.0,<3.1")


if __name__ == "__main__":
    sys.exit(main())
