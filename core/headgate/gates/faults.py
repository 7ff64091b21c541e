"""What the store's error replies and broken connections mean for a caller."""

from __future__ import annotations

from headgate.errors import HeadgateError, StoreFull, StoreUnavailable

_UNAVAILABLE = ("READONLY", "LOADING", "MASTERDOWN", "MISCONF", "BUSY", "NOREPLICAS", "TRYAGAIN", "CLUSTERDOWN")


_FORBIDDEN = ("NOAUTH", "WRONGPASS", "NOPERM")


def is_missing_script(message: str) -> bool:
    return message.startswith("NOSCRIPT")


def fault_of(message: str) -> HeadgateError:
    """The error to raise for an error reply. `message` is the reply without its leading dash.

    An error inside a script carries the command's own code at its front, or (older Redis) after `ERR`.
    """
    code = message.removeprefix("ERR ").partition(" ")[0].rstrip(":")
    if code == "OOM" or "-OOM " in message:
        return StoreFull(f"the store is above its maxmemory and takes nothing new: {message}")
    if code in _FORBIDDEN or "Protocol error: unauthenticated" in message:  # its limit for long commands before AUTH
        return StoreUnavailable(
            f"the store does not let us in: {message} (look at user and password in the store's URL)"
        )
    if code in _UNAVAILABLE:
        return StoreUnavailable(f"the store cannot be written now: {message}")
    return HeadgateError(f"the store refused a script: {message}")
