"""`headgate-task [NAMESPACE/NAME]`: one run of a periodic task, or none when another one runs."""

from __future__ import annotations

import sys

from headgate.errors import HeadgateError, InvalidInput
from headgate_worker import logs
from headgate_worker.main import check_rq
from headgate_worker.periodic.settings import load

USAGE = """usage: headgate-task [NAMESPACE/NAME]

Runs a periodic task once, unless another run of it is under way: then it exits with 0 and says so. The task comes from
the argument or HEADGATE_TASK, the store from HEADGATE_STORE_URL_FILE, HEADGATE_STORE_URL or REDIS_URL; the names of its
Job and its pod from HEADGATE_JOB_NAME and HEADGATE_POD_NAME. What is called, and for how long, stands in the store.
Other settings: HEADGATE_LOG_FORMAT=text|json, HEADGATE_LOG_LEVEL, RQ_KEY_PREFIX.

Exit code 0: it ran and succeeded, or was skipped. 1: it failed, took too long, or lost its lease.
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
    from headgate_worker.periodic.runner import Runner

    try:
        return Runner(settings).run()
    except HeadgateError as error:
        logs.get().error(str(error), task=settings.task)
        return 1


if __name__ == "__main__":
    sys.exit(main())
