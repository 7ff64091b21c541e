"""Timestamps as RQ writes and reads them."""

from datetime import UTC, datetime

import pytest
from rq.utils import utcformat

from headgate_worker.clock import Readings, Stamps, parse_iso


@pytest.mark.parametrize("now", [1795561898.000042, 1795561898.9, 1795561899.0, 951782400.5])
def test_as_rq_writes_them(now: float) -> None:
    iso, epoch = Stamps().pair(now)
    assert abs(datetime.fromisoformat(iso.decode()).timestamp() - now) < 2e-6
    assert iso.decode()[:19] == utcformat(datetime.fromtimestamp(now, UTC))[:19]
    assert epoch == f"{int(now)}.".encode() + iso[20:26]


def test_the_second_is_formatted_anew() -> None:
    stamps = Stamps()
    assert [stamps.pair(at)[0][17:19] for at in (1795561898.5, 1795561899.5, 1795561898.5)] == [b"38", b"39", b"38"]


@pytest.mark.parametrize(
    "text",
    [
        b"2026-11-24T23:11:38.000042Z",
        b"2026-11-24T23:11:38Z",
        b"2026-11-24T23:11:39.999999Z",
        b"2026-11-24T23:11:38.000042+02:00",
        b"",
        b"yesterday",
        b"2026-99-24T23:11:38.000042Z",
        b"2026-11-24T23:11:38.0000 2Z",
    ],
)
def test_read_as_parse_iso_reads_them(text: bytes) -> None:
    readings = Readings()
    for _ in range(2):
        found, expected = readings.of(text), parse_iso(text)
        assert found == expected if expected is None or found is None else abs(found - expected) < 1e-6
