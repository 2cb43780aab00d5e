"""How elementwise operations run: promotion, broadcasting, recording, for one and two operands.

`unary` and `binary` are the hot path of small models: compiled (csrc/bindings/operators.cpp), and
where that has no kernel one frame in Python each, the general cases moved to `_slow` functions. An
elementwise node names its kernel (`kernel = "mul"`) instead of defining forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import modes
from ..autograd import variable as _v
from ..autograd.record import apply, note
from ..autograd.variable import Node, Variable, next_seq
from ..backend import as_array, ndarray, with_complex_number
from ..kernels import cpu, fast
from ._operands import (
    is_scalar,
    not_a_tensor,
    operand,
    operand_array,
    result_numpy,
    to_dtype,
    write_out,
)
from ._shape import array_of, broadcast_error, other_layout, sum_to

_F32 = np.dtype(np.float32)
_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv"}
_ARRAYS = (ndarray, np.generic)
_HALF = (dtypes.float16.numpy, dtypes.bfloat16.numpy)


class Elementwise(Node):
    """An operation done by one kernel on each element."""

    __slots__ = ()
    kernel: str
    to_float = False  # integers are converted to the default dtype first
    cpu: Any = None
    title = ""  # the name in messages, where it is not the kernel's

    operands = 1
    spec: int | None = None  # for the compiled path, None where it has no such kernel

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kernel" in cls.__dict__:
            cls.cpu = staticmethod(getattr(cpu, cls.kernel))
            cls.spec = fast.spec(
                cls.kernel,
                cls.operands,
                cls.saves,
                cls.saves_output,
                cls.cross,
                getattr(cls, "tensors_only", False),
            )
            cls.title = cls.__dict__.get("title", cls.kernel)

    def forward(self, *operands: Any) -> Any:
        return as_array(self.cpu(*operands))


class Unary(Elementwise):
    """One operand. `backward` reads `self.saved[0]`: the input, the output or nothing."""

    __slots__ = ()


class Binary(Elementwise):
    """Two operands, broadcast against each other."""

    __slots__ = ()
    operands = 2
    tensors_only = False  # numbers are refused, as PyTorch does

    @staticmethod
    def check(*arrays: Any) -> None:
        """Refuses operands (arrays, numbers) before they are promoted, or once the kernel did."""

    def fit(self, grad_input: Any, grad_other: Any) -> tuple:
        """Sums each gradient over the dimensions that its operand was broadcast along."""
        if self.shapes is None:
            return grad_input, grad_other
        a, b = self.shapes
        return (
            None if grad_input is None else sum_to(grad_input, a),
            None if grad_other is None else sum_to(grad_other, b),
        )


def _unary_in_python(cls: type[Unary], input: Any, out: Any = None) -> Any:
    if out is None and isinstance(input, Variable):
        x = input._array
        if x.dtype is _F32 or not cls.to_float or x.dtype.kind in "fV":
            try:
                result = cls.cpu(x)
            except NotImplementedError:
                special = other_layout(cls.kernel, input)
                if special is not None:
                    return special(input)
                raise
            if result.__class__ is not ndarray:
                result = as_array(result)
            t = _v.wrap(result)
            fn = input._fn
            if fn is None or (modes.threads_off and not modes.state.grad):
                return t
            t._fn = node = cls()
            node.next = (fn,)
            node.seq = next_seq()
            node.hooks = None
            if cls.saves:
                node.saved = (x,)
                node.cells = (_v.saved_cell(input),)
            elif cls.saves_output:
                cell = t._cell = [0, 0, None]
                node.saved = (result,)
                node.cells = (cell,)
            else:
                node.saved = node.cells = None
            if modes.watched:
                note(node)
            return t
    return _unary_slow(cls, input, out)


# unary(cls, input, out=None): runs a `Unary` on a tensor (recorded) or an array.
unary: Callable[..., Any] = fast.elementwise_unary
# binary(cls, input, other, out=None): runs a `Binary` on tensors, arrays or Python numbers, with
# PyTorch's promotion.
binary: Callable[..., Any] = fast.elementwise_binary


def with_numbers(cls: type[Node], spec: int, input: Any, numbers: tuple[float, ...]) -> Any:
    """Runs a node that has one operand and floats, which it keeps as its `numbers`."""
    result = fast.fast_unary(cls, spec, input, numbers)
    return apply(cls, (input,), *numbers) if result is None else result


def _unary_slow(cls: type[Unary], input: Any, out: Any) -> Any:
    if not isinstance(input, Variable):
        if isinstance(input, (ndarray, np.generic)):
            return as_array(cls.cpu(input))
        raise not_a_tensor(cls.title, "input", 1, input)
    given = input
    if cls.to_float and input._array.dtype.kind not in "fV":
        input = to_dtype(input, dtypes.default_numpy())
    result = unary(cls, input)
    return result if out is None else write_out(cls.title, out, result, given)


def _binary_in_python(cls: type[Binary], input: Any, other: Any, out: Any = None) -> Any:
    if out is None and isinstance(input, Variable):
        x = input._array
        f = input._fn
        if isinstance(other, Variable):
            y = other._array
            g = other._fn
            plain = x.dtype is y.dtype and (not cls.to_float or x.dtype.kind in "fV")
        else:
            y = other
            g = None
            plain = (
                y.__class__ is float
                and not cls.tensors_only
                and (x.dtype is _F32 or x.dtype.char == "d")
            ) or (  # a number that every integer type holds
                y.__class__ is int
                and 0 <= y < 128
                and x.dtype.kind in "iu"
                and not (cls.tensors_only or cls.to_float)
            )
        if plain:
            try:
                result = cls.cpu(x, y)
            except ValueError:
                raise broadcast_error(x, y) from None
            except (TypeError, NotImplementedError):
                special = other_layout(cls.kernel, input, other)
                if special is not None:
                    return special(input, other)
                cls.check(x, y)
                raise
            if result.__class__ is not ndarray:
                result = as_array(result)
            t = _v.wrap(result)
            if (f is None and g is None) or (modes.threads_off and not modes.state.grad):
                return t
            t._fn = node = cls()
            node.next = (f, g)
            node.seq = next_seq()
            node.hooks = None
            if y.__class__ is float or x.shape == y.shape:
                node.shapes = None
            else:
                node.shapes = (x.shape, y.shape)
            if cls.saves:
                _save_operands(cls, node, input, other, x, y)
            elif cls.saves_output:
                t._cell = [0, 0, None]
                node.saved = (result,)
                node.cells = (t._cell,)
            else:
                node.saved = node.cells = None
            if modes.watched:
                note(node)
            return t
    return _binary_slow(cls, input, other, out)


def _save_operands(cls: Any, node: Any, input: Any, other: Any, x: Any, y: Any) -> None:
    """Keeps the operands; with `cross`, each only where the other one's gradient needs it."""
    f, g = node.next
    keep_x = not cls.cross or g is not None
    keep_y = not cls.cross or f is not None
    node.saved = (x if keep_x else None, y if keep_y else None)
    cells = []
    if keep_x and input.__class__ is not float:
        cells.append(_v.saved_cell(input))
    if keep_y and other.__class__ is not float:
        cells.append(_v.saved_cell(other))
    node.cells = cells


