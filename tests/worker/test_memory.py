"""Memory that runs short: what the kernel says, what the supervisor makes of it, and a real worker in a real cgroup."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from headgate.model.documents import MemoryDocument
from headgate_worker.cells import Cells, Word
from headgate_worker.cgroup import Memory, PodMemory
from headgate_worker.memory_hold import MemoryHold
from headgate_worker.slots import Slot, Slots, State
from tests.worker.running import Bench, wait_for

MIB = 1 << 20
T = "tests.worker.tasks."
HIERARCHY = Path("/sys/fs/cgroup/memory")


# ---- what the kernel says ----


def tree(root: Path, mountinfo: str, cgroup: str, files: dict[str, str]) -> PodMemory:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "proc").mkdir()
    (root / "proc/mountinfo").write_text(mountinfo.format(root=root))
    (root / "proc/cgroup").write_text(cgroup)
    return PodMemory(root / "proc")


V1_MOUNT = "35 31 0:32 {{at}} {root}/memory rw - cgroup cgroup rw,memory\n"
V2_MOUNT = "41 31 0:38 {{at}} {root}/unified rw,nosuid - cgroup2 cgroup2 rw\n"


def v1(at: str = "/") -> str:
    return "34 31 0:31 / {root}/devices rw - cgroup cgroup rw,devices\n" + V1_MOUNT.replace("{{at}}", at)


def v2(at: str = "/") -> str:
    return V2_MOUNT.replace("{{at}}", at)


def test_version_1_counts_the_working_set_and_the_group_nearest_to_its_limit(tmp_path: Path) -> None:
    pod = tree(
        tmp_path, v1() + v2(), "4:memory:/pods/p1/c1\n0::/\n",
        {
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "1\n",
            "memory/memory.stat": "cache 1\n",
            "memory/pods/p1/memory.limit_in_bytes": "1000\n",
            "memory/pods/p1/memory.usage_in_bytes": "900\n",
            "memory/pods/p1/memory.stat": "inactive_file 1\ntotal_inactive_file 200\n",
            "memory/pods/p1/c1/memory.limit_in_bytes": "2000\n",
            "memory/pods/p1/c1/memory.usage_in_bytes": "900\n",
            "memory/pods/p1/c1/memory.stat": "total_inactive_file 200\n",
        },
    )  # fmt: skip
    assert pod.read() == Memory(700, 1000)


def test_version_2(tmp_path: Path) -> None:
    files = {"memory.max": "1000\n", "memory.current": "600\n", "memory.stat": "anon 1\ninactive_file 100\n"}
    pod = tree(tmp_path, v2(), "0::/c1\n", {f"unified/c1/{name}": text for name, text in files.items()})
    memory = pod.read()
    assert memory == Memory(500, 1000)
    assert memory.percent == 50.0
    (tmp_path / "unified/c1/memory.max").write_text("max\n")
    assert pod.read() is None
    (tmp_path / "unified/c1/memory.max").write_text("2000\n")
    assert pod.read() == Memory(500, 2000), "a pod's limit can change while it runs"


@pytest.mark.parametrize("at", ["/kubepods/pod1/c1", "/"])
def test_in_a_container_the_group_is_the_mount_itself(tmp_path: Path, at: str) -> None:
    """With the machine's names (containerd on version 1) and with a namespace of its own."""
    files = {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "10", "memory.stat": "total_inactive_file 0"}
    path = at if at != "/" else "/not/to/be/seen/here"
    pod = tree(tmp_path, v1(at), f"4:memory:{path}\n", {f"memory/{name}": text for name, text in files.items()})
    assert pod.read() == Memory(10, 1000)


def test_without_control_groups_nothing_is_known(tmp_path: Path) -> None:
    assert PodMemory(tmp_path / "nowhere").read() is None
    assert tree(tmp_path, "", "", {}).read() is None


# ---- what the supervisor makes of it ----


@dataclass
class Table:
    """Stands in for the table of slots."""

    slots: list[Slot]
    told: list[int] = field(default_factory=list)
    retired: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    def busy(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.waiting is None]

    def tell(self, slot: Slot) -> None:
        slot.waiting = None
        self.told.append(slot.index)

    def retire(self, slot: Slot) -> None:
        self.retired.append(slot.index)
        slot.leaving, slot.waiting = True, None


