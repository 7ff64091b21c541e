"""Ratios of cells that were interleaved: the median of the rounds' ratios and how far it can be trusted."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 2_000


@dataclass(frozen=True)
class Ratio:
    """Median over the rounds, and the 95 % interval of that median by a seeded bootstrap."""

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        spread = f" [{self.low:.2f} {self.high:.2f}]" if self.rounds > 1 else ""
        return f"{self.median:.2f}{spread}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Of the rounds in which both were measured; what drifted between rounds cancels out."""
    each = [our / their for our, their in zip(ours, theirs, strict=True)]
    dice = random.Random(1)
    medians = sorted(statistics.median(dice.choices(each, k=len(each))) for _ in range(RESAMPLES))
    low, high = medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]
    return Ratio(statistics.median(each), low, high, len(each))


def interleaved(names: Sequence[str], rounds: int, seed: int = 1) -> list[list[str]]:
    """The order of each round: shuffled, then reversed in the next, so that a drift hits all alike."""
    dice = random.Random(seed)
    orders: list[list[str]] = []
    for number in range(rounds):
        if number % 2:
            orders.append(orders[-1][::-1])
        else:
            orders.append(dice.sample(list(names), len(names)))
    return orders
