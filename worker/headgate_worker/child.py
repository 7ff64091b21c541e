"""What a process forked from the template becomes: a slot, or the clerk."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from headgate_worker import processes
from headgate_worker.access import Access
from headgate_worker.cells import Phase
from headgate_worker.channel import Channel, Message
from headgate_worker.clerk import Clerk
from headgate_worker.endings import Endings
from headgate_worker.fast_path import FastPath
from headgate_worker.lane_keys import LaneKeys
from headgate_worker.logs import JobLines
from headgate_worker.rq_worker import RqWorker
from headgate_worker.settings import show_worker_id
from headgate_worker.slot import Slot
from headgate_worker.slow_path import SlowPath
from headgate_worker.template import Template


def run(template: Template, request: Message, channel: Channel) -> None:
    """The life of the child; it returns when it is no longer wanted."""
    processes.name_process("hg-clerk" if request["role"] == "clerk" else f"hg-slot-{request['index']}")
    if request["role"] == "clerk":
        Clerk(template.settings, request["instance"], channel).work()
    else:
        _slot(template, request, channel).work()


def _slot(template: Template, request: Message, channel: Channel) -> Slot:
    settings, name = template.settings, request["name"]
    cell = template.cells.slot(request["index"])
    cell.clear(Phase.STARTING)
    show_worker_id(name)
    access = Access(settings)
    lines = JobLines(settings.queue, name, settings.log_format, settings.log_level)
    slot = Slot(
        settings, name, request["instance"], access, cell, template.cells.worker(), channel, lines,
        LaneKeys(settings.prefix, access.connect),
    )  # fmt: skip

    @lru_cache(maxsize=2)
    def worker(serializer: Any, connection: Any) -> RqWorker:
        return RqWorker(settings.queue, name, connection, serializer, settings.webhook_hosts)

    slow = SlowPath(access, slot.store_down)
    slot.endings = Endings(cell, lines, slow, lambda serializer: worker(serializer, access.connect()), access.connect)
    slot.fast = FastPath(settings.queue, name, cell, lines, slot.endings, access.connect)
    return slot
