"""Where the store is. A mounted Secret may say something else tomorrow: whoever dials asks again."""

from __future__ import annotations

import logging
from pathlib import Path

from headgate.errors import InvalidInput
from headgate.gates import client

SCHEMES = ("redis://", "rediss://", "unix://")

logger = logging.getLogger("headgate.gate")


class StoreUrl:
    """A URL, or the file that holds it. Raises InvalidInput for what is no store's URL at the start.

    Later a file that cannot be read, or holds no store's URL, leaves the last good one in use, and is logged once.
    """

    def __init__(self, url: str = "", file: Path | None = None) -> None:
        self._file = file
        self._last = checked(url, "the store's URL") if file is None else _read(file)
        self._told = ""

    def now(self) -> str:
        if self._file is not None:
            try:
                self._last, self._told = _read(self._file), ""
            except InvalidInput as fault:
                if self._told != str(fault):
                    self._told = str(fault)
                    logger.warning("Store address not read, the last one stays in use: %s", fault)
        return self._last


def _read(file: Path) -> str:
    try:
        url = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "not text"
        raise InvalidInput(
            f"HEADGATE_STORE_URL_FILE={file}: {reason}; mount the Secret that holds key `url`"
        ) from fault
    return checked(url, f"HEADGATE_STORE_URL_FILE={file}")


def checked(url: str, source: str) -> str:
    """The URL itself is not shown: it may hold a password."""
    if not url.startswith(SCHEMES):
        raise InvalidInput(f"{source}: a store's URL begins with redis://, rediss:// or unix://")
    try:
        client.connect(url).close()  # dials nothing; a port that is no number would break every later dial
    except ValueError as fault:
        raise InvalidInput(f"{source} is no store's URL: it must be like redis://user:password@host:6379/0") from fault
    return url
