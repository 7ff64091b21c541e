"""The jobs of the end-to-end suite. Each tells a recorder outside of the cluster when its code starts and ends.

RECORDER is `host:port`: one TCP connection a line, so that a killed pod's last words have arrived.
"""

import os
import socket
import time

import rq


def tell(kind: str, outcome: str = "-") -> None:
    job = rq.get_current_job()
    assert job is not None
    host, _, port = os.environ["RECORDER"].partition(":")
    line = f"{kind} {job.id} {job.origin} {os.environ.get('HEADGATE_POD_NAME', '-')} {outcome}\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(line.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # until it is written down


def nap(seconds: float) -> float:
    tell("S")
    time.sleep(seconds)
    tell("E", "ok")
    return seconds


def hog(mib: int, seconds: float) -> int:
    """Holds so much memory, page by page."""
    tell("S")
    held = []
    for _ in range(mib):
        held.append(bytearray(os.urandom(64) * (1024 * 1024 // 64)))
        time.sleep(0.005)
    time.sleep(seconds)
    tell("E", "ok")
    return len(held)