class World:
    """A pod of 100 units; every slot waits for work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slots: int = 3, *, ended: int = 99) -> None:
        cells = Cells.create()
        self.table = Table(
            [Slot(index, f"w.{index}", cells.slot(index), State.UP, pid=index) for index in range(slots)]
        )
        self.percent: int | None = 10
        self.sizes = [0] * slots
        self.changes = 0
        monkeypatch.setattr("headgate_worker.memory_hold.rss_bytes", lambda pid: self.sizes[pid] * MIB)
        self.hold = MemoryHold(cast(Slots, self.table), self._read, lambda: 0, self._changed)
        self.table.slots[0].cell.words[Word.GRANTED] = ended
        self.waits(*range(slots))
        self.hold.policy_changed(MemoryDocument())

    def _read(self) -> Memory | None:
        return None if self.percent is None else Memory(self.percent * MIB, 100 * MIB)

    def _changed(self) -> None:
        self.changes += 1

    def at(self, percent: int | None) -> str:
        """Which slots are held after a look at that much memory: `-` may start or runs, `H` is held."""
        self.percent = percent
        self.hold.look()
        return "".join("H" if slot.cell.words[Word.HOLD] else "-" for slot in self.table)

    def waits(self, *indexes: int, why: str = "empty") -> None:
        for index in indexes:
            self.table.slots[index].waiting = {"t": "idle", "why": why}

    def runs(self, *indexes: int) -> None:
        for index in indexes:
            self.table.slots[index].waiting = None

    def replaced(self) -> None:
        for slot in self.table:
            if slot.leaving:
                slot.leaving = False
                self.waits(slot.index)


@pytest.fixture
def pod(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    return lambda *args, **fields: World(monkeypatch, *args, **fields)


def test_nothing_starts_above_the_one_mark_until_it_is_below_the_other(pod: Callable[..., World]) -> None:
    world = pod()
    world.runs(0, 1, 2)
    assert world.at(84) == "---"
    assert world.at(85) == "HHH", "they go on, and ask for nothing after it"
    assert (world.hold.held, world.changes) == (True, 1)
    assert world.at(76) == "HHH"
    assert world.at(74) == "---"
    assert (world.hold.held, world.changes) == (False, 2)


def test_as_many_start_as_fit_if_each_grows_like_the_largest_did(pod: Callable[..., World]) -> None:
    world = pod(6)
    assert world.at(10) == "------", "jobs that take nothing"
    world.sizes[5] = 30
    world.runs(5)
    assert world.at(40) == "-HHHH-"
    world.sizes[5] = 0
    world.waits(5)
    assert world.at(10) == "-HHHH-", "what was seen is remembered"
    for _ in range(3000):
        world.at(10)
    assert world.at(10) == "------", "for a while"


def test_before_a_job_has_ended_they_start_one_by_one(pod: Callable[..., World]) -> None:
    world = pod(3, ended=0)
    assert world.at(10) == "-HH"
    world.runs(0)
    assert world.at(10) == "--H"
    world.runs(1)
    assert world.at(10) == "---"


def test_a_slot_that_comes_up_waits_its_turn(pod: Callable[..., World]) -> None:
    world = pod(2, ended=0)
    world.table.slots[1].state = State.STARTING
    world.runs(0, 1)
    world.table.slots[0].state = State.STARTING
    assert world.at(10) == "-H"
    assert world.table.told == []


def test_whoever_may_start_is_told_once(pod: Callable[..., World]) -> None:
    """Arrivals wake nobody who is held, so whoever is let go must look for himself; not who waits for the store."""
    world = pod(2)
    world.runs(1)
    world.at(90)
    world.replaced()
    world.at(50)
    assert world.table.told == [0]
    world.waits(0)
    world.at(50)
    assert world.table.told == [0]
    world.waits(0, why="down")
    world.runs(1)
    world.at(90)
    world.at(50)
    assert world.table.told == [0]


def test_slots_that_wait_are_replaced_one_by_one_largest_first_and_once(pod: Callable[..., World]) -> None:
    world = pod()
    world.sizes = [10, 0, 20]
    world.runs(1)
    world.at(90)
    world.at(90)
    assert world.table.retired == [2], "the next one only when it is back"
    for _ in range(3):
        world.replaced()
        world.at(90)
    assert world.table.retired == [2, 0]
    assert world.hold.replaced == 2
    assert world.table.told == [], "slot 1 runs a job"


def test_if_nothing_runs_and_nothing_helps_one_job_at_a_time_may_start(pod: Callable[..., World]) -> None:
    world = pod(2)
    for _ in range(2):
        world.at(90)
        world.replaced()
    assert world.at(90) == "-H"
    assert world.table.told == [0]
    assert world.at(90) == "HH", "it runs; after its job it waits like the others"
    world.waits(0)
    assert world.at(90) == "-H"


@pytest.mark.parametrize("end", ["no limit", "no policy"])
def test_a_hold_ends_with_its_reason(end: str, pod: Callable[..., World]) -> None:
    world = pod()
    world.runs(0, 1, 2)
    assert world.at(90) == "HHH"
    if end == "no limit":
        assert world.at(None) == "---"
    else:
        world.hold.policy_changed(None)
        assert world.at(90) == "---"
    assert not world.hold.held


# ---- a real worker in a real cgroup ----


@pytest.fixture
def group() -> Iterator[Path]:
    """A cgroup (version 1) of its own that may use 600 MiB."""
    if not (HIERARCHY / "memory.limit_in_bytes").exists() or os.geteuid() != 0:
        pytest.skip("needs root and cgroup version 1 to make a group of its own; the e2e suite tests the same in a pod")
    group = HIERARCHY / f"headgate-test-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(600 * MIB))
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: not (group / "cgroup.procs").read_text(), "everything in the group to end")
    group.rmdir()


def metric(bench: Bench, name: str) -> float:
    port = bench.workers[-1].port
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(name)))


def oom_kills(group: Path) -> int:
    lines = (group / "memory.oom_control").read_text().splitlines()
    return int(dict(line.split() for line in lines)["oom_kill"])


def test_jobs_that_would_not_fit_together_wait_and_nobody_is_killed(bench: Bench, group: Path, tmp_path: Path) -> None:
    """Six jobs of 150 MiB at once, six slots, 600 MiB: the fourth that started would have died."""
    bench.publish(per_worker=6, memory={"hold_above_percent": 60, "resume_below_percent": 50})
    gate = tmp_path / "go"
    jobs = [bench.queue.enqueue(T + "fill_until", 150, str(gate)) for _ in range(6)]
    worker = bench.worker(group=str(group))
    worker.wait_log("short of memory: nothing new starts")
    wait_for(lambda: bench.door.inspect().queues[bench.name].blocked_by == "memory", "the store to know")
    assert metric(bench, "headgate_memory_hold") == 1
    assert [job.get_status() for job in jobs].count("started") == 2
    assert metric(bench, 'headgate_pod_memory_bytes{kind="used"}') > 300 * MIB
    gate.touch()
    bench.ended(*jobs, seconds=60)
    worker.wait_log("enough memory again")
    assert oom_kills(group) == 0
    assert bench.door.inspect().queues[bench.name].blocked_by == ""
    assert worker.stop() == 0


def test_what_slots_kept_is_given_back(bench: Bench, group: Path) -> None:
    """Twelve jobs that each leave 60 MiB behind: slots are replaced, and the queue goes on."""
    bench.publish(per_worker=2, memory={"hold_above_percent": 60, "resume_below_percent": 50})
    worker = bench.worker(group=str(group))
    wait_for(lambda: len(bench.slots(worker)) == 2, "slots")
    jobs = [bench.queue.enqueue(T + "allocate", 60, 0.6) for _ in range(12)]
    bench.ended(*jobs, seconds=60)
    assert "a slot that waits is replaced" in worker.text()
    assert oom_kills(group) == 0


def test_without_a_limit_it_says_so_once_and_jobs_run(bench: Bench) -> None:
    if PodMemory().read() is not None:
        pytest.skip("this machine's own group has a limit")
    bench.publish(memory={"hold_above_percent": 50, "resume_below_percent": 40})
    worker = bench.ready()
    job = bench.queue.enqueue(T + "add", 1)
    bench.ended(job)
    assert worker.text().count("workers.memory holds nothing: the pod has no memory limit") == 1
