"""The shared memory: what a slot writes is what the supervisor reads, also from another process, also half written."""

import os
import signal

import pytest

from headgate_worker.cells import BLOB_BYTES, Cells, Phase, Word, pack


@pytest.mark.parametrize(
    "places",
    [
        (),
        ("b1:team/mail",),
        ("b2:team/mail", "kacme"),
        ("kwith\0nul", "b1:x/y"),
        ("k\udcff\x1f\n",),
        ("k" + "ä" * 200,),
    ],
)
def test_a_record_comes_back_whole(places: tuple[str, ...]) -> None:
    cell = Cells.create().slot(3)
    blob = pack("job-1", "e" * 32, 2**53, places)
    assert blob is not None
    cell.hold(blob, 10, 20, 30)
    cell.name(b"app.tasks.send")
    held = cell.read()
    assert held is not None
    assert (held.job_id, held.execution, held.fence, held.places) == ("job-1", "e" * 32, 2**53, places)
    assert (held.started_ns, held.soft_ns, held.hard_ns) == (10, 20, 30)
    assert (held.phase, held.function) == (Phase.RUNNING, "app.tasks.send")


def test_what_does_not_fit_is_not_written() -> None:
    assert pack("j" * BLOB_BYTES, "e", 1, ()) is None


def test_an_empty_cell_holds_nothing() -> None:
    cell = Cells.create().slot(0)
    assert cell.phase is Phase.ABSENT
    assert cell.read() is None
    cell.hold(pack("job", "e", 1, ()) or b"", 1, 2, 3)
    cell.clear(Phase.IDLE)
    assert cell.phase is Phase.IDLE
    assert cell.read() is None


def test_a_slot_that_died_while_writing_holds_nothing() -> None:
    cell = Cells.create().slot(0)
    cell.hold(pack("job", "e", 1, ()) or b"", 1, 2, 3)
    cell.words[Word.SEQ] |= 1
    assert cell.read() is None
    cell.hold(pack("next", "f", 2, ()) or b"", 1, 2, 3)
    held = cell.read()
    assert held is not None
    assert held.job_id == "next"


def test_garbage_from_a_job_that_wrote_over_memory_is_nothing() -> None:
    cell = Cells.create().slot(0)
    cell.hold(os.urandom(200), 1, 2, 3)
    cell.read()  # whatever it is, it does not raise
    cell.words[Word.PHASE] = 2**60
    cell.words[Word.BLOB_BYTES] = 2**60
    assert cell.phase is Phase.ABSENT
    cell.read()


def test_another_process_sees_it_and_its_death_changes_nothing() -> None:
    cells = Cells.create()
    pid = os.fork()
    if pid == 0:
        mine = Cells(cells.fd).slot(7)
        mine.hold(pack("job", "e", 5, ("kacme",)) or b"", 1, 2, 3)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    held = cells.slot(7).read()
    assert held is not None
    assert held.fence == 5
    assert cells.slot(6).read() is None


def test_a_new_process_in_the_cell_keeps_the_counters() -> None:
    cell = Cells.create().slot(0)
    cell.words[Word.PLAIN] += 41
    cell.words[Word.QUIT] = 1
    cell.erase()
    assert cell.words[Word.PLAIN] == 41
    assert cell.words[Word.QUIT] == 0
