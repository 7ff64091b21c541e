"""A loopback address for each Pod, so that every one of them can listen on the same port."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from headgate.errors import InvalidInput

NETWORK = "127.77"
TRIES = 50


def free_address(ports: Iterable[int]) -> str:
    """A random 127.77.x.y with nobody on `ports`. Random, because other runs on this machine do the same."""
    wanted = list(ports)
    refusal = ""
    for _ in range(TRIES):
        address = f"{NETWORK}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"  # noqa: S311  not a secret
        try:
            for port in wanted:
                with socket.socket() as probe:
                    probe.bind((address, port))
        except OSError as error:
            refusal = f"{address} port {port}: {error.strerror}"
        else:
            return address
    raise InvalidInput(
        f"no loopback address for a worker ({refusal}): Linux has all of 127.0.0.0/8, "
        f"elsewhere addresses in {NETWORK}.0.0/16 must be added to the loopback interface first"
    )
