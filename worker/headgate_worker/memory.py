"""Memory: said once a minute, exported, and a slot that has grown too much is replaced between two jobs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from headgate_worker import logs
from headgate_worker.nursery import Nursery
from headgate_worker.processes import rss_bytes
from headgate_worker.slots import Slots

MIB = 1 << 20
LOG_SECONDS = 60.0
CHECK_SECONDS = 5.0


@dataclass(slots=True)
class Memory:
    slots: Slots
    nursery: Nursery
    recycle_above_mib: int | None
    recycled: int = 0

    def log(self) -> None:
        """The line that people grep for."""
        slots = {f"slot_{slot.index}": f"{rss_bytes(slot.pid) // MIB}MiB" for slot in self.slots.alive()}
        total = sum(rss_bytes(slot.pid) for slot in self.slots.alive())
        logs.get().info(
            "Memory usage", rss=f"{total // MIB}MiB", supervisor=f"{rss_bytes(os.getpid()) // MIB}MiB",
            template=f"{rss_bytes(self.nursery.pid) // MIB}MiB", **slots,
        )  # fmt: skip

    def check(self) -> None:
        if self.recycle_above_mib is None:
            return
        for slot in self.slots.alive():
            used = rss_bytes(slot.pid) // MIB
            if used > self.recycle_above_mib and not slot.leaving:
                self.recycled += 1
                logs.get().warning(
                    "a slot is replaced after its job",
                    slot=slot.name,
                    rss=f"{used}MiB",
                    limit=f"{self.recycle_above_mib}MiB",
                )
                self.slots.retire(slot)
