"""How requests end: in time or not, whole or cut, refused for their size; and what they held is free afterwards."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from headgate_api.gate import GateMiddleware
from headgate_api.gate.metrics import COUNTS
from tests.api.gate import backend
from tests.api.gate.asgi import Socket, call
from tests.api.gate.conftest import SETTLED_SECONDS, Publisher, policy, rule, until

ONE = rule("one", in_flight=1, key="Global")


async def free_again(app: Any) -> None:
    """The only place can be had: it was given back, not lapsed."""

    async def had() -> bool:
        return (await call(app, path="/items/1")).status == 200

    deadline = asyncio.get_running_loop().time() + 3
    while not await had():
        assert asyncio.get_running_loop().time() < deadline, "the place is still held"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("path", ["/slow/20", "/thread/1.6"])
async def test_a_deadline_answers_504_before_the_response_began(gate: Any, publish: Publisher, path: str) -> None:
    publish(policy(ONE, request_timeout_seconds=1))
    app = await gate()
    ended = backend.app.state.ended
    answer = await call(app, path=path)
    assert answer.status == 504
    assert json.loads(answer.body)["status"] == 504
    assert COUNTS.timeouts[("api",)].value == 1
    if path.startswith("/slow"):
        assert backend.app.state.ended == ended + 1, "the endpoint was not ended"
    await free_again(app)
    if path.startswith("/thread"):
        await asyncio.sleep(0.8)  # the thread itself cannot be ended


async def test_an_endpoint_that_swallows_its_cancellation(gate: Any, publish: Publisher) -> None:
    """What it still answers is answered; the deadline's cancellation harms nobody after it."""
    publish(policy(ONE, request_timeout_seconds=1))
    app = await gate()
    answer = await call(app, path="/stubborn/20")
    assert (answer.status, answer.body) == (200, b"late but there")
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
    await free_again(app)


async def test_a_response_that_began_is_cut(gate: Any, publish: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    publish(policy(ONE, request_timeout_seconds=1))
    app = await gate()
    answer = await call(app, path="/drip/0.1/1000")
    assert (answer.status, answer.whole) == (200, False)
    assert any("Response cut after 1 seconds" in record.getMessage() for record in caplog.records)
    await free_again(app)


async def test_events_may_stay_open(gate: Any, publish: Publisher) -> None:
    publish(policy(ONE, request_timeout_seconds=1))
    app = await gate()
    answer = await call(app, path="/events/0.1/18")
    assert (answer.status, answer.whole, answer.body.count(b"data:")) == (200, True, 18)
    await free_again(app)


async def test_a_client_that_goes_away_frees_its_place(gate: Any, publish: Publisher) -> None:
    publish(policy(ONE))
    app = await gate()
    gone = asyncio.Event()
    task = asyncio.create_task(call(app, path="/events/0.05/100000", disconnect=gone))
    await asyncio.sleep(0.2)
    assert (await call(app, path="/items/1")).status == 503
    gone.set()
    await task
    await free_again(app)


async def test_a_cancelled_request_stays_cancelled_and_frees_its_place(gate: Any, publish: Publisher) -> None:
    """As a server does at its own end."""
    publish(policy(ONE))
    app = await gate()
    task = asyncio.create_task(call(app, path="/slow/20"))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await free_again(app)


async def test_an_exception_passes_and_frees_its_place(gate: Any, publish: Publisher) -> None:
    publish(policy(ONE, rule("failures", 2, count="Failures", path="/boom")))
    app = await gate()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="boom"):
            await call(app, path="/boom")
        await asyncio.sleep(SETTLED_SECONDS)
    assert (await call(app, path="/boom")).status == 429, "an exception is a failure"
    await free_again(app)


async def test_a_handler_s_own_timeout_is_left_alone(gate: Any, publish: Publisher) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        try:
            async with asyncio.timeout(0.05):
                await asyncio.sleep(5)
        except TimeoutError:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"own"})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (inner if scope["type"] == "http" else backend.app)(scope, receive, send)

    publish(policy(rule("general", 9)))
    assert (await call(await gate(app))).body == b"own"


# ---- bodies ----


@pytest.mark.parametrize("path", ["/upload", "/parsed"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("content-length", "2000")], id="declared"),
        pytest.param([("transfer-encoding", "chunked")], id="chunked"),
        pytest.param([("content-length", "10"), ("transfer-encoding", "chunked")], id="a lie"),
        pytest.param([("content-length", "5"), ("content-length", "5")], id="doubled"),
        pytest.param([("content-length", "9" * 5000)], id="absurd"),
    ],
)
async def test_bodies_above_the_limit(gate: Any, publish: Publisher, path: str, headers: list[tuple[str, str]]) -> None:
    publish(policy(ONE, max_body_bytes=1000))
    app = await gate()
    body = [b'{"a":"' + b"x" * 500, b"x" * 500, b"x" * 500, b'"}']
    json_type = [("content-type", "application/json")]
    answer = await call(app, "POST", path, headers=[*headers, *json_type], body=body)
    assert answer.status == 413
    assert answer.header("connection") == "close"
    assert json.loads(answer.body)["detail"] == "A body may have at most 1000 bytes."
    await free_again(app)


