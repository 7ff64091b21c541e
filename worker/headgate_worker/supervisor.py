"""The worker's own process: its parts, wired together, and the loop that turns them. No code of jobs runs here."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from http.server import ThreadingHTTPServer
from typing import Any

from headgate.errors import StoreUnavailable
from headgate.gates import client
from headgate.gates.keys import Keys
from headgate.gates.samples import EVERY_SECONDS
from headgate.model.documents import QueueDocument
from headgate_worker import health, logs, processes
from headgate_worker.casualties import Casualties
from headgate_worker.cells import Cells
from headgate_worker.cgroup import PodMemory
from headgate_worker.channel import Message
from headgate_worker.clerk_desk import ClerkDesk
from headgate_worker.commands import Commands
from headgate_worker.deadlines import SCAN_SECONDS, Deadlines
from headgate_worker.drain import Drain
from headgate_worker.hearing import Hearing, Listeners
from headgate_worker.heartbeat import SECONDS, Heartbeat
from headgate_worker.logs import JobLines
from headgate_worker.loop import Loop, Signals
from headgate_worker.memory import CHECK_SECONDS, LOG_SECONDS, Memory
from headgate_worker.memory_hold import LOOK_SECONDS, MemoryHold
from headgate_worker.metrics import Metrics, Parts
from headgate_worker.nursery import Nursery
from headgate_worker.policy import Policy
from headgate_worker.registration import Registration
from headgate_worker.sampling import Sampling
from headgate_worker.settings import Settings, current_store_url
from headgate_worker.slots import Slot, Slots
from headgate_worker.store_link import StoreLink
from headgate_worker.waiting import Waiting

MAINTENANCE_SECONDS = 600.0
"""RQ's own interval; its lock lets one worker of a queue do it."""


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.instance = f"{settings.pod}-{secrets.token_hex(3)}"
        self.loop = Loop()
        self.signals = Signals(self.loop)
        self.cells = Cells.create()
        self.link = StoreLink(settings, self.loop)
        self.nursery = Nursery(settings, self.cells, self.loop)
        self.slots = Slots(self.instance, self.cells, self.nursery, self.loop)
        self.clerk = ClerkDesk(self.instance, self.nursery, self.loop)
        queue, lines = settings.queue, JobLines(settings.queue, self.instance, settings.log_format, settings.log_level)
        self.casualties = Casualties(queue, self.instance, self.link, self.clerk, lines)
        self.policy = Policy(queue, self.link, self._policy_changed)
        self.hearing = Hearing(
            lambda: current_store_url(settings), settings.prefix, queue, self.instance, self.link, self.loop
        )
        self._redis: Any = None
        self.registration = Registration(Keys(settings.prefix), queue, settings.pod_ip, self._connect)
        self.heartbeat = self._heartbeat()
        words = self.cells.worker()
        self.waiting = Waiting(
            self.slots, self.loop, words, self.hearing.arm, lambda: self.hearing.tracks, self.heartbeat.store_ms
        )
        self.deadlines = Deadlines(self.slots)
        self.memory = Memory(self.slots, self.nursery, settings.recycle_above_mib)
        self.memory_hold = MemoryHold(
            self.slots, PodMemory().read, lambda: processes.rss_bytes(self.nursery.pid),
            lambda: self.loop.after(0, self.heartbeat.beat),
        )  # fmt: skip
        self.sampling = Sampling(
            self.instance, settings.pod, settings.queue, self.link,
            lambda: [os.getpid(), self.nursery.pid, self.clerk.pid, *(slot.pid for slot in self.slots)],
        )  # fmt: skip
        self.drain = Drain(
            self.slots, self.loop, self.signals, words, settings.drain_seconds, self._draining, self._settled
        )
        self.commands = Commands(self.slots, self.loop, settings.prefix, self.drain.begin)
        self.failure: str | None = None
        self._wire()

    def run(self) -> int:
        """Until drained (0), or until the application cannot be imported (1)."""
        processes.adopt_orphans()
        processes.name_process("headgate-worker")
        server = self._serve()
        self._start()
        while self.failure is None and not self.drain.done:
            self.loop.turn()
            if self.signals.child_ended:
                self.signals.child_ended = False
                self._reap_children()
            self.drain.look()
        self._leave(server)
        if self.failure is not None:
            logs.get().error(self.failure)
            return 1
        logs.get().info("drained, bye", instance=self.instance, sigterms=self.signals.terminated)
        return 0

    def _wire(self) -> None:
        self.link.renew, self.link.came_back = self.heartbeat.renew, self._store_back
        self.nursery.ready, self.nursery.failed = self._template_ready, self._template_failed
        hooks = self.slots.hooks
        hooks.message, hooks.died = self._slot_says, self.casualties.slot_died
        hooks.came, hooks.left = self._slot_came, self._slot_left
        self.hearing.listeners = Listeners(
            arrived=self.waiting.arrived,
            woken=self.waiting.wake_one,
            policy_changed=lambda: self.link.do(self._read_policy),
            suspend_changed=self._suspend_changed,
            command=self.commands.received,
        )

    def _heartbeat(self) -> Heartbeat:
        return Heartbeat(
            self.instance,
            self.settings.pod,
            self.settings.queue,
            self.link,
            self.slots,
            self.clerk,
            self.casualties,
            revision=lambda: self.policy.revision,
            stop_when_cut_off=lambda: self.policy.stop_when_cut_off,
            register=self._register,
            policy_moved=lambda _revision: self.link.do(self._read_policy),
            wake=lambda: self.waiting.wake_one(),
            quarantined=lambda until: self.loop.after(
                max(0.0, until - self.heartbeat.store_ms()) / 1000 + 0.01, self.waiting.wake_all
            ),
            short_of_memory=lambda: self.memory_hold.held,
        )

    def _start(self) -> None:
        self.loop.every(SECONDS, self.heartbeat.beat)
        self.loop.every(SCAN_SECONDS, self.deadlines.scan)
        self.loop.every(CHECK_SECONDS, self.memory.check)
        self.loop.every(LOOK_SECONDS, self.memory_hold.look)
        self.loop.after(LOG_SECONDS, lambda: self.loop.every(LOG_SECONDS, self.memory.log))
        self.loop.every(EVERY_SECONDS, self.sampling.sample)
        self.loop.after(SECONDS * 1.5, lambda: self.loop.every(MAINTENANCE_SECONDS, self.clerk.maintain))
        self.link.do(self._read_policy)
        self.link.do(self._listen)
        document = self.policy.document
        functions = (document.jobs.functions if document else None) or ()
        self.nursery.modules = sorted({name.rpartition(".")[0] for name in functions})
        self.nursery.start()

    def _serve(self) -> ThreadingHTTPServer | None:
        parts = Parts(
            self.settings.queue, self.cells, self.slots, self.waiting, self.heartbeat, self.casualties, self.deadlines,
            self.memory, self.memory_hold, self.link, lambda: self.policy.revision,
        )  # fmt: skip
        answers = health.Answers(lambda: self.loop.turned_at, self._not_ready, Metrics(parts).text)
        try:
            return health.serve(self.settings.pod_ip, self.settings.port, answers)
        except OSError as error:
            logs.get().warning(
                "no health endpoint: set HEADGATE_METRICS_PORT", address=f"{self.settings.pod_ip}:{self.settings.port}",
                error=error.strerror,
            )  # fmt: skip
            return None

    def _not_ready(self) -> str | None:
        if self.policy.document is None:
            return "no policy is published for this queue, or the store has not answered yet"
        missing = self.slots.wanted - len(self.slots.alive())
        return f"{missing} of {self.slots.wanted} slots are not up" if missing > 0 else None

    # ---- the application ----

    def _template_ready(self) -> None:
        self.slots.fill()
        self.clerk.fill()

    def _template_failed(self, sentence: str) -> None:
        self.failure = sentence

    def _reap_children(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if not self.nursery.exited(pid) and not self.clerk.exited(pid, status):
                self.slots.exited(pid, status)

    # ---- slots ----

    def _slot_says(self, slot: Slot, message: Message) -> None:
        kind = message.get("t")
        if kind == "idle":
            self.waiting.idle(slot, message)
        elif kind == "more":
            self.waiting.wake_one()
        elif kind == "up":
            slot.prefix = str(message["prefix"])
            self.slots.born(slot, int(message["pid"]))
        elif kind == "down":
            self._slot_cut_off(slot, str(message["why"]))

    def _slot_cut_off(self, slot: Slot, why: str) -> None:
        """A slot cannot reach the store. It is told to try again once our own renewal, the first call, went through."""
        self.link.lost(StoreUnavailable(why))
        slot.waiting = {"why": "down"}

    def _slot_came(self, slot: Slot) -> None:
        self._hear_commands()
        self.link.do(lambda: self._register([slot.name]))

    def _hear_commands(self) -> None:
        keys = Keys(self.settings.prefix)
        self.hearing.listen([keys.commands(slot.name) for slot in self.slots])

    def _slot_left(self, slot: Slot) -> None:
        if not self.slots.closing:
            self._hear_commands()
        if not self.slots.closing:
            self.link.do(lambda: self._rq(lambda: self.registration.death([slot.name])))

    # ---- the store ----

    def _store_back(self) -> None:
        self.waiting.armed = False
        self.link.do(self._listen)
        self.link.do(self._read_policy)
        self.waiting.wake_all()

    def _listen(self) -> None:
        self.hearing.open()

    def _read_policy(self) -> None:
        self.policy.read()

    def _policy_changed(self, document: QueueDocument) -> None:
        """Slots read the rules themselves, by the revision in their next grant; what is left is ours.

        A renewal says that it is in use: whoever waits for that should not wait for the next one.
        """
        self.casualties.most_losses = document.jobs.max_losses
        self.loop.after(0, self.heartbeat.beat)
        if self.drain.until is not None:
            return
        self.slots.resize(document.per_worker)
        self.memory_hold.policy_changed(document.memory)
        self.clerk.policy_changed()
        self.waiting.wake_one()

    def _suspend_changed(self, suspended: bool) -> None:
        logs.get().info("suspended by `rq suspend`" if suspended else "resumed by `rq resume`")
        idle = [slot.name for slot in self.slots.alive() if slot.held() is None]
        state = "suspended" if suspended else "idle"
        self.link.do(lambda: self._rq(lambda: self.registration.state(idle, state)))
        if not suspended:
            self.waiting.wake_one()

    def _register(self, names: Sequence[str]) -> None:
        busy = {slot.name for slot in self.slots.busy()}
        states = {name: "busy" if name in busy else "idle" for name in names}
        self._rq(lambda: self.registration.birth(states))

    def _connect(self) -> Any:
        if self._redis is None:
            self._redis = client.connect(current_store_url(self.settings))
        return self._redis

    def _rq(self, call: Callable[[], Any]) -> Any:
        """A call through RQ's kind of client, with our error."""
        try:
            return call()
        except client.UNREACHABLE as error:
            self._redis = None
            raise StoreUnavailable(str(error)) from error

    # ---- the end ----

    def _draining(self) -> None:
        names = [slot.name for slot in self.slots]
        self.link.attempt(lambda: self._rq(lambda: self.registration.stopping(names)))
        self._names = names

    def _settled(self) -> bool:
        return self.link.settled and self.clerk.settled

    def _leave(self, server: ThreadingHTTPServer | None) -> None:
        for slot in self.slots:
            self.slots.kill(slot, "drain", "")
        self.clerk.close()
        self.nursery.close()
        self.hearing.close()
        names = getattr(self, "_names", [])
        self.sampling.goodbye()
        self.link.attempt(self.heartbeat.goodbye)
        self.link.attempt(lambda: self._rq(lambda: self.registration.death(names)))
        if server is not None:
            server.shutdown()
            server.server_close()
