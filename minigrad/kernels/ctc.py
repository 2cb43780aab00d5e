"""Connectionist temporal classification, compiled, with its NumPy form for what that does not take.

What `ctc_loss` keeps for `ctc_grad` is the form's own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import _C, numpy_ctc

__all__ = ["ctc_grad", "ctc_loss"]


# (log_probs, targets, input_lengths, target_lengths, blank): whether the compiled form takes them
# as they are, so that nothing is wrong with them; targets (N, S).
fits = _C.ctc_fits


class Kept(NamedTuple):
    """What the compiled gradient reads: beginnings (N, T, states), losses (N,), labels (N, S)."""

    alpha: Any
    loss: Any
    targets: Any


def ctc_loss(
    log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[Any, tuple]:
    """-log of the sum over all alignments: (N,), and what `ctc_grad` reads.

    log_probs (T, N, C); targets (N, S), whatever stands behind a sample's length; lengths (N,).
    """
    labels = np.ascontiguousarray(targets, np.int64)
    made = _C.ctc_loss(
        np.ascontiguousarray(log_probs), labels, input_lengths, target_lengths, blank
    )
    if made is None:
        return numpy_ctc.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank)
    loss, alpha = made
    return loss, Kept(alpha, loss, labels)


def ctc_grad(
    grad: Any, log_probs: Any, kept: tuple, input_lengths: Any, target_lengths: Any, blank: int
) -> Any:
    """The gradient of each loss, times grad (N,), to the scores under a log_softmax: (T, N, C)."""
    if not isinstance(kept, Kept):
        return numpy_ctc.ctc_grad(grad, log_probs, kept, input_lengths, target_lengths, blank)
    arrays = np.ascontiguousarray(grad), np.ascontiguousarray(log_probs), *kept
    return _C.ctc_grad(*arrays, input_lengths, target_lengths, blank)
