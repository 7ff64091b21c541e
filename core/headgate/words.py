"""Numbers as people say them."""

from __future__ import annotations


def duration(milliseconds: float) -> str:
    """`0.3 s`, `12 s`, `5 min`, `2 h 5 min`; what is over is `0 s`."""
    seconds = max(0.0, milliseconds / 1000)
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def counted(number: int, noun: str) -> str:
    """`1 job`, `2 jobs`"""
    return f"{number} {noun}{'' if number == 1 else 's'}"
