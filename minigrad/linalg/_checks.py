"""What linear algebra asks of its operands, in PyTorch's words, and how results are handed out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops._lapack import LinAlgError as LinAlgError
from ..ops._lapack import failed as failed
from ..ops._matrices import check_tensors, scalar_type
from ..ops._operands import write_each, write_out
from ..ops._shape import array_of, broadcast_error

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_float(name: str, x: Any, low: bool = False) -> None:
    """RuntimeError for integers and, unless `low`, for 16-bit floats."""
    if x.dtype in _FLOATS:
        return
    if x.dtype.kind not in "fV":
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {scalar_type(x)}"
        )
    if not low:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {scalar_type(x)}")


def check_matrix(name: str, x: Any, argument: str = "A") -> None:
    """RuntimeError for less than two dimensions."""
    if x.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def check_square(name: str, x: Any, argument: str = "A") -> None:
    """RuntimeError unless these are square matrices."""
    check_matrix(name, x, argument)
    if x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are "
            f"{x.shape[-2]} by {x.shape[-1]} matrices"
        )


def matrix(name: str, value: Any, argument: str = "A", square: bool = False) -> Any:
    """The array of an operand that must be matrices of float32 or float64."""
    (x,) = check_tensors(name, **{argument: value})
    (check_square if square else check_matrix)(name, x, argument)
    check_float(name, x)
    return x


def check_same(name: str, a: Any, b: Any, first: str = "A", second: str = "B") -> None:
    """RuntimeError unless the dtypes are equal."""
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: Expected {first} and {second} to have the same dtype, but found {first} of "
            f"type {scalar_type(a)} and {second} of type {scalar_type(b)} instead"
        )


def batch_shape(a: Any, b: Any) -> tuple[int, ...]:
    """The batch dimensions of two batches of matrices, broadcast. RuntimeError if they do not."""
    try:
        return np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise broadcast_error(np.empty(a.shape[:-2], bool), np.empty(b.shape[:-2], bool)) from None


def is_vector(a: Any, b: Any) -> bool:
    """Whether the right side `b` of a system is a batch of vectors: one for each matrix."""
    return b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1])


def written(name: str, out: Any, results: Any) -> Any:
    """Results written to `out` (a tensor, or a sequence of as many tensors), if there is one."""
    if out is None:
        return results
    if not isinstance(results, tuple):
        return write_out(name, out, results)
    if not isinstance(out, (tuple, list)) or len(out) != len(results):
        raise TypeError(
            f"{name}(): argument 'out' must be tuple of {len(results)} Tensors, not "
            f"{out.__class__.__name__}"
        )
    return type(results)(write_each(name, out, results))


def identity_like(x: Any, n: int | None = None) -> Any:
    """The identity matrix in the type of an array (or tensor)."""
    array = array_of(x)
    return np.eye(array.shape[-1] if n is None else n, dtype=array.dtype, like=array)
