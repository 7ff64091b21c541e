"""BullMQ on Node: one process, `concurrency` jobs in flight, finished jobs kept (its default, and what RQ does)."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.peers.peer import ROOT, Running

if TYPE_CHECKING:
    from bench.harness.cell import Load
    from bench.harness.ledger import Ledger
    from tests.processes.store import Store

FOLDER = ROOT / "bench" / "bullmq"


def install() -> str:
    """Its packages beside the script, from package.json's exact versions. Empty when ready, else why it cannot run."""
    if shutil.which("node") is None:
        return "node is not installed"
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    if {name: _installed(name) for name in wanted} == wanted:
        return ""
    command = ["npm", "install", "--no-package-lock", "--silent"]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    return (ran.stderr.strip() or "npm install failed") if ran.returncode else ""


def _installed(name: str) -> str:
    manifest = FOLDER / "node_modules" / name / "package.json"
    return str(json.loads(manifest.read_text())["version"]) if manifest.exists() else ""


@dataclass(frozen=True)
class BullMq:
    concurrency: int = 50
    format: str = "bullmq"

    @property
    def name(self) -> str:
        return f"BullMQ conc {self.concurrency}"

    def _command(self, mode: str, store: Store, ledger: Ledger, load: Load) -> list[str]:
        numbers = (load.total, load.warm, self.concurrency)
        return ["node", "bench.mjs", mode, str(store.port), load.kind, *map(str, numbers), str(ledger.path)]

    def fill(self, store: Store, ledger: Ledger, load: Load) -> None:
        subprocess.run(self._command("fill", store, ledger, load), cwd=FOLDER, check=True)

    def start(self, store: Store, ledger: Ledger, load: Load, folder: Path) -> Running:
        command = self._command("work", store, ledger, load)
        command[1] = str(FOLDER / command[1])
        return Running([command], {}, folder)

    def unfinished(self, store: Store, load: Load) -> str:
        with store.client() as client:
            left = {
                "waiting": client.llen("bull:bench:wait"),
                "active": client.llen("bull:bench:active"),
                "failed": client.zcard("bull:bench:failed"),
                "not completed": load.total - client.zcard("bull:bench:completed"),
            }
        return ", ".join(f"{count} {name}" for name, count in left.items() if count)
