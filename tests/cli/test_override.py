"""`headgate override` on a real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from typer.testing import CliRunner, Result

from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate.gates.verbs import Claim, Enqueue, Grant, Held, Owner
from headgate.model.documents import QueueDocument
from headgate_cli.main import app

pytestmark = pytest.mark.store
WHY = ("--reason", "provider is down")


@pytest.fixture
def door(valkey_url: str) -> Iterator[Door]:
    with closing(Door(valkey_url)) as opened:
        opened.publish(QueueDocument(queue="emails", total=2), Owner("shop/emails", "uid-1", 1))
        yield opened


@pytest.fixture
def headgate(valkey_url: str) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(app, ["override", *words, "--store", valkey_url])


def test_it_holds_a_queue_and_lets_it_go(door: Door, headgate: Callable[..., Result], valkey_url: str) -> None:
    done = headgate("emails", "--stop", "Hold", "--for", "15m", *WHY)
    assert (done.exit_code, done.output) == (0, "emails: overridden for 15 min\n")
    door.enqueue(Enqueue("emails", "job", {"origin": b"emails", "data": b"x"}))
    assert door.claim(Claim("emails", "a", "pod", "n1", "e1")) == Held()
    seen = door.inspect().queues["emails"].override
    assert seen is not None
    assert (seen.document.reason, seen.document.expire_ms - seen.since) == ("provider is down", 900_000)
    said = CliRunner().invoke(app, ["explain", "emails", "--store", valkey_url]).output
    assert "overridden for another 15 min by" in said
    assert "provider is down" in said
    assert headgate("emails", "--clear").output == "emails: override ended\n"
    assert headgate("emails", "--clear").output == "emails: there was no override\n"
    assert isinstance(door.claim(Claim("emails", "a", "pod", "n2", "e2")), Grant)


def test_total_and_rate(door: Door, headgate: Callable[..., Result]) -> None:
    assert headgate("emails", "--total", "7", "--rate", "20/60s", "--for", "2h", *WHY).exit_code == 0
    gates = {gate.name: (gate.limit, gate.period_ms) for gate in door.inspect().queues["emails"].gates}
    assert gates["concurrency.total"] == (7, 0)
    assert gates["rate.total"] == (20, 60_000)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to override"),
        (("--total", "1"), "--reason is needed"),
        (("--stop", "Maybe", *WHY), "--stop Maybe: one of None, Hold, HoldAndDrain"),
        (("--total", "1", "--for", "8d", *WHY), "--for 8d"),
        (("--total", "1", "--for", "soon", *WHY), "--for soon"),
        (("--rate", "20", *WHY), "--rate 20: starts and seconds"),
    ],
)
def test_what_is_wrong_is_named(door: Door, headgate: Callable[..., Result], words: tuple[str, ...], said: str) -> None:
    done = headgate("emails", *words)
    assert isinstance(done.exception, InvalidInput)
    assert said in str(done.exception)


def test_a_queue_that_nobody_declares(headgate: Callable[..., Result]) -> None:
    assert "no policy declares queue none" in str(headgate("none", "--total", "1", *WHY).exception)
