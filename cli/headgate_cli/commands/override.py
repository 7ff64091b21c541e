"""`headgate override QUEUE`: other limits for one queue for a while, in the store, whatever is published."""

from __future__ import annotations

import getpass
import re
from contextlib import closing
from typing import Annotated, Any, Literal

import typer

from headgate.errors import InvalidInput
from headgate.gates.door import Door
from headgate.gates.overrides import MAX_OVERRIDE_MS, Override
from headgate.model.documents import RateDocument
from headgate_cli import settings
from headgate_cli.options import Context, Store, Token, Url, found_store_url, store_url
from headgate_cli.remote import opened
from headgate_cli.text import duration

StopPolicy = Literal["None", "Hold", "HoldAndDrain"]
STOP_POLICIES: tuple[StopPolicy, ...] = ("None", "Hold", "HoldAndDrain")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d)")
_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})s")

Queue = Annotated[str, typer.Argument(metavar="QUEUE", help="Name of the RQ queue.")]
Span = Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 90s, 15m, 2h, 7d at most.")]
Reason = Annotated[str, typer.Option(help="Why, for others to read.")]
Stop = Annotated[str | None, typer.Option("--stop", metavar="POLICY", help="None, Hold or HoldAndDrain.")]
Total = Annotated[int | None, typer.Option(min=1, help="Jobs at once.")]
StartRate = Annotated[str | None, typer.Option("--rate", metavar="N/Ts", help="Starts in a window: 20/1s.")]
Clear = Annotated[bool, typer.Option("--clear", help="End the override that is in force.")]


def override(
    queue: Queue,
    span: Span = "1h",
    reason: Reason = "",
    stop: Stop = None,
    total: Total = None,
    rate: StartRate = None,
    clear: Clear = False,
    store: Store = None,
    url: Url = None,
    token: Token = None,
    context: Context = None,
) -> None:
    """Other limits for one queue for a while: in force for the next start, ended exactly by the store's clock.

    Asks the store that --store or $REDIS_URL names, else headgate-api. Exit code 1: neither answers. 2: no policy
    declares this queue in the store, or a value is wrong.
    """
    wanted = None if clear else _wanted(queue, span, reason, stop, total, rate)
    if url or found_store_url(store) is None:
        with opened(url, token, context) as api:
            if wanted is None:
                api.ask("DELETE", "queues", queue, "override")
                typer.echo(f"{queue}: override ended")
            else:
                api.ask("PUT", "queues", queue, "override", body=_body(wanted))
                typer.echo(f"{queue}: overridden for {duration(wanted.ms)}")
        return
    with closing(Door(store_url(store), settings.key_prefix())) as door:
        if wanted is None:
            typer.echo(f"{queue}: " + ("override ended" if door.clear_override(queue) else "there was no override"))
            return
        until = door.override(wanted)
    if until is None:
        raise InvalidInput(f"no policy declares queue {queue} in this store")
    typer.echo(f"{queue}: overridden for {duration(wanted.ms)}")


def _wanted(queue: str, span: str, reason: str, stop: str | None, total: int | None, rate: str | None) -> Override:
    if stop is None and total is None and rate is None:
        raise InvalidInput("nothing to override: give --stop, --total or --rate, or --clear")
    if not reason:
        raise InvalidInput("--reason is needed: who finds this queue otherwise than declared should know why")
    if stop is not None and stop not in STOP_POLICIES:
        raise InvalidInput(f"--stop {stop}: one of {', '.join(STOP_POLICIES)}")
    return Override(queue, milliseconds(span), reason, getpass.getuser(), stop, total, _rate(rate) if rate else None)


def _body(wanted: Override) -> dict[str, Any]:
    """As the API takes it; who sets it, the token says."""
    rate = wanted.rate_total
    limits = {
        "stop_policy": wanted.stop_policy,
        "total": wanted.total,
        "rate_total": rate and {"limit": rate.limit, "period_seconds": rate.period_ms // 1000},
    }
    return {"seconds": wanted.ms // 1000, "reason": wanted.reason, **{k: v for k, v in limits.items() if v}}


def milliseconds(span: str) -> int:
    """Of `90s`, `15m`, `2h` or `7d`, which is the most. Raises InvalidInput."""
    found = _SPAN.fullmatch(span)
    ms = int(found[1]) * _SECONDS[found[2]] * 1000 if found else 0
    if not 0 < ms <= MAX_OVERRIDE_MS:
        raise InvalidInput(
            f"--for {span}: a number and s, m, h or d, at most 7d; what stays longer belongs in the policy"
        )
    return ms


def _rate(rate: str) -> RateDocument:
    found = _RATE.fullmatch(rate)
    if found is None or int(found[2]) > 86_400:
        raise InvalidInput(f"--rate {rate}: starts and seconds, such as 20/1s or 100/60s")
    return RateDocument(limit=int(found[1]), period_ms=int(found[2]) * 1000)
