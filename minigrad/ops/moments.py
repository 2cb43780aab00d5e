"""Covariances and correlations of variables."""

from __future__ import annotations

import warnings
from typing import Any

from .. import dtypes
from ..dtypes import type_name
from ._operands import operand
from ._shape import array_arg, array_of
from .arith import div, mul, sub
from .extrema import clamp
from .linalg import matmul
from .movement import reshape, squeeze
from .permutation import transpose
from .rearrange import diag
from .reduce import sum
from .unary import sqrt

__all__ = ["corrcoef", "cov"]


def _weights(w: Any, kind: str, count: int) -> Any:
    """A vector of frequencies ("fweights") or of importances ("aweights"), checked."""
    x = array_arg("cov", w, argument=kind)
    name = type_name(dtypes.from_numpy(x.dtype))
    if x.ndim > 1:
        raise RuntimeError(
            f"cov(): expected {kind} to have one or fewer dimensions but got {kind} with {x.ndim} "
            "dimensions"
        )
    if kind == "fweights" and x.dtype.kind not in "iu":
        raise RuntimeError(f"cov(): expected fweights to have integral dtype but got {name}")
    if kind == "aweights" and x.dtype.kind not in "fV":
        raise RuntimeError(f"cov(): expected aweights to have floating point dtype but got {name}")
    if x.size != count:
        raise RuntimeError(
            f"cov(): expected {kind} to have the same numel as there are observations in the input "
            f"but got {x.size} != {count}"
        )
    if x.size and (x < 0).any():
        raise RuntimeError(f"cov(): {kind} cannot be negative")
    return w


def cov(
    input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None
) -> Any:  # fmt: skip
    """The covariance matrix of the rows of `input` (variables), whose columns are observations.

    A vector is one variable, and its variance a number. Products of deviations from the mean are
    summed and divided by n - correction. `fweights` says how often each observation came,
    `aweights` how much it counts. RuntimeError for bools and more than two dimensions.
    """
    x = array_arg("cov", input)
    if x.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{x.ndim} dimensions"
        )
    if x.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = reshape(input, (1, x.size)) if x.ndim < 2 else input
    count = array_of(rows).shape[1]
    w = None
    if fweights is not None:
        w = reshape(_weights(fweights, "fweights", count), (count,))
    if aweights is not None:
        a = reshape(_weights(aweights, "aweights", count), (count,))
        w = a if w is None else mul(w, a)
    if w is None:
        mean, rest = div(sum(rows, 1), count), float(count - correction)
        weighted = centred = sub(rows, reshape(mean, (-1, 1)))
    else:
        total = sum(w)
        if count and array_of(total) == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        mean = div(sum(mul(rows, w), 1), total)
        centred = sub(rows, reshape(mean, (-1, 1)))
        weighted = mul(centred, w)
        lost = correction
        if aweights is not None and correction:
            lost = div(mul(sum(mul(w, a)), correction), total)
        rest = sub(total, lost)
    if float(array_of(rest) if hasattr(rest, "shape") else rest) <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number "
            "of observations.",
            stacklevel=2,
        )
        rest = 0.0
    dtype = array_of(centred).dtype
    products = matmul(centred, transpose(operand("cov", weighted, dtype), 0, 1))
    return squeeze(div(products, rest))


def corrcoef(input: Any) -> Any:
    """The correlation coefficients of the rows of `input` (variables): `cov` over deviations."""
    x = array_arg("corrcoef", input)
    if x.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{x.ndim} dimensions"
        )
    c = cov(input)
    if not array_of(c).ndim:
        return div(c, c)
    deviation = sqrt(diag(c))
    c = div(div(c, reshape(deviation, (-1, 1))), reshape(deviation, (1, -1)))
    return clamp(c, -1, 1)
