"""The verbs for requests over one blocking connection: the part of `Door` that implements `http.HttpGates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headgate.gates import http_replies, http_requests
from headgate.gates.http import Admit, AdmitAnswer, RequestsBeat, RequestsRenewal, Settle, SurfaceState
from headgate.gates.wire import Argument
from headgate.model.documents import HttpDocument

if TYPE_CHECKING:
    from headgate.gates.keys import Keys


class HttpVerbs:
    """Needs `keys`, a script's call and a plain command."""

    keys: Keys

    def command(self, *arguments: Argument) -> Any:
        raise NotImplementedError  # the door that mixes these verbs in sends it

    def _run(self, verb: str, arguments: Sequence[Argument], *, once: bool = False) -> Any:
        """`once`: what may have been executed is not sent again."""
        raise NotImplementedError  # the door that mixes these verbs in sends it

    def admit(self, admit: Admit) -> AdmitAnswer:
        return http_replies.admit(self._run("admit", http_requests.admit(admit), once=True)[3:])

    def settle(self, settles: Sequence[Settle]) -> int:
        return int(self._run("settle", http_requests.settle(settles))[3])

    def renew_requests(self, beat: RequestsBeat) -> RequestsRenewal:
        reply = self._run("renew_requests", http_requests.renew_requests(beat))
        return http_replies.requests_renewal(reply[3:], beat, reply[2])

    def read_http(self, surface: str) -> tuple[int, HttpDocument] | None:
        return http_replies.document(*self.command("HMGET", self.keys.http(surface), "revision", "doc"))

    def inspect_http(self) -> Mapping[str, SurfaceState]:
        return http_replies.surfaces(self._run("inspect_http", ())[3:])
