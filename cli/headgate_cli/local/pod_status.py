"""What a kubelet says about a Pod: phase, conditions and the state of its one container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headgate.control.ports import Manifest


@dataclass(frozen=True, slots=True)
class Ended:
    """One run of the container that is over. Times are RFC 3339; a signal counts as exit code 128 + its number."""

    exit_code: int
    started_at: str
    finished_at: str

    def as_manifest(self) -> Manifest:
        return {
            "exitCode": self.exit_code,
            "reason": "Error" if self.exit_code else "Completed",
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
        }


@dataclass(slots=True)
class ContainerState:
    """`waiting` (reason, message) while no process runs, `started_at` while one does, `ended` when none will again."""

    waiting: tuple[str, str] | None = ("ContainerCreating", "")
    started_at: str | None = None
    ended: Ended | None = None
    last: Ended | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False

    @property
    def phase(self) -> Literal["Pending", "Running", "Succeeded", "Failed"]:
        if self.ended:
            return "Failed" if self.ended.exit_code else "Succeeded"
        return "Running" if self.started_at or self.last else "Pending"


def pod_status(pod: Manifest, state: ContainerState, ip: str, now: str, before: Manifest) -> Manifest:
    """The whole status. `before` is the one reported last: conditions that stay keep their transition time."""
    reason = state.waiting[0] if state.waiting else "ContainersNotReady"
    message = state.waiting[1] if state.waiting else ""
    ready = {} if state.ready else {"reason": reason, **({"message": message} if message else {})}
    conditions = [
        _condition("PodScheduled", True, {}, now, before),
        _condition("Initialized", True, {}, now, before),
        _condition("ContainersReady", state.ready, ready, now, before),
        _condition("Ready", state.ready, ready, now, before),
    ]
    return {
        "phase": state.phase,
        "conditions": conditions,
        "hostIP": "127.0.0.1",
        **({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}),
        "startTime": before.get("startTime", now),
        "containerStatuses": [_container(pod["spec"]["containers"][0], state)],
    }


def _container(container: Manifest, state: ContainerState) -> Manifest:
    current: Manifest = {}
    if state.ended:
        current = {"terminated": state.ended.as_manifest()}
    elif state.started_at:
        current = {"running": {"startedAt": state.started_at}}
    elif state.waiting:
        reason, message = state.waiting
        current = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "ready": state.ready,
        "started": state.started,
        "restartCount": state.restarts,
        "state": current,
        "lastState": {"terminated": state.last.as_manifest()} if state.last else {},
    }


def _condition(type_: str, is_true: bool, why: Manifest, now: str, before: Manifest) -> Manifest:
    status = "True" if is_true else "False"
    known = {item["type"]: item for item in before.get("conditions", [])}.get(type_, {})
    since = known["lastTransitionTime"] if known.get("status") == status else now
    return {"type": type_, "status": status, "lastTransitionTime": since, **why}