async def test_bodies_within_the_limit(gate: Any, publish: Publisher) -> None:
    publish(policy(ONE, max_body_bytes=1000))
    app = await gate()
    chunked = [("transfer-encoding", "chunked")]
    answer = await call(app, "POST", "/upload", headers=chunked, body=[b"x" * 500, b"x" * 500])
    assert json.loads(answer.body) == {"bytes": 1000}


async def test_http_2_bodies_need_no_announcement(gate: Any, publish: Publisher) -> None:
    publish(policy(ONE, max_body_bytes=1000))
    app = await gate()
    answer = await call(app, "POST", "/upload", body=[b"x" * 600, b"x" * 600], http_version="2")
    assert answer.status == 413


# ---- websockets ----


async def test_websockets_are_counted_and_hold_their_place(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("handshakes", 4), rule("open", in_flight=1, path="/ws", key="Global")))
    app = await gate()
    one = Socket(app)
    accepted = await one.next()
    assert accepted["type"] == "websocket.accept"
    assert dict(accepted["headers"])[b"ratelimit"].startswith(b'"handshakes";r=3;t=')
    one.say("hello")
    assert (await one.next())["text"] == "hello"
    refused = await Socket(app).next()
    assert (refused["type"], refused["status"]) == ("websocket.http.response.start", 503)
    assert dict(refused["headers"])[b"content-type"] == b"application/problem+json"
    await one.leave()
    await asyncio.sleep(SETTLED_SECONDS)
    two = Socket(app)
    assert (await two.next())["type"] == "websocket.accept", "the place came back with the socket's end"
    await two.leave()
    assert [(await call(app, path="/items/1")).status for _ in range(3)] == [200, 200, 429]
    assert (await Socket(app).next())["status"] == 429, "handshakes and requests share the rule"


async def test_a_socket_that_is_not_accepted_is_a_failure(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("failures", 1, count="Failures")))
    app = await gate()
    accepted = Socket(app)
    await accepted.next()
    await accepted.leave()
    await asyncio.sleep(SETTLED_SECONDS)
    assert (await Socket(app, "/refused").next())["type"] == "websocket.close"
    await asyncio.sleep(SETTLED_SECONDS)
    assert (await Socket(app).next())["status"] == 429


async def test_without_the_extension_a_refused_handshake_is_closed_with_1008(gate: Any, publish: Publisher) -> None:
    publish(policy(rule("handshakes", 1)))
    app = await gate()
    await call(app, path="/items/1")
    socket = Socket(app, denial=False)
    await socket.task
    assert socket.answers == [{"type": "websocket.close", "code": 1008, "reason": "limit exceeded"}]


async def test_a_handshake_has_a_deadline_and_an_open_socket_has_none(gate: Any, publish: Publisher) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            await backend.app(scope, receive, send)
        elif scope["path"] == "/never":
            await asyncio.sleep(20)
        else:
            await send({"type": "websocket.accept"})
            await asyncio.sleep(1.6)
            await send({"type": "websocket.close", "code": 1000})

    publish(policy(rule("handshakes", 9), request_timeout_seconds=1))
    gated = await gate(app)
    never, long = Socket(gated, "/never"), Socket(gated, "/long")
    await asyncio.gather(never.task, long.task)
    assert [answer.get("status") for answer in never.answers] == [504, None]
    assert [answer["type"] for answer in long.answers] == ["websocket.accept", "websocket.close"]


# ---- loops ----


def test_each_event_loop_has_its_own_connection(valkey_url: str, publish: Publisher) -> None:
    """Test clients run each request in a loop of its own."""
    publish(policy(rule("general", 3)))
    app = GateMiddleware(backend.app, store_url=valkey_url)
    assert [asyncio.run(call(app, path="/items/1")).status for _ in range(4)] == [200, 200, 200, 429]


async def test_the_end_of_an_application_frees_its_places_at_once(
    gate: Any, publish: Publisher, valkey_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(policy(ONE))
    caplog.set_level(logging.ERROR)
    ending, other = GateMiddleware(backend.app, store_url=valkey_url), await gate()
    task = asyncio.create_task(call(ending, path="/slow/30"))
    await asyncio.sleep(0.2)
    assert (await call(other, path="/items/1")).status == 503
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ending._surface.leave()
    await free_again(other)
    await until(lambda: ending._surface.instance not in publish.door.inspect_http()["api"].instances)
    assert not caplog.records
