"""`stamp` in an application that holds BENCH_BALLAST_MIB of small objects, as imported libraries do."""

import os

from bench.apps.stamped import stamp

__all__ = ["BALLAST", "stamp"]

OBJECT_BYTES = 104
"""A bytes object of 63 characters and its place in the list."""
OBJECTS = int(os.environ.get("BENCH_BALLAST_MIB", "0")) * 1024 * 1024 // OBJECT_BYTES
BALLAST = [b"%063d" % number for number in range(OBJECTS)]
