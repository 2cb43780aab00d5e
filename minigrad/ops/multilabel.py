"""The margin loss for several right classes a sample: `multilabel_margin_loss`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.naming import named
from ._nn import need_float, need_tensor, reduced, reduction_of, torch_name
from .arith import add, div, mul, rsub
from .extrema import clamp_min
from .movement import reshape, unsqueeze
from .reduce import sum
from .scattering import gather

__all__ = ["multilabel_margin_loss"]


def multilabel_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Any:
    """`sum over i, j of max(0, 1 - (input[target[i]] - input[j])) / C`; reduced.

    i runs over a sample's right classes, which its `target` lists from the start up to the first
    -1, j over the other classes. Both (N, C), (C,) or (). RuntimeError for shapes that do not fit
    and classes out of range.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x = need_tensor("multilabel_margin_loss", "input", input)
    t = need_tensor("multilabel_margin_loss", "target", target)
    if x.ndim > 2 or (x.ndim and not x.shape[-1]):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(x.shape)}"
        )
    if t.shape != x.shape and not (x.ndim < 2 and t.ndim < 2 and t.size == x.size):
        raise RuntimeError(f"inconsistent target size: {list(t.shape)} for input: {list(x.shape)}")
    need_float("multilabel_margin_loss_forward_out_frame", x)
    if t.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {torch_name(t)}")
    rows, classes = x.shape if x.ndim == 2 else (1, x.size)
    labels = t.reshape(rows, classes)
    if labels.size and (labels.min() < -1 or labels.max() >= classes):
        raise RuntimeError("multilabel_margin_loss: target out of range")
    listed = np.logical_and.accumulate(labels >= 0, axis=1)
    width = int(listed.sum(1).max(initial=0))
    labels, listed = np.where(listed, labels, 0)[:, :width], listed[:, :width]
    right = np.zeros((rows, classes), bool, like=listed)
    right[np.nonzero(listed)[0], labels[listed]] = True
    table = reshape(input, (rows, classes))
    own = gather(table, 1, _v.wrap(labels))  # (N, listed)
    gap = clamp_min(add(rsub(unsqueeze(own, 2), 1), unsqueeze(table, 1)), 0)
    counted = listed[:, :, None] & ~right[:, None, :]
    gap = mul(gap, _v.wrap(counted.astype(x.dtype)))
    loss = div(sum(gap, (1, 2)), float(classes))
    if reduction == "none":
        result = loss if x.ndim == 2 else reshape(loss, ())
    else:
        result = reduced(loss, reduction)
    return named("MultilabelMarginLossBackward0", result)
