"""Gradient accumulation for loops of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .feed import Feed, size_of


def shares(batches: list) -> list[float]:
    """Each batch's share of all samples: what its mean loss counts in the mean over all."""
    sizes = [size_of(batch) for batch in batches]
    total = sum(sizes)
    if not total:
        raise ValueError(
            f"given {len(batches)} batches without samples; needed: one sample at least"
        )
    return [size / total for size in sizes]


def accumulate(loader: Iterable, steps: int) -> Iterator[list[tuple[Any, float]]]:
    """Groups of `steps` batches with the weight that each loss must have; the last is shorter.

    `for group in accumulate(loader, 4): for batch, weight in group: (weight * loss).backward()`,
    then the optimizer's step: the gradient is that of one batch of all samples in the group, if
    losses are means over samples. ValueError for steps below 1.
    """
    if steps < 1:
        raise ValueError(f"accumulate: steps is {steps}; needed: 1 or more")
    feed = Feed(loader)
    while batches := feed.take(steps):
        yield list(zip(batches, shares(batches)))
