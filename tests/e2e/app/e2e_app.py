"""The jobs of the end-to-end suite. Each tells a recorder outside of the cluster when its code starts and ends.

RECORDER is `host:port`: one TCP connection a line, so that a killed pod's last words have arrived.
"""

import os
import socket
import time

import rq


def tell(kind, outcome="-"):
    job = rq.get_current_job()
    host, _, port = os.environ["RECORDER"].partition(":")
    line = f"{kind} {job.id} {job.origin} {os.environ.get('HEADGATE_POD_NAME', '-')} {outcome}\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(line.encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # until it is written down


def nap(seconds):
    tell("S")
    time.sleep(seconds)
    tell("E", "ok")
    return seconds


def hog(mib, seconds):
    """Holds so much memory, page by page."""
    tell("S")
    held = []
    for _ in range(mib):
        held.append(bytearray(os.urandom(64) * (1024 * 1024 // 64)))
        time.sleep(0.005)
    time.sleep(seconds)
    tell("E", "ok")
    return len(held)


def tick():
    """A periodic task's function, which has no job around it."""
    host, _, port = os.environ["RECORDER"].partition(":")
    for kind in ("S", "E"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{kind} tick periodic {os.environ.get('HEADGATE_POD_NAME', '-')} -\n".encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
        if kind == "S":
            time.sleep(2)
