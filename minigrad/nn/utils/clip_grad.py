"""Clipping of gradients, by norm and by value."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ... import dtypes
from ...autograd import variable as _v
from ...autograd.inplace import bump
from ...autograd.row_grads import is_sparse
from ...autograd.variable import Variable
from ...backend import CPU, device_of, move
from ...kernels import cpu
from ...kernels.numpy_optim_more import norm as numpy_norm


def _as_list(tensors: Any) -> list:
    return [tensors] if isinstance(tensors, Variable) else list(tensors)


def _dense(grad: Any) -> Any:
    """A gradient's array. NotImplementedError for sparse ones, as in PyTorch."""
    if is_sparse(grad):
        raise NotImplementedError("gradients are clipped only if they are dense; one is sparse")
    return grad._array


def get_total_norm(
    tensors: Any,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """The norm of all elements of all tensors together, as a tensor without dimensions.

    RuntimeError if it is infinite or NaN and `error_if_nonfinite`. `foreach` changes nothing.
    """
    arrays = [_dense(t) for t in _as_list(tensors)]
    order = float(norm_type)
    if not arrays:
        return _v.wrap(np.array(0.0, dtypes.default_numpy()))
    dtype = dtypes.from_numpy(arrays[0].dtype)
    for array in arrays[1:]:
        dtype = dtypes.promote_types(dtype, dtypes.from_numpy(array.dtype))
    where = device_of(arrays[0])
    norms = move(cpu.tensor_norms(arrays, order), CPU)  # one number for each tensor
    with np.errstate(all="ignore"):
        # Each tensor's norm is rounded to its own dtype, as PyTorch does.
        if any(array.dtype != np.float64 for array in arrays):
            norms = np.array([a.dtype.type(n) for a, n in zip(arrays, norms, strict=True)], float)
        total = np.array(numpy_norm(norms, order)).astype(dtype.numpy)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite "
            "norm anyway, set `error_if_nonfinite=False`"
        )
    return _v.wrap(move(total, where))


def clip_grads_with_norm_(
    parameters: Any, max_norm: float, total_norm: Any, foreach: bool | None = None
) -> None:
    """Scales the gradients by max_norm / (total_norm + 1e-6) if that is less than 1."""
    total = move(total_norm._array, CPU)
    with np.errstate(all="ignore"):
        factor = np.asarray(float(max_norm) / (total.astype(np.float64) + 1e-6))
        factor = np.minimum(factor, 1.0).astype(total.dtype)
    if factor == 1:
        return
    grads = [p._grad for p in _as_list(parameters) if p._grad is not None]
    cpu.scale_tensors([grad._array for grad in grads], float(factor))
    for grad in grads:
        bump(grad)


def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Scales all gradients together so that their norm is at most `max_norm`; returns the old norm.

    The norm is that of all gradients as one vector. RuntimeError if it is infinite or NaN and
    `error_if_nonfinite`. `foreach` changes nothing.
    """
    is_generator = isinstance(parameters, types.GeneratorType)
    params = _as_list(parameters)
    if is_generator and not params:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    grads = [p._grad for p in params if p._grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(params, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:
    """Deprecated name of `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(
    parameters: Variable | Iterable[Variable], clip_value: float, foreach: bool | None = None
) -> None:
    """Clamps every element of every gradient to [-clip_value, clip_value]."""
    limit = float(clip_value)
    for p in _as_list(parameters):
        grad = p._grad
        if grad is not None:
            array = _dense(grad)
            np.clip(array, array.dtype.type(-limit), array.dtype.type(limit), out=array)
            bump(grad)
