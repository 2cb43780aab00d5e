"""Connectionist temporal classification: the sums over alignments, for a whole batch at a time.

The states of a sample are its labels with blanks between, before and behind them: 2 S + 1 of them.
Arrays are (T, N, states) of logarithms; -inf marks what cannot be. (Graves et al. 2006.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._quiet import quiet

__all__ = ["ctc_grad", "ctc_loss"]


def _states(targets: Any, lengths: Any, blank: int) -> tuple[Any, Any, Any]:
    """Each sample's states (N, W): labels, which exist, and 0 or -inf for skipping the one before.

    A blank between two different labels may be skipped.
    """
    n, longest = targets.shape
    width = 2 * longest + 1
    labels = np.full((n, width), blank, np.int64)
    labels[:, 1::2] = targets
    exists = np.arange(width) <= 2 * lengths[:, None]
    labels[~exists] = blank
    skip = np.full((n, width), -np.inf)
    skip[:, 3::2][labels[:, 3::2] != labels[:, 1:-2:2]] = 0
    return labels, exists, skip


def _emissions(log_probs: Any, labels: Any, exists: Any) -> Any:
    """The log-probability of each state's label: (T, N, W)."""
    found = np.take_along_axis(log_probs, labels[None], 2)
    return np.where(exists, found, -np.inf).astype(found.dtype, copy=False)


def _total(stay: Any, one: Any, two: Any) -> Any:
    """log(exp(stay) + exp(one) + exp(two)), where all may be -inf."""
    top = np.maximum(np.maximum(stay, one), two)
    top[np.isneginf(top)] = 0
    sums = np.exp(stay - top)
    sums += np.exp(one - top)
    sums += np.exp(two - top)
    return np.log(sums, out=sums) + top


@quiet
def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[Any, tuple]:
    """-log of the sum over all alignments: (N,), and what `ctc_grad` reads.

    log_probs (T, N, C); targets (N, S), whatever stands behind a sample's length; lengths (N,).
    """
    steps, n, _ = log_probs.shape
    labels, exists, skip = _states(targets, target_lengths, blank)
    skip = skip.astype(log_probs.dtype)
    emit = _emissions(log_probs, labels, exists)
    width = labels.shape[1]
    # Two columns before the first state hold what no state comes from.
    alpha = np.full((steps, n, width + 2), -np.inf, log_probs.dtype)
    if steps:
        alpha[0, :, 2:4] = emit[0, :, :2]
    for t in range(1, steps):
        last = alpha[t - 1]
        np.add(
            _total(last[:, 2:], last[:, 1:-1], last[:, :-2] + skip), emit[t], out=alpha[t, :, 2:]
        )
    samples = np.arange(n)
    if steps:
        final = alpha[np.maximum(input_lengths - 1, 0), samples]
        blank_end = final[samples, 2 * target_lengths + 2]
        label_end = final[samples, 2 * target_lengths + 1]
        ends = np.where(target_lengths > 0, np.logaddexp(blank_end, label_end), blank_end)
    else:
        ends = np.full(n, -np.inf, log_probs.dtype)
    nothing = np.where(target_lengths == 0, 0, -np.inf).astype(log_probs.dtype)
    loss = -np.where(input_lengths == 0, nothing, ends)
    return loss, (alpha[:, :, 2:], emit, labels, exists, skip, loss)


@quiet
def ctc_grad(
    grad: Any, log_probs: Any, kept: tuple, input_lengths: Any, target_lengths: Any, blank: int
) -> Any:
    """The gradient of each loss, times grad (N,), to the scores under a log_softmax: (T, N, C).

    exp(log_probs) minus the probability, over all alignments, that the class is emitted; 0 behind
    a sample's length.
    """
    alpha, emit, labels, exists, skip, loss = kept
    steps, n, classes = log_probs.shape
    width = labels.shape[1]
    beta = np.full((steps, n, width + 2), -np.inf, log_probs.dtype)
    jump = np.full((n, width), -np.inf, log_probs.dtype)
    jump[:, :-2] = skip[:, 2:]
    behind = 2 * target_lengths[:, None] - np.arange(width)
    last = (behind == 0) | (behind == 1)  # a sample may end with its last label or the blank
    for t in reversed(range(steps)):
        if t + 1 < steps:
            after = beta[t + 1]
            found = _total(after[:, :-2], after[:, 1:-1], after[:, 2:] + jump)
            np.add(found, emit[t], out=beta[t, :, :-2])
        ended = (input_lengths == t + 1)[:, None] & last
        beta[t, :, :-2] = np.where(ended, emit[t], beta[t, :, :-2])
    emitted = np.exp(alpha + beta[:, :, :-2] + loss[:, None] - emit)
    emitted = np.where(exists, emitted, 0).astype(emitted.dtype, copy=False)
    result = np.exp(log_probs)
    result[:, :, blank] -= emitted[:, :, ::2].sum(2)
    rows = np.arange(steps * n).reshape(steps, n, 1) * classes
    flat = (rows + labels[:, 1::2]).reshape(-1)
    counted = np.bincount(flat, emitted[:, :, 1::2].reshape(-1), minlength=result.size)
    result -= counted.reshape(result.shape).astype(result.dtype)
    result *= grad[:, None]
    ended = np.arange(steps)[:, None] >= input_lengths
    none = ended | (np.isinf(loss) & (grad == 0))  # not 0 times infinity
    return np.where(none[:, :, None], 0, result).astype(result.dtype, copy=False)
