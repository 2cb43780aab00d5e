"""The cross-entropy of a linear map's result, in one: `linear_cross_entropy`."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any

import numpy as np

from .. import ops


@dataclasses.dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """How PyTorch splits the work to save memory. Accepted; the result does not depend on it."""

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


def _check(input: Any, weight: Any, bias: Any) -> tuple[int, ...]:
    """The shape of the logits. RuntimeError for shapes that do not fit."""
    x, w = input._array, weight._array
    if x.ndim not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {x.ndim}")
    if w.ndim < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {w.ndim}")
    if x.shape[-1] != w.shape[-1]:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{x.shape[-1]} and {w.shape[-1]}, respectively"
        )
    if bias is not None and bias._array.shape != w.shape[:-1]:
        raise RuntimeError(f"expected linear_bias shape {w.shape[:-1]}, got {bias._array.shape}")
    if w.ndim > 2 and x.ndim == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {w.shape} requires batched input, "
            f"(N, {x.shape[-1]}), got unbatched input with shape {x.shape}"
        )
    return (*x.shape[:-1], *w.shape[:-1])


def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Any:
    """`cross_entropy` of the logits `linear(input, linear_weight, linear_bias)`.

    input (N, in) or (in,), weight (C, in) or (C, d1, ..., in). `options` changes nothing but a
    warning where PyTorch gives one. RuntimeError for shapes that do not fit together, and for an
    `ignore_index` with probabilities.
    """
    shape = _check(input, linear_weight, linear_bias)
    probabilities = tuple(target.shape) == shape
    if probabilities and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    outer = shape[input._array.ndim :]
    whole = target._array.dtype == np.int64
    if options is not None and (
        outer or reduction not in ("mean", "sum", "none") or label_smoothing != 0.0 or not whole
    ):
        warnings.warn(
            "linear_cross_entropy: ``options`` ignored; chunked path needs reduction in "
            "{'mean','sum','none'}, label_smoothing == 0, target.dtype == int64, out_features == "
            f"(). Got reduction={reduction!r}, label_smoothing={label_smoothing}, "
            f"target.dtype={target.dtype}, out_features={outer}.",
            stacklevel=2,
        )
    if outer:
        rows = math.prod(linear_weight.shape[:-1])
        linear_weight = linear_weight.reshape(rows, linear_weight.shape[-1])
        linear_bias = linear_bias if linear_bias is None else linear_bias.reshape(rows)
    logits = ops.linear(input, linear_weight, linear_bias).reshape(shape)
    ignored = -100 if ignore_index is None else ignore_index
    return ops.cross_entropy(
        logits, target, weight=weight, reduction=reduction, ignore_index=ignored,
        label_smoothing=label_smoothing,
    )  # fmt: skip
