"""Metrics of a batch that a trainer averages over samples."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..autograd import no_grad


@no_grad()
def accuracy(output: Any, target: Any) -> float:
    """The share of right answers.

    `output`: (N, C, ...) scores of classes with `target` (N, ...) their numbers; or, if both have
    one shape, scores of which positive ones mean class 1, against targets 0 and 1.
    """
    if output.shape == target.shape:
        right = (output > 0) == (target > 0.5)
    else:
        right = output.argmax(1) == target
    return float(right.float().mean())


@no_grad()
def top_k_accuracy(output: Any, target: Any, k: int = 5) -> float:
    """The share of samples whose class is among the k highest scores: output (N, C), target (N)."""
    if output.ndim != 2 or k > output.shape[1]:
        raise ValueError(
            f"top_k_accuracy: output is {tuple(output.shape)} and k {k}; needed: (N, C), C >= k"
        )
    best = ops.topk(output, k, dim=1)[1]
    return float((best == target.unsqueeze(1)).any(1).float().mean())
