"""The scripts as texts, and how many store commands each verb costs."""

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import pytest
import redis

from headgate.gates.scripts import VERBS, assemble, scripts
from headgate.gates.verbs import Grant, Returned
from headgate.model.documents import BudgetShare, RateDocument
from tests.gates.moving_clock import CLOCK, moving_verbs
from tests.gates.play import Play

LUA = files("headgate.gates") / "lua"
FLAGS = {
    "claim": "#!lua",
    "finish_claim": "#!lua",
    "enqueue": "#!lua",
    "publish": "#!lua",
    "finish": "#!lua flags=allow-oom",
    "seal": "#!lua flags=allow-oom",
    "release": "#!lua flags=allow-oom",
    "renew": "#!lua flags=allow-oom",
    "reap": "#!lua flags=allow-oom",
    "unpublish": "#!lua flags=allow-oom",
    "read_declared": "#!lua flags=allow-oom",
    "override": "#!lua flags=allow-oom",
    "inspect": "#!lua flags=no-writes",
    "admit": "#!lua",
    "settle": "#!lua flags=allow-oom",
    "renew_requests": "#!lua flags=allow-oom",
    "inspect_http": "#!lua flags=allow-oom",
    "record_sample": "#!lua",
    "begin_run": "#!lua",
    "renew_run": "#!lua flags=allow-oom",
    "end_run": "#!lua flags=allow-oom",
    "skip_ticks": "#!lua flags=allow-oom",
    "inspect_tasks": "#!lua flags=no-writes",
    "read_samples": "#!lua flags=no-writes",
}
"""What may run above maxmemory, and what must be refused there before its first write."""


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_flags_and_is_whole(verb: str) -> None:
    text = assemble(verb)
    assert text.splitlines()[0] == FLAGS[verb]
    assert "include:" not in text
    assert text.count("call('TIME')") == 1, "one source of time"
    assert "ARGV[1]" in text


@pytest.mark.parametrize("verb", VERBS)
def test_the_moving_clock_changes_nothing_but_the_clock(verb: str) -> None:
    shipped = (LUA / "lib" / "clock.lua").read_text()
    shipped = "".join(line for line in shipped.splitlines(keepends=True) if not line.startswith("--"))
    assert moving_verbs()[verb].text == scripts()[verb].text.replace(shipped, CLOCK)


@pytest.mark.parametrize("name", sorted(item.name for item in LUA.iterdir() if item.name.endswith(".lua")))
def test_each_verb_opens_with_its_keys_and_arguments(name: str) -> None:
    text = (LUA / name).read_text()
    used = {int(number) for number in re.findall(r"ARGV\[(\d+)\]", text) if int(number) > 3}
    said = text.partition("-- include:")[0]
    described: set[int] = set()
    for first, last in re.findall(r"ARGV\[(\d+)(?:-(\d+))?(?:\.\.)?\]", said):
        described |= set(range(int(first), int(last or first) + 1))
    assert used <= described, f"{sorted(used - described)} not described"
    assert "KEYS[1]" in said
    assert "Answers" in said
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("name", sorted(item.name for item in (LUA / "lib").iterdir()))
def test_each_part_says_what_it_needs_and_sets(name: str) -> None:
    lines = (LUA / "lib" / name).read_text().splitlines()
    assert lines[0].startswith("-- ")
    assert len(lines) <= 90


def calls_of(play: Play, verb: str, act: object) -> tuple[object, int]:
    """What `act()` answered, and how many commands its one script ran."""
    play.client.config_resetstat()
    answer = act()  # type: ignore[operator]
    stats = play.client.info("commandstats")
    others = ("evalsha", "info", "config|resetstat", "script|load", "hello", "client|setinfo")
    return answer, sum(value["calls"] for name, value in stats.items() if name.removeprefix("cmdstat_") not in others)


def test_commands_per_verb_with_every_gate_on(valkey_url: str) -> None:
    """Every redis.call costs about as much as the command itself: a new one on the hot path is a decision."""
    play = Play(valkey_url)
    play.door._scripts = scripts()
    rate = RateDocument(limit=12, period_ms=1)
    play.budget("ns/b", total=9, rate=rate)
    play.policy(total=9, rate_total=rate, rate_per_worker=rate, budgets=(BudgetShare(name="ns/b"),))
    play.beat("a")
    play.enqueue(40)
    for _ in range(7):  # rings filled, answers stored, scripts loaded
        play.claim("a.0"), play.cycle("a.0"), play.finish("a.0", Returned())
    counts = {}
    answer, counts["claim"] = calls_of(play, "claim", lambda: play.claim("a.0"))
    assert isinstance(answer, Grant)
    (_, answer), counts["finish_claim"] = calls_of(play, "finish_claim", lambda: play.cycle("a.0"))  # type: ignore[misc]
    assert isinstance(answer, Grant)
    holding = play.holding("a.0")
    _, counts["renew, one of three slots busy"] = calls_of(play, "renew", lambda: play.beat("a"))
    play.door.seal(holding)
    _, counts["seal"] = calls_of(play, "seal", lambda: play.door.seal(holding))
    _, counts["finish"] = calls_of(play, "finish", lambda: play.finish("a.0"))
    play.claim("a.0")
    play.door.release(play.holding("a.0"))
    play.claim("a.1")
    _, counts["release"] = calls_of(play, "release", lambda: play.door.release(play.holding("a.1")))
    assert counts == {
        "claim": 32,
        "finish_claim": 36,
        "renew, one of three slots busy": 33,
        "seal": 7,
        "finish": 19,
        "release": 9,
    }
    play.close()


def test_the_scripts_calendar_is_the_worlds(store_url: str) -> None:
    """RQ's ISO form of seconds around every edge of the calendar that a worker will see."""
    part = (LUA / "lib" / "iso.lua").read_text()
    text = "local sec, micros, time = tonumber(ARGV[1]), '000042', { ARGV[1] }\n" + part + "\nreturn { iso, stamp }"
    edges = [datetime(year, month, 1, tzinfo=UTC) for year in (2000, 2026, 2028, 2100, 2400) for month in range(1, 13)]
    with redis.Redis.from_url(store_url) as client:
        run = client.register_script(text)
        for edge in edges:
            for seconds in (-86_400, -1, 0, 59, 3_599, 43_201, 28 * 86_400, 30 * 86_400):
                at = edge + timedelta(seconds=seconds)
                epoch = int(at.timestamp())
                iso, stamp = run(args=[epoch])
                assert iso.decode() == at.strftime("%Y-%m-%dT%H:%M:%S.000042Z")
                assert stamp.decode() == f"{epoch}.000042"
