"""The loss of connectionist temporal classification: `ctc_loss`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import CPU, move, on_gpu
from ..kernels import cpu, ctc
from ._nn import REDUCTIONS, need_tensor, reduced, torch_name
from .arith import div
from .compare import where
from .movement import reshape

__all__ = ["ctc_loss"]


class CtcLoss(Node):
    """Minus the log of the sum over all alignments, for each sample."""

    saves = (0,)
    fresh = True

    def forward(self, log_probs: Any, targets: Any, lengths: tuple, blank: int) -> Any:
        lengths = tuple([_beside(log_probs, n) for n in lengths])
        self.lengths, self.blank = lengths, blank
        loss, self.kept = cpu.ctc_loss(log_probs, targets, *lengths, blank)
        return loss

    def backward(self, grad: Any) -> Any:
        """What `log_softmax` passes on as the gradient of the scores: probabilities less counts."""
        return apply(CtcLossBackward, (grad, *self.saved), self.kept, self.lengths, self.blank)

    def name(self) -> str:
        return "CtcLossBackward0"


class CtcLossBackward(Node):
    """The gradient of `CtcLoss`, which has none itself."""

    def forward(self, grad: Any, log_probs: Any, kept: tuple, lengths: tuple, blank: int) -> Any:
        return cpu.ctc_grad(grad, log_probs, kept, *lengths, blank)

    def backward(self, grad: Any) -> Any:
        """Not offered, as in PyTorch."""
        raise RuntimeError("derivative for aten::_ctc_loss_backward is not implemented")


def _lengths(name: str, value: Any, batch: int) -> Any:
    """Lengths as an array (N,) of the CPU, where they are read, from a tensor or numbers.

    RuntimeError for another count.
    """
    array = move(value._array, CPU) if isinstance(value, Variable) else np.asarray(value)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    array = np.atleast_1d(array).astype(np.int64, copy=False)
    if array.shape != (batch,):
        raise RuntimeError(f"{name} must be of size batch_size")
    return array


def _beside(x: Any, numbers: Any) -> Any:
    """The CPU's numbers where x lies."""
    return move(numbers, x.place) if on_gpu(x) else numbers


def _padded(targets: Any, lengths: Any, batch: int) -> Any:
    """Targets as (N, S), from that or from one sample after the other."""
    longest = int(lengths.max(initial=0))
    if targets.ndim == 1:
        if targets.size != lengths.sum():
            raise RuntimeError(
                f"Expected targets to have size {lengths.sum()}, the sum of the target lengths, "
                f"but got {targets.size}"
            )
        places = np.cumsum(lengths)[:, None] - lengths[:, None] + np.arange(longest)
        places[np.arange(longest) >= lengths[:, None]] = 0
        return targets[_beside(targets, places)] if targets.size else targets.reshape(batch, 0)
    if targets.ndim != 2 or targets.shape[0] != batch or targets.shape[1] < longest:
        raise RuntimeError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size "
            f"{list(targets.shape)} for argument #2 'targets' (while checking arguments for "
            "ctc_loss_cpu)"
        )
    return targets[:, :longest]


def _check(x: Any, t: Any, inputs: Any, lengths: Any, blank: int) -> None:
    if x.dtype not in (np.float32, np.float64):
        raise NotImplementedError(f"\"ctc_loss_cpu\" not implemented for '{torch_name(x)}'")
    if t.dtype not in (np.int32, np.int64):
        raise RuntimeError(
            "Expected tensor for argument #2 'targets' to have one of the following scalar types: "
            f"Int, Long; but got torch.{torch_name(t)}Tensor instead"
        )
    steps, _, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    if inputs.size and inputs.min() < 0:
        raise RuntimeError("input_lengths must be non-negative")
    if lengths.size and lengths.min() < 0:
        raise RuntimeError("target_lengths must be non-negative")
    if inputs.max(initial=0) > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {inputs.max()} "
            "(while checking arguments for ctc_loss_cpu)"
        )


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Minus the log-probability of the labels, summed over their alignments to the input.

    `log_probs` (T, N, C) or (T, C), from a log_softmax; `targets` (N, S), or all samples one after
    the other; lengths (N,), tensors or numbers. "mean" divides by the target lengths first.
    `zero_infinity`: 0, with no gradient, where the input is too short for the labels. RuntimeError
    for lengths and classes that do not fit. There is no second gradient.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    x = need_tensor("ctc_loss", "log_probs", log_probs)
    t = need_tensor("ctc_loss", "targets", targets)
    single = x.ndim == 2
    if single:
        log_probs = reshape(log_probs, (x.shape[0], 1, x.shape[1]))
        x = log_probs._array
        t = t.reshape(1, -1) if t.ndim == 1 else t
    if x.ndim != 3:
        raise RuntimeError(f"log_probs: expected (T, N, C) or (T, C), but got {list(x.shape)}")
    batch = x.shape[1]
    inputs = _lengths("input_lengths", input_lengths, batch)
    lengths = _lengths("target_lengths", target_lengths, batch)
    padded = t
    if not ctc.fits(x, t, inputs, lengths, blank):
        _check(x, t, inputs, lengths, blank)
        padded = _padded(t, lengths, batch)
        used = padded[_beside(padded, np.arange(padded.shape[1]) < lengths[:, None])]
        if used.size and (used.min() < 0 or used.max() >= x.shape[2]):
            raise RuntimeError(f"targets: expected classes from 0 to {x.shape[2] - 1}")
    loss = apply(CtcLoss, (log_probs,), padded, (inputs, lengths), blank)
    if zero_infinity:
        infinite = np.isposinf(loss._array)
        if infinite.any():
            loss = where(_v.wrap(infinite), _v.wrap(np.zeros((), x.dtype, like=x)), loss)
    if reduction == "mean":
        loss = div(loss, _v.wrap(_beside(x, np.maximum(lengths, 1).astype(x.dtype))))
    if single and reduction == "none":
        return reshape(loss, ())
    return reduced(loss, reduction)
