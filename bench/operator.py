"""The operator on a real API server: `python -m bench.operator`. A patch in force, a cold start, a failover.

The control plane is the tests' (etcd, kube-apiserver, kube-controller-manager, built from pinned modules; no nodes, so
policies ask for no replicas). In force means: the store holds the new number, where the next start reads it. Processor
seconds are printed beside the time from cold: all programs share this machine's cores, with whatever else runs there.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.harness import report
from bench.peers.peer import ROOT
from headgate.control.ports import KINDS
from headgate.gates.door import Door
from headgate_operator.cluster import path_of
from tests.cluster import binaries
from tests.cluster.control_plane import ControlPlane
from tests.cluster.operator_fixtures import LEASE, install
from tests.cluster.operator_process import ACCOUNT, NAMESPACE, OperatorProcess
from tests.processes import tree
from tests.processes.store import Store

WHERE = "bench"
PATCH_GOALS_S = {100: 1.0, 1_000: 0.25}
"""By the number of policies."""
COLD_GOALS = {1_000: (60.0, 120.0), 5_000: (120.0, 150.0)}
"""By the number of policies: seconds until all are Ready, MB of the operator."""
FAILOVER_GOAL_S = 15.0
POLICY = next(kind for kind in KINDS if kind.kind == "QueuePolicy")


class Stage:
    """A cluster with Headgate installed, a store, and policies that are made and counted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "store").__enter__()
        place = folder / "cluster"
        place.mkdir()
        self.cluster = ControlPlane(binaries.folder(), place).__enter__()
        install(self.cluster)
        self.cluster.create_namespace(WHERE)
        self.operators = 0

    def close(self) -> None:
        self.cluster.stop()
        self.store.kill()

    def operator(self) -> OperatorProcess:
        self.operators += 1
        account = self.cluster.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
        return OperatorProcess(f"bench-{self.operators}", self.folder, account, self.store.url).start()

    def create(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            spec = {"concurrency": {"total": 10, "perWorker": 3}, "workers": {"replicas": 0}}
            body = {
                "apiVersion": "headgate.dev/v1alpha1",
                "kind": POLICY.kind,
                "metadata": {"name": f"q{number}"},
                "spec": spec,
            }
            self.cluster.request("POST", path_of(POLICY, WHERE), body)

    def ready(self) -> int:
        items = self.cluster.request("GET", f"{path_of(POLICY, WHERE)}?resourceVersion=0")["items"]
        return sum(_is_ready(item) for item in items)

    def processor_seconds(self) -> float:
        """Of the control plane, which here shares the cores with the operator."""
        servers = (self.cluster.etcd, self.cluster.apiserver, self.cluster.controller_manager)
        return tree.cpu_seconds(server.pid for server in servers if server.pid)

    def free_the_lease(self) -> None:
        self.cluster.request("DELETE", LEASE)

    def patch(self, number: int, total: int) -> None:
        body = {"spec": {"concurrency": {"total": total}}}
        path = path_of(POLICY, WHERE, f"q{number}")
        self.cluster.request("PATCH", path, body, content_type="application/merge-patch+json")


def _is_ready(item: dict[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and condition["observedGeneration"] == item["metadata"]["generation"]
        for condition in item.get("status", {}).get("conditions", ())
    )


def seen_ready(operator: OperatorProcess) -> int:
    """What the operator itself counts: the API server is asked only once this is all, since a list of all costs it."""
    lines = operator.get("/metrics")[1].splitlines()
    return sum('type="Ready"' in line and 'status="True"' in line for line in lines)


def wait(true: Callable[[], bool], seconds: float, what: str, every: float) -> float:
    """Seconds until it was true."""
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return time.perf_counter() - began


def patches(stage: Stage, policies: int, count: int) -> list[float]:
    """Seconds from sending a patch to the store holding it, one after the other."""
    dice, taken = random.Random(1), []
    with closing(Door(stage.store.url)) as door:
        for number in range(count):
            chosen, total = dice.randrange(policies), 100 + number
            began = time.perf_counter()
            stage.patch(chosen, total)
            wait(lambda: _total(door, chosen) == total, 30, f"patch {number} is in force", 0.001)  # noqa: B023
            taken.append(time.perf_counter() - began)
    return taken


def _total(door: Door, number: int) -> int | None:
    found = door.read_document(f"q{number}")
    return found[1].total if found else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.operator", description=__doc__.splitlines()[0])
    parser.add_argument("--policies", type=int, default=100, help="while patches are measured")
    parser.add_argument("--patches", type=int, default=200)
    parser.add_argument("--cold", type=int, default=1_000, help="policies a starting operator finds; 0: skip")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headgate-operator-") as folder:
        stage = Stage(Path(folder))
        try:
            figures = measure(stage, options)
        finally:
            stage.close()
    print(report.table(["figure", "value"], [[name, f"{value:,.3f}"] for name, value in figures.items()]))
    if options.policies in PATCH_GOALS_S:
        goal = PATCH_GOALS_S[options.policies]
        print(report.verdict("patch in force, p99 s", figures["patch in force p99, s"], goal, at_most=True))
    print(report.verdict("failover, s", figures["failover, s"], FAILOVER_GOAL_S, at_most=True))
    if options.cold in COLD_GOALS:
        seconds, megabytes = COLD_GOALS[options.cold]
        print(report.verdict("all Ready from cold, s", figures["all Ready from cold, s"], seconds, at_most=True))
        memory = max(figures["operator rss, MB"], figures["operator rss then, MB"])
        print(report.verdict("operator, MB", memory, megabytes, at_most=True))
    content = {"figures": figures, "options": vars(options), "conditions": report.conditions(stage.store.allocator)}
    path = report.save("operator", content)
    print(f"written: {path.relative_to(ROOT)}")


def measure(stage: Stage, options: argparse.Namespace) -> dict[str, float]:
    stage.create(0, options.policies)
    operator = stage.operator()
    try:
        wait(lambda: stage.ready() == options.policies, 120, "the first policies are Ready", 0.5)
        taken = patches(stage, options.policies, options.patches)
    finally:
        operator.kill()
    figures = {
        "policies while patching": float(options.policies),
        "patch in force p50, s": statistics.median(taken),
        "patch in force p99, s": statistics.quantiles(taken, n=100, method="inclusive")[98],
    }
    figures["failover, s"] = failover(stage)
    return {**figures, **(cold(stage, options) if options.cold else {})}


def failover(stage: Stage) -> float:
    """Seconds from the leader's death (SIGKILL: it gives nothing back) to a patch sent then being in force."""
    stage.free_the_lease()
    leader = stage.operator()
    wait(lambda: leader.settled, 300, "the leader is at rest", 0.5)
    standby = stage.operator()
    try:
        wait(lambda: standby.get("/healthz")[0] == 200, 60, "the standby is up", 0.2)
        leader.kill()
        began = time.perf_counter()
        stage.patch(0, 99)
        with closing(Door(stage.store.url)) as door:
            wait(lambda: _total(door, 0) == 99, 120, "the patch after the failover", 0.01)
        return time.perf_counter() - began
    finally:
        leader.kill()
        standby.kill()


def cold(stage: Stage, options: argparse.Namespace) -> dict[str, float]:
    """A starting operator finds `cold` policies, of which it has never seen all but the first; then another one."""
    stage.create(options.policies, options.cold - options.policies)
    stage.free_the_lease()
    load, spent = os.getloadavg()[0], stage.processor_seconds()
    operator = stage.operator()

    def everything() -> bool:
        return seen_ready(operator) == options.cold and stage.ready() == options.cold

    try:
        seconds = wait(everything, 900, "all policies are Ready", 5.0)
        assert operator.pid is not None
        own, others = tree.cpu_seconds([operator.pid]), stage.processor_seconds() - spent
        rss = at_rest(operator)
    finally:
        operator.kill()
    return {
        "policies from cold": float(options.cold),
        "all Ready from cold, s": seconds,
        "of it operator, processor s": own,
        "of it control plane, processor s": others,
        "load average before": load,
        "operator rss, MB": rss / 1e6,
        **again(stage),
    }


def again(stage: Stage) -> dict[str, float]:
    """An operator that finds everything as it should be: what it lists is at its largest now."""
    stage.free_the_lease()
    operator, began = stage.operator(), time.perf_counter()
    try:
        rss = at_rest(operator)
        return {"at rest after a restart, s": time.perf_counter() - began, "operator rss then, MB": rss / 1e6}
    finally:
        operator.kill()


def at_rest(operator: OperatorProcess) -> int:
    """Bytes of its memory once it leads and has nothing left to do."""
    wait(lambda: operator.settled, 300, "the operator is at rest", 2.0)
    assert operator.pid is not None
    return tree.memory(operator.pid)["rss"]


if __name__ == "__main__":
    main()
