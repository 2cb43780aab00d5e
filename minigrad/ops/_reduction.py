"""What the reductions, scans and sorts share: argument checks, and gradients along a dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import as_array, device_of, move
from ..exchange import code_of
from ..kernels import cpu
from ..kernels._quiet import quiet
from ..kernels.cpu import widened
from ._operands import to_dtype, write_each, write_out
from ._shape import array_of, expand, normalize_dim, shape_of
from .arith import div, mul
from .movement import reshape

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}
_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
    "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip


class _Missing:
    """Stands for an argument that was not given, where None is not allowed."""

    def __repr__(self) -> str:
        return "<not given>"


MISSING: Any = _Missing()


def renamed(op: Any, given: dict[str, Any]) -> Any:
    """Calls `op` again with NumPy's keywords `axis` and `keepdims` under PyTorch's names.

    `given` is its `locals()`: the arguments, among them the unknown keywords as `names`.
    TypeError for others.
    """
    code = code_of(op)
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    arguments = {name: given[name] for name in known}
    for key, value in given["names"].items():
        name = _NUMPY_NAMES.get(key)
        if name not in arguments:
            raise TypeError(f"{op.__name__}() got an unexpected keyword argument '{key}'")
        arguments[name] = value
    return op(**arguments)


def one_dim(name: str, dim: Any, ndim: int) -> int:
    """A dimension counted from the front. TypeError unless it is one int, or if it is missing."""
    if dim is MISSING:
        raise TypeError(f'{name}() missing 1 required positional arguments: "dim"')
    return normalize_dim(dim, ndim, name)


def no_keepdim(name: str, keepdim: Any) -> None:
    """TypeError for `keepdim` where all elements are reduced because no dimension was given."""
    if keepdim is not False:
        raise TypeError(
            f"{name}() received an invalid combination of arguments: 'keepdim' was given without "
            "'dim'; needed: both or none"
        )


def check_flag(name: str, flag: Any, argument: str = "keepdim") -> None:
    """TypeError unless an argument is a bool."""
    if flag.__class__ is not bool:
        raise TypeError(f"{name}(): argument '{argument}' must be bool, not {type(flag).__name__}")


def is_float(x: Any) -> bool:
    """Whether an array's elements are floating point."""
    return x.dtype.kind in "fV"


def converted(name: str, input: Any, dtype: Any, out: Any) -> Any:
    """`input` in the type that `dtype=` or `out=` asks for. RuntimeError if the two differ."""
    to = None if dtype is None else dtypes.numpy_type(dtype)
    if isinstance(out, Variable):
        if to is not None and to != out._array.dtype:
            raise wrong_out(to, out._array.dtype)
        to = out._array.dtype
    return input if to is None or array_of(input).dtype == to else to_dtype(input, to)


def wrong_out(wanted: np.dtype, got: np.dtype) -> Exception:
    """The error for an `out=` of the wrong type."""
    a, b = (_C_NAMES[dtypes.from_numpy(d).name] for d in (wanted, got))
    return RuntimeError(f"Expected out tensor to have dtype {a}, but got {b} instead")


def finish(name: str, result: Any, out: Any) -> Any:
    """The result, written to `out` if one was given; its type must be the result's."""
    if out is None:
        return result
    _check_type(result, out)
    return write_out(name, out, result)


def _check_type(result: Any, out: Any) -> None:
    if isinstance(out, Variable) and out._array.dtype != result._array.dtype:
        raise wrong_out(result._array.dtype, out._array.dtype)


def finish_pair(name: str, cls: Callable, results: tuple, out: Any) -> Any:
    """The named tuple of several results, written to the tensors of `out` if given."""
    if out is None:
        return cls(results)
    if not isinstance(out, (tuple, list)) or len(out) != len(results):
        raise TypeError(f"{name}(): argument 'out' must be tuple of {len(results)} Tensors")
    for result, target in zip(results, out, strict=True):
        _check_type(result, target)
    return cls(write_each(name, out, results))


def not_empty(name: str, shape: tuple[int, ...], axes: tuple[int, ...], prefix: str = "()") -> None:
    """IndexError if a reduction that has no value for no elements meets a dimension of size 0."""
    for a in axes:
        if shape and shape[a] == 0:
            raise IndexError(f"{name}{prefix}: Expected reduction dim {a} to have non-zero size.")


def need_dim(name: str, x: Any) -> None:
    """RuntimeError if a full reduction that needs an element has none."""
    if x.size == 0:
        raise RuntimeError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )


