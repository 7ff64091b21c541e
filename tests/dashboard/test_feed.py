"""The feed: what an update costs, who gets which, and what happens when the store or a viewer is slow."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from headgate.errors import StoreUnavailable
from headgate.gates.states import QueueState, StoreState
from headgate.model.documents import QueueDocument
from headgate_api.dashboard import feed as feeding
from headgate_api.dashboard import routes
from headgate_api.dashboard.feed import Feed
from headgate_api.dashboard.frames import GZIP_HEAD, Frame, changes, event
from headgate_api.dashboard.reading import Reader, Reading
from headgate_api.dashboard.snapshot import parts
from tests.dashboard.fleet import Fleet, front, shop, wait_until
from tests.dashboard.served import serving, tokens_file


def reading(number: int, queues: int = 2) -> Reading:
    states = {
        f"q{index}": QueueState(f"q{index}", 1, None, number if index == 0 else 7, 0, 0, (), (), (), "", None)
        for index in range(queues)
    }
    return Reading(StoreState(1_000 + number, "e", number, 0, states, {}, {}))


class Store:
    """Answers with a number that grows; `down` makes it refuse, without `free` it hangs."""

    def __init__(self) -> None:
        self.reads, self.down, self.free = 0, False, asyncio.Event()
        self.free.set()

    async def read(self) -> Reading:
        self.reads += 1
        await self.free.wait()
        if self.down:
            raise StoreUnavailable("redis://secret@store: refused")
        return reading(self.reads)


def said(frame: Frame) -> tuple[str, Any]:
    """`full` or `delta` and its content; a comment or `retry` is ("", None)."""
    lines = dict(line.split(": ", 1) for line in frame.plain.decode().strip().split("\n"))
    return lines.get("event", ""), json.loads(lines["data"]) if "data" in lines else None


async def updates(frames: AsyncGenerator[Frame, None], count: int) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    while len(found) < count:
        kind, content = said(await asyncio.wait_for(anext(frames), 10))
        if kind:
            found.append((kind, content))
    return found


async def test_a_viewer_gets_the_whole_then_what_changed() -> None:
    store = Store()
    feed = Feed(store.read, every=0.02)
    async with aclosing(feed.frames()) as frames:
        found = await updates(frames, 3)
    assert [kind for kind, _ in found] == ["full", "delta", "delta"]
    assert set(found[0][1]["parts"]["queues"]) == {"q0", "q1"}
    assert set(found[1][1]["parts"]["queues"]) == {"q0"}, "q1 did not change"


async def test_a_slow_viewer_gets_the_latest_whole_and_holds_nothing_up() -> None:
    store = Store()
    feed = Feed(store.read, every=0.02)
    async with aclosing(feed.frames()) as slow, aclosing(feed.frames()) as quick:
        await updates(slow, 1)
        seen = await updates(quick, 8)
        kind, content = (await updates(slow, 1))[0]
    assert kind == "full"
    assert content["meta"]["now"] >= seen[-1][1]["meta"]["now"]


async def test_nobody_looks_so_nothing_is_read() -> None:
    store = Store()
    feed = Feed(store.read, every=0.02)
    await asyncio.sleep(0.1)
    assert store.reads == 0
    async with aclosing(feed.frames()) as frames:
        await updates(frames, 2)
    await asyncio.sleep(0.1)
    before = store.reads
    await asyncio.sleep(0.2)
    assert store.reads == before
    async with aclosing(feed.frames()) as frames:
        await updates(frames, 2)
    assert store.reads > before


async def test_one_poller_however_many_look() -> None:
    store = Store()
    feed = Feed(store.read, every=0.05)
    viewers = [feed.frames() for _ in range(50)]
    found = await asyncio.gather(*(updates(frames, 4) for frames in viewers))
    assert len(found) == 50
    assert store.reads <= 8
    for frames in viewers:
        await frames.aclose()
    assert feed.viewers == 0


async def test_an_unreachable_store_leaves_the_last_rows_and_says_since_when() -> None:
    store = Store()
    feed = Feed(store.read, every=0.02, clock=lambda: 5.0)
    async with aclosing(feed.frames()) as frames:
        await updates(frames, 1)
        store.down = True
        down: dict[str, Any] = {}
        while "down_since" not in down:
            down = (await updates(frames, 1))[0][1]["meta"]
        assert down["down_since"] == 5000
        assert "secret" not in json.dumps(down)
        async with aclosing(feed.frames()) as late:
            kind, content = (await updates(late, 1))[0]
            assert (kind, set(content["parts"]["queues"])) == ("full", {"q0", "q1"})
        store.down = False
        assert "down_since" not in (await updates(frames, 1))[0][1]["meta"]


async def test_a_frozen_store_is_called_unreachable_while_the_question_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "PATIENCE_SECONDS", 0.05)
    store = Store()
    feed = Feed(store.read, every=0.02)
    async with aclosing(feed.frames()) as frames:
        await updates(frames, 1)
        store.free.clear()
        while "down_since" not in (await updates(frames, 1))[0][1]["meta"]:
            pass
        asked = store.reads
        await asyncio.sleep(0.2)
        assert store.reads == asked, "one question at a time"
        store.free.set()
        assert "down_since" not in (await updates(frames, 1))[0][1]["meta"]


async def test_a_closed_feed_ends_every_stream() -> None:
    feed = Feed(Store().read, every=0.02)
    async with aclosing(feed.frames()) as frames:
        await updates(frames, 1)
        feed.close()
        async with asyncio.timeout(5):
            async for _ in frames:
                pass


def test_what_changed_makes_the_old_rows_the_new_ones() -> None:
    dice = random.Random(7)
    old: dict[str, dict[str, Any]] = {"queues": {}, "jobs": {}}
    for _ in range(300):
        new = {
            part: {f"n{dice.randrange(9)}": {"x": dice.randrange(3)} for _ in range(dice.randrange(9))} for part in old
        }
        merged = {part: dict(rows) for part, rows in old.items()}
        for part, rows in changes(old, new).items():
            for name, row in rows.items():
                if row is None:
                    del merged[part][name]
                else:
                    merged[part][name] = row
        assert merged == new
        old = new


def test_packed_frames_fit_into_any_stream_from_any_point() -> None:
    frames = [event("delta", str(number), {"text": "same text " * 50, "n": number}) for number in range(6)]
    for first in range(6):
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        text = reader.decompress(GZIP_HEAD)
        for frame in frames[first:]:
            piece = reader.decompress(frame.packed)
            assert piece == frame.plain, "each is readable as soon as it is there"
            text += piece
        assert text == b"".join(frame.plain for frame in frames[first:])


def test_text_cannot_end_a_line_of_the_stream() -> None:
    frame = event("full", "1", {"name": "a\nevent: evil\ndata: x\n\n\u2028\r"})
    assert frame.plain.count(b"\n") == 4
    assert b"\r" not in frame.plain


def test_a_snapshot_names_what_a_viewer_needs(fleet: Fleet) -> None:
    shop(fleet)
    front(fleet)
    found = parts(Reader().read(fleet.door))
    campaigns: Any = found["queues"]["campaigns"]
    assert campaigns["held"]["by"] == "concurrency.total"
    assert campaigns["dead"] == 2
    budget: Any = found["budgets"]["shop/mail-provider"]
    assert (budget["holders"], budget["gates"][0]["reserved"]) == ({"campaigns": 5, "follow-ups": 2}, 2)
    task: Any = found["tasks"]["shop/scheduled-emails"]
    assert (task["skipped"], task["running"], task["outcome"]) == (2, "run-9", "ok")
    rules: Any = found["surfaces"]["taskforce-api"]["rules"]  # type: ignore[call-overload]
    assert (rules[0]["denied"], rules[0]["near"], rules[0]["identities"]) == (32, 20, 1)
    assert "aaaaaaaa" not in json.dumps(found), "no identity leaves the store"
    assert "1850" not in json.dumps(found["jobs"])


def test_functions_come_without_arguments(store_url: str) -> None:
    fleet = Fleet(store_url)
    fleet.declare(QueueDocument(queue="q"))
    fleet.enqueue("q", 1, "mail.send", ("ada@example.com",))
    fleet.enqueue("q", 1, "mail.send", ("ada@example.com",), description="a letter to ada@example.com")
    fleet.start(fleet.pod("q", "q-worker-1-a1b2c3", 2))
    found = parts(Reader().read(fleet.door))
    assert sorted(job[2] for job in found["jobs"].values()) == ["", "mail.send"]  # type: ignore[call-overload]
    assert "example.com" not in json.dumps(found)
    fleet.close()


async def test_a_stream_ends_when_its_token_does(
    fleet: Fleet, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "RECHECK_SECONDS", 0.0)
    with serving(valkey_url, tmp_path) as address:
        headers = {"Authorization": "Bearer lookout"}
        async with httpx.AsyncClient(timeout=10) as client:
            assert (await client.get(f"{address}/events")).status_code == 401
            async with client.stream("GET", f"{address}/events", headers=headers) as got:
                lines = got.aiter_lines()
                await anext(lines)
                tokens_file(tmp_path, {"ada": "operate"})
                async with asyncio.timeout(10):
                    async for _ in lines:
                        pass


def test_the_server_stops_although_pages_are_open(fleet: Fleet, valkey_url: str, tmp_path: Path) -> None:
    started = threading.Event()
    with serving(valkey_url, tmp_path) as address:

        def watch() -> None:
            with httpx.stream("GET", f"{address}/events", headers={"Authorization": "Bearer ada"}, timeout=30) as got:
                for _ in got.iter_lines():
                    started.set()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        wait_until(started.is_set)
    thread.join(10)
    assert not thread.is_alive()
