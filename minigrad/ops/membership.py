"""Which elements are in a set, where elements are, and the parts of floating-point numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes, return_types
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels._quiet import quiet
from ..kernels.cpu import widened
from ._operands import operand_array, result_numpy, write_each, write_out
from ._reduction import constant, finish
from ._shape import array_arg, array_of, whole
from .arith import div

__all__ = ["frexp", "isin", "nonzero_static", "unravel_index"]

_ldexp = quiet(np.ldexp)


def isin(
    elements: Any,
    test_elements: Any,
    *,
    assume_unique: bool = False,
    invert: bool = False,
    out: Any = None,
) -> Any:
    """Whether each of `elements` is (`invert`: is not) one of `test_elements`, as bools.

    One of the two may be a number. `assume_unique` may make the search faster. RuntimeError for
    bools.
    """
    given = (elements, test_elements)
    if not any(isinstance(v, (Variable, np.ndarray)) for v in given):
        raise TypeError(
            "isin() received an invalid combination of arguments - got "
            f"({type(elements).__name__}, {type(test_elements).__name__}); needed: at least one "
            "Tensor"
        )
    for value in given:
        if isinstance(value, (Variable, np.ndarray)) and array_of(value).dtype.kind == "b":
            raise RuntimeError("Unsupported input type encountered for isin(): Bool")
    dtype = result_numpy("isin", *given)
    x, tests = (widened(operand_array(v, dtype)) for v in given)
    found = np.isin(x, tests, assume_unique=False, invert=bool(invert))
    result = constant(elements if isinstance(elements, Variable) else test_elements, found)
    return result if out is None else finish("isin", result, out)


def nonzero_static(input: Any, *, size: int, fill_value: int = -1, out: Any = None) -> Any:
    """The places of the first `size` elements that are not 0, shape (size, ndim), in int64.

    Rows that no element needs hold `fill_value`.
    """
    x = array_arg("nonzero_static", input)
    n = whole("nonzero_static(): size", size)
    if n < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    result = np.full(
        (n, x.ndim), whole("nonzero_static(): fill_value", fill_value), np.int64, like=x
    )
    if x.ndim:
        found = np.argwhere(x != 0)[:n]
        result[: len(found)] = found
    value = constant(input, result)
    return value if out is None else write_out("nonzero_static", out, value)


def unravel_index(indices: Any, shape: Any) -> tuple:
    """The coordinates, in an array of `shape`, of flat indices: an int64 tensor for each dimension.

    TypeError unless `indices` are integers and `shape` an int or several; ValueError for a
    negative size.
    """
    i = array_arg("unravel_index", indices, argument="indices")
    if i.dtype.kind not in "iu":
        raise TypeError(
            f"expected 'indices' to be integer dtype, but got {dtypes.from_numpy(i.dtype)!r}"
        )
    if isinstance(shape, (int, np.integer)) and not isinstance(shape, bool):
        shape = (shape,)
    if not isinstance(shape, Sequence):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for n in shape:
        if not isinstance(n, (int, np.integer)):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
    if any(n < 0 for n in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(shape)}")
    i = i.astype(np.int64)
    places, step = [], 1
    for n in reversed(tuple(shape)):
        places.append(constant(indices, np.asarray(i // step % n if n else i * 0)))
        step *= int(n)
    return tuple(places[::-1])


class Mantissa(Node):
    """input / 2^exponent, in [0.5, 1)."""

    fresh = True

    def forward(self, x: Any, mantissa: Any, exponent: Any) -> Any:
        self.scale = _ldexp(np.ones((), widened(x).dtype), exponent)
        return mantissa

    def backward(self, grad: Any) -> Any:
        """grad / 2^exponent."""
        return div(grad, constant(grad, self.scale.astype(array_of(grad).dtype)))

    def name(self) -> str:
        return "FrexpBackward0"


def frexp(input: Any, *, out: Any = None) -> Any:
    """(mantissa, exponent) with input = mantissa * 2^exponent and 0.5 <= |mantissa| < 1.

    The exponents are int32. Gradient of the mantissa: grad / 2^exponent. RuntimeError for integers.
    """
    x = array_arg("frexp", input)
    if x.dtype.kind not in "fV":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    m, e = np.frexp(widened(x))
    mantissa = apply(Mantissa, (input,), np.asarray(m, x.dtype), e)
    results = [mantissa, constant(input, np.asarray(e, np.int32))]
    if out is not None:
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise TypeError("frexp(): argument 'out' must be tuple of 2 Tensors")
        results = write_each("frexp", out, results)
    return return_types.frexp(results)