def kept_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """A shape after a reduction over `axes` that keeps the dimensions."""
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def restore(value: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """A reduced value, repeated along the reduced dimensions to `shape` again."""
    return expand(reshape(value, kept_shape(shape, axes)), shape)


def constant(like: Any, array: Any) -> Any:
    """An array as an operand of `like`: as it is, or as a tensor beside a tensor, on its device."""
    array = as_array(array)
    if not isinstance(like, Variable):
        return move(array, device_of(like))
    return _v.wrap(move(array, device_of(like._array)))


def divided(value: Any, number: float) -> Any:
    """`value / number`; 16-bit floats are rounded once."""
    if isinstance(value, Variable):
        return div(value, number)
    return as_array(_divide(widened(value), number)).astype(value.dtype, copy=False)


def scaled(value: Any, number: float) -> Any:
    """`value * number`; 16-bit floats are rounded once."""
    if isinstance(value, Variable):
        return mul(value, number)
    return as_array(_multiply(widened(value), number)).astype(value.dtype, copy=False)


_divide = quiet(np.divide)
_multiply = quiet(np.multiply)


class TakeAlong(Node):
    """Elements of the input at `index` along one dimension.

    The base of all operations that choose elements: maxima, medians, sorts. `label` is the name of
    the operation; `repeats` says whether an element may be chosen twice. `values`: the elements,
    where they are known.
    """

    def forward(
        self,
        x: Any,
        index: Any,
        dim: int,
        label: str = "Gather",
        repeats: bool = False,
        values: Any = None,
    ) -> Any:
        self.index_array, self.dim, self.shape = index, dim, x.shape
        self.label, self.repeats = label, repeats
        if values is not None:
            return values
        if x.ndim == 0:
            return x.reshape(1)[index]
        return cpu.gather(x, dim, index)

    def backward(self, grad: Any) -> Any:
        """grad, put where the elements came from; zero elsewhere."""
        return apply(PutAlong, (grad,), self.index_array, self.dim, self.shape, self.repeats)

    def name(self) -> str:
        return f"{self.label}Backward0"


class Chosen(Node):
    """One element of each row, at `index_array`, which is shaped like the result."""

    label = "Gather"

    def backward(self, grad: Any) -> Any:
        """grad, put where the elements came from; zero elsewhere."""
        kept = kept_shape(self.shape, (self.dim,))
        index = self.index_array.reshape(kept)
        return apply(PutAlong, (reshape(grad, kept),), index, self.dim, self.shape, False)

    def name(self) -> str:
        return f"{self.label}Backward0"


class PutAlong(Node):
    """The transpose of `TakeAlong`: zeros of `shape` with the input's elements at `index`."""

    fresh = True

    def forward(self, x: Any, index: Any, dim: int, shape: tuple, repeats: bool) -> Any:
        self.index_array, self.dim, self.repeats = index, dim, repeats
        if not shape:
            return np.array(x.sum(), x.dtype) if repeats else np.array(x).reshape(())
        return cpu.scatter(shape, dim, index, x, repeats)

    def backward(self, grad: Any) -> Any:
        """The elements of grad at the index."""
        return apply(TakeAlong, (grad,), self.index_array, self.dim, "Gather", self.repeats)


def take_along(
    input: Any, index: Any, dim: int, label: str, repeats: bool = False, values: Any = None
) -> Any:
    """The elements at `index` (an array) along `dim`, recorded as operation `label`."""
    return apply(TakeAlong, (input,), index, dim, label, repeats, values)


def choose(input: Any, index: Any, dim: int, keepdim: bool, label: str) -> tuple[Any, Any]:
    """One element of each row, and its index; `index` has size 1 along `dim`."""
    values = take_along(input, index, dim, label)
    shape = shape_of(input)
    if not keepdim and shape:
        rest = (*shape[:dim], *shape[dim + 1 :])
        values = reshape(values, rest)
        index = index.reshape(rest)
    return values, constant(input, np.ascontiguousarray(index) if index.ndim else index)


class Fill(Node):
    """The input with a number in the places of a mask."""

    fresh = True

    def forward(self, x: Any, mask: Any, number: float) -> Any:
        self.mask = mask
        return np.where(mask, np.asarray(number, x.dtype), x)

    def backward(self, grad: Any) -> Any:
        """grad, zero in the places of the mask."""
        return apply(Fill, (grad,), self.mask, 0)


def fill(input: Any, mask: Any, number: float) -> Any:
    """`input` with `number` where `mask` (an array of its shape) is true."""
    return apply(Fill, (input,), mask, number)


class Shift(Node):
    """Moves the elements along a dimension by `n` places; `number` fills the places left."""

    fresh = True

    def forward(self, x: Any, dim: int, n: int, number: float) -> Any:
        self.dim, self.n = dim, n
        result = np.full(x.shape, number, x.dtype, like=x)
        at = (slice(None),) * dim
        size = x.shape[dim]
        if abs(n) < size:
            here, there = slice(max(n, 0), size + min(n, 0)), slice(max(-n, 0), size - max(n, 0))
            result[(*at, here)] = x[(*at, there)]
        return result

    def backward(self, grad: Any) -> Any:
        """grad, moved back."""
        return apply(Shift, (grad,), self.dim, -self.n, 0)


def shift(input: Any, dim: int, n: int, number: float) -> Any:
    """`input` moved by `n` places along `dim`, with `number` in the places left."""
    return apply(Shift, (input,), dim, n, number)
