"""The call that every job makes: finish a plain success and claim the next, without building the verbs' objects.

The same script with the same arguments as `Door.finish_claim`, filled into bytes that were packed before.
"""

from __future__ import annotations

from typing import Any

from headgate.gates.door import Door
from headgate.gates.wire import Argument, pack

MOST_KNOWN = 1000
_HOLE = b"$%d\r\n%b\r\n"


class Cycle:
    """`finish_claim` for one slot of one queue. Times are what `Stamps.pair` gives, execution ids are ASCII."""

    def __init__(self, queue: str, slot: str, instance: str) -> None:
        self._who = (queue, slot, instance)
        self._epoch: bytes | None = None
        self._known: dict[tuple[bytes, ...], bytes] = {}

    def call(
        self,
        door: Door,
        execution: bytes,
        job_id: bytes,
        ended: bytes,
        places: tuple[bytes, ...],
        result: bytes,
        result_ttl: int,
        began_at: tuple[bytes, bytes],
        ended_at: tuple[bytes, bytes],
    ) -> Any:
        """End `ended`, an execution of `job_id`; a grant gets `execution`, which is also the nonce.

        The script's whole reply: {epoch, seq, now, finished, answer}, answer also the brief grant of lua/lib/claim.lua.
        """
        if door.epoch != self._epoch:
            self._known.clear()
            self._epoch = door.epoch
        known = self._known.get(places)
        if known is None:
            known = self._template(door, places)
        seq, ttl = b"%d" % door.seq, b"%d" % result_ttl
        began_iso, began = began_at
        ended_iso, end = ended_at
        command = known % (
            len(seq), seq, len(execution), execution, len(job_id), job_id, len(ended), ended, len(result),
            result, len(ttl), ttl, len(began_iso), began_iso, len(ended_iso), ended_iso, len(began),
            began, len(end), end,
        )  # fmt: skip
        return door.run("finish_claim", command)

    def _template(self, door: Door, places: tuple[bytes, ...]) -> bytes:
        parts = [
            *map(_bulk, door.head("finish_claim")),
            _HOLE,
            *map(_bulk, self._who),
            _bulk(""),
            *[_HOLE] * 3,
            _bulk("D"),
        ]
        parts += [*[_HOLE] * 6, _bulk(len(places)), *map(_bulk, places)]
        template = b"*%d\r\n" % len(parts) + b"".join(parts)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[places] = template
        return template


def _bulk(argument: Argument) -> bytes:
    """One packed argument, safe inside a format."""
    return pack((argument,)).partition(b"\r\n")[2].replace(b"%", b"%%")
