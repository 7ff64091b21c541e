"""All interleavings of small programs keep the invariants, and the search finds a guard that was taken out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from headgate.gates.model import finishing, keeping, losing
from headgate.gates.model.leases import Leases
from tests.gates.search import Broken, Program, Search

PROGRAMS = [
    Program(total=1, jobs=1, ticks=2, kills=1),
    Program(total=1, jobs=2, ticks=1, kills=1),
    Program(total=2, jobs=2, ticks=1, kills=0),
    pytest.param(Program(total=1, jobs=2, ticks=2, kills=0), marks=pytest.mark.slow),
    pytest.param(Program(total=2, jobs=2, ticks=2, kills=0), marks=pytest.mark.slow),
    pytest.param(Program(total=1, jobs=3, ticks=1, kills=1), marks=pytest.mark.slow),
    pytest.param(Program(total=2, jobs=3, ticks=1, kills=0), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_no_interleaving_breaks_a_promise(program: Program) -> None:
    search = Search(program)
    assert search.run() > 250, "the program hardly does anything"
    assert search.settled >= 5


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(finishing, "_unfenced", lambda *_: None)


def one_too_many(patch: pytest.MonkeyPatch) -> None:
    live = Leases.live
    patch.setattr(Leases, "live", lambda self, now: max(0, live(self, now) - 1))


def reaps_what_lives(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leases, "lapsed", lambda self, _now: sorted(self.ends))


def keeps_its_place(patch: pytest.MonkeyPatch) -> None:
    drop = Leases.drop
    patch.setattr(Leases, "drop", lambda self, holder: holder in self or drop(self, holder))


def revives_the_reaped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(keeping, "_has_room", lambda *_: True)


def forgets_the_job(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(losing, "fate_of", lambda *_: None)


@pytest.mark.parametrize(
    "mutate", [no_fence, one_too_many, reaps_what_lives, keeps_its_place, revives_the_reaped, forgets_the_job]
)
def test_a_guard_that_is_missing_is_found(
    monkeypatch: pytest.MonkeyPatch, mutate: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutate(monkeypatch)
    with pytest.raises(Broken):
        Search(Program(total=1, jobs=2, ticks=2, kills=0)).run()
