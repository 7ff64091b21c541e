"""The verbs for runs of periodic tasks over one blocking connection: the part of `Door` that implements `RunGates`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from headgate.gates.runs import Begin, BeginAnswer, Begun, NoTask, Passed, Running, TaskHeld, TaskState
from headgate.gates.wire import Argument
from headgate.model.documents import TaskDocument

Outcome = Literal["", "ok", "failed", "lost", "deadline"]


class RunVerbs:
    """Needs a script's call."""

    def _run(self, verb: str, arguments: Sequence[Argument], *, once: bool = False) -> Any:
        raise NotImplementedError  # the door that mixes these verbs in sends it

    def begin_run(self, begin: Begin) -> BeginAnswer:
        tick = "" if begin.tick is None else begin.tick
        return _begun(self._run("begin_run", (begin.task, begin.run, begin.pod, tick))[3:])

    def renew_run(self, task: str, run: str, fence: int) -> bool:
        return bool(self._run("renew_run", (task, run, fence))[3])

    def end_run(self, task: str, run: str, fence: int, outcome: Literal["ok", "failed", "deadline"]) -> bool:
        return bool(self._run("end_run", (task, run, fence, outcome))[3])

    def skip_ticks(self, task: str, ticks: Sequence[int]) -> int:
        return int(self._run("skip_ticks", (task, *ticks))[3])

    def inspect_tasks(self) -> Mapping[str, TaskState]:
        return {state.name: state for state in map(_state, self._run("inspect_tasks", ())[3])}


def _begun(body: Sequence[Any]) -> BeginAnswer:
    code = body[0]
    if code == b"begun":
        return Begun(body[1], body[2], TaskDocument.model_validate_json(body[3]))
    if code == b"running":
        return Running(body[1].decode(), body[2].decode(), body[3])
    if code == b"passed":
        return Passed(body[1])
    return TaskHeld(body[1]) if code == b"held" else NoTask()


def _state(read: Sequence[Any]) -> TaskState:
    name, revision, document, flat, skipped = read
    state = {field.decode(): value.decode() for field, value in zip(flat[::2], flat[1::2], strict=True)}

    def number(field: str) -> int:
        return int(state.get(field) or 0)

    return TaskState(
        name=name.decode(),
        revision=revision,
        document=TaskDocument.model_validate_json(document),
        running=state.get("run", ""),
        running_pod=state.get("pod", ""),
        running_since=number("since"),
        lease_end=number("lease_end"),
        last_tick=number("last_tick"),
        last_started=number("last_started"),
        last_ended=number("last_ended"),
        last_success=number("last_success"),
        last_outcome=cast(Outcome, state.get("last_outcome", "")),
        skipped=number("skipped"),
        skips_in_a_row=number("in_a_row"),
        last_skipped_tick=number("last_skip"),
        cycles_with_skips=number("cycles"),
        skipped_ticks=tuple(skipped),
    )