def _binary_slow(cls: type[Binary], input: Any, other: Any, out: Any) -> Any:
    name = cls.title
    special = other_layout(getattr(cls, "kernel", name), input, other)
    if special is not None:
        return special(input, other)
    is_complex = isinstance(input, complex) or isinstance(other, complex)
    if is_complex and out is None and name in ("add", "sub", "mul", "div"):
        return with_complex_number(name, input, other)
    raw = not isinstance(input, Variable) and not isinstance(other, Variable)
    if raw and (isinstance(input, _ARRAYS) or isinstance(other, _ARRAYS)):
        return _binary_arrays(cls, input, other)
    if cls.tensors_only:
        for position, value in enumerate((input, other), 1):
            if not isinstance(value, (Variable, ndarray)):
                raise not_a_tensor(name, ("input", "other")[position - 1], position, value)
    try:
        dtype = result_numpy(name, input, other)
    except TypeError:
        # A class of the user's may know what to do with a tensor on its left.
        kind = type(other)
        method = getattr(kind, f"__r{_OPERATORS.get(cls.kernel)}__", None)
        if method is None or kind.__module__ == "builtins" or not isinstance(input, Variable):
            raise
        result = method(other, input)
        if result is NotImplemented:
            raise
        return result
    cls.check(array_of(input), array_of(other))
    if cls.to_float and dtype.kind not in "fV":
        dtype = dtypes.default_numpy()
    if dtype in _HALF and (is_scalar(input) or is_scalar(other)):
        # PyTorch computes half precision with a number in float32 and rounds once.
        wide = dtypes.float32.numpy
        result = to_dtype(
            binary(cls, operand(name, input, wide), operand(name, other, wide)), dtype
        )
    elif (
        other.__class__ is int
        and isinstance(input, Variable)
        and dtype.kind == "f"
        and dtype is input._array.dtype
    ):
        result = binary(cls, input, float(other))
    else:
        result = binary(cls, operand(name, input, dtype), operand(name, other, dtype))
    return result if out is None else write_out(name, out, result, input, other)


def _binary_arrays(cls: type[Binary], x: Any, y: Any) -> Any:
    """What backward calls. NumPy would round a number to half precision, or widen bfloat16."""
    scalar = y.__class__ is float or x.__class__ is float
    if scalar and getattr(x if y.__class__ is float else y, "dtype", None) in _HALF:
        half = (x if y.__class__ is float else y).dtype
        x, y = (v if v.__class__ is float else v.astype(np.float32) for v in (x, y))
        return as_array(cls.cpu(x, y)).astype(half)
    return as_array(cls.cpu(x, y))


fast.bind_elementwise(_unary_in_python, _binary_in_python)


def unrecorded(
    name: str, kernel: Any, operands: tuple, dtype: np.dtype | None = None, out: Any = None
) -> Any:
    """An elementwise function without a gradient: of promoted operands, of arrays or tensors.

    `dtype` is the type that the operands are converted to: by default the promoted one.
    """
    raw = not any(isinstance(v, Variable) for v in operands)
    if raw:
        arrays = operands
    else:
        if dtype is None:
            dtype = result_numpy(name, *operands)
        arrays = tuple([operand_array(v, dtype) for v in operands])
    try:
        result = as_array(kernel(*arrays))
    except ValueError:
        raise broadcast_error(arrays[0], arrays[-1]) from None
    if raw:
        return result
    return _v.wrap(result) if out is None else write_out(name, out, _v.wrap(result), *operands)
