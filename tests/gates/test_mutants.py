"""Each guard of the scripts, taken out by hand, must make the conformance suite fail: else nobody tests it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from headgate.gates import scripts

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "tests" / "gates" / "conformance"
LUA = Path(str(scripts._LUA))
RUN = (
    "import sys, pathlib, pytest; from headgate.gates import scripts; scripts._LUA = pathlib.Path(sys.argv[1]);"
    "sys.exit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', *sys.argv[2:]]))"
)
"""The suite in a process of its own, whose scripts are those of another folder."""


@dataclass(frozen=True)
class Mutant:
    """In lua/`file`, `old` (it stands there once) becomes `new`. `killer`: the file of the suite that must notice."""

    name: str
    file: str
    old: str
    new: str
    killer: str


MUTANTS = (
    Mutant(
        "finish without a lease", "lib/finish.lua", "call('ZREM', Q .. 'held', old) == 0", "false", "test_leases.py"
    ),
    Mutant("reap what lives", "lib/reap.lua", "'-inf', now, 'LIMIT'", "'-inf', '+inf', 'LIMIT'", "test_leases.py"),
    Mutant(
        "budget with one more place",
        "lib/budget.lua",
        "free = places - reserved",
        "free = places + 1 - reserved",
        "test_budgets.py",
    ),
    Mutant(
        "no reserve for requests",
        "lib/budget.lua",
        "free = places - reserved - used",
        "free = places - used",
        "test_budgets.py",
    ),
    Mutant(
        "budget's places are not taken",
        "lib/take_budgets.lua",
        "if b.weight == 1 then",
        "if b.weight == 0 then",
        "test_budgets.py",
    ),
    Mutant(
        "budget's places are not given back",
        "lib/places.lua",
        "call('ZREM', H .. 'b:' .. name .. ':held', 'e:' .. execution_id)",
        "",
        "test_budgets.py",
    ),
    Mutant(
        "budget's starts are not counted",
        "lib/take_budgets.lua",
        "if b.limit > 0 then",
        "if b.limit < 0 then",
        "test_budgets.py",
    ),
    Mutant(
        "rate off by one",
        "lib/rate.lua",
        "call('LINDEX', key, limit - n)",
        "call('LINDEX', key, limit - n + 1)",
        "test_rates.py",
    ),
    Mutant(
        "a lapsed lease goes on without room",
        "lib/beats.lua",
        "and not has_room(places)",
        "and false",
        "test_leases.py",
    ),
    Mutant("losses are not counted", "lib/lose.lua", "(marked and 0 or 1)", "0", "test_leases.py"),
    Mutant(
        "a repeated claim is a new one", "lib/answered.lua", "stored[1] == nonce", "stored[1] == ''", "test_repeats.py"
    ),
    Mutant("data loss is not noticed", "lib/start.lua", "epoch ~= ARGV[2] or seq <", "false and seq <", "test_loss.py"),
)


def suite(lua: Path, killer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, str(lua), str(SUITE / killer), "-k", "valkey"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutation_fits_the_scripts(mutant: Mutant) -> None:
    assert (LUA / mutant.file).read_text().count(mutant.old) == 1
    assert (SUITE / mutant.killer).exists()


@pytest.mark.store
@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_suite_notices(mutant: Mutant, tmp_path: Path) -> None:
    lua = tmp_path / "lua"
    shutil.copytree(LUA, lua)
    path = lua / mutant.file
    path.write_text(path.read_text().replace(mutant.old, mutant.new))
    ran = suite(lua, mutant.killer)
    assert ran.returncode == 1, f"nothing noticed: {ran.stdout[-2000:]} {ran.stderr[-1000:]}"
    assert re.search(r"^FAILED .*\[valkey", ran.stdout, re.MULTILINE), ran.stdout[-2000:]


@pytest.mark.store
@pytest.mark.slow
@pytest.mark.parametrize("killer", sorted({mutant.killer for mutant in MUTANTS}))
def test_without_a_mutation_the_same_run_is_green(killer: str, tmp_path: Path) -> None:
    """The scripts of another folder are in use and right: it is the mutation that is noticed."""
    shutil.copytree(LUA, tmp_path / "lua")
    ran = suite(tmp_path / "lua", killer)
    assert ran.returncode == 0, ran.stdout[-2000:]
