"""The file: what is written is what is read, by many processes at once, and a spoilt file is refused."""

import multiprocessing
from pathlib import Path

import pytest

from tests.recorder.history import Event, Kind, Malformed, Writer, clock, of, parse, read


def _write(path: Path, job: str, lines: int) -> None:
    with Writer(path) as writer:
        for number in range(lines):
            writer.add(Kind.ACKED, job=f"{job}-{number}", queue="q")


def test_an_event_survives_the_file(tmp_path: Path) -> None:
    with Writer(tmp_path / "record") as writer:
        written = [
            writer.add(Kind.START, job="a", queue="q", key="tenant"),
            writer.add(Kind.END, job="a", queue="q", note="ok"),
        ]
    assert read(tmp_path / "record") == written


def test_lines_of_many_processes_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "record"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(path, f"w{n}", 2_000)) for n in range(3)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert len({event.job for event in of(read(path), Kind.ACKED)}) == 6_000


def test_events_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    now = clock()
    with Writer(tmp_path / "record") as writer:
        writer.add(Kind.KILLED, pid=2, at=now + 5)
        writer.add(Kind.KILLED, pid=1, at=now)
    assert [event.pid for event in read(tmp_path / "record")] == [1, 2]


@pytest.mark.parametrize(
    "line", ["S 1 2 job queue key", "X 1 2 job queue key -", "S one 2 job queue key -", "S 1 2 a b c d e"]
)
def test_a_line_that_no_writer_wrote_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        parse(line)


def test_a_cut_last_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record").write_bytes(Event(Kind.START, 1, 2, "job").line()[:-1])
    with pytest.raises(Malformed, match="cut"):
        read(tmp_path / "record")


def test_white_space_in_a_field_is_refused() -> None:
    with pytest.raises(Malformed, match="white space"):
        Event(Kind.START, 1, 2, job="two words").line()
