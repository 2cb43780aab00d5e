"""How elementwise operations run: promotion, broadcasting, recording, for one and two operands.

`unary` and `binary` are the hot path of small models: one frame each, everything inlined, the
general cases moved to `_slow` functions. An elementwise node names its kernel (`kernel = "mul"`)
instead of defining forward.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import inplace, modes
from ..autograd import variable as _v
from ..autograd.record import apply, note
from ..autograd.variable import Node, Variable, next_seq
from ..backend import as_array, ndarray
from ..dtypes import type_name as type_name
from ..kernels import cpu, fast
from ..kernels._quiet import unsupported
from ._shape import array_of, broadcast_error, memory_order, other_layout, shape_of, sum_to

_F32 = np.dtype(np.float32)
_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv"}
_ARRAYS = (ndarray, np.generic)
_TENSORS = (Variable, ndarray, np.generic)
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


def unary(cls: type[Unary], input: Any, out: Any = None) -> Any:
    """Runs a `Unary` on a tensor (recorded) or an array."""
    if out is None and cls.spec is not None:
        t = fast.fast_unary(cls, cls.spec, input)
        if t is not None:
            return t
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


def with_numbers(cls: type[Node], spec: int, input: Any, numbers: tuple[float, ...]) -> Any:
    """Runs a node that has one operand and floats, which it keeps as its `numbers`."""
    result = fast.fast_unary(cls, spec, input, numbers)
    return apply(cls, (input,), *numbers) if result is None else result


def _unary_slow(cls: type[Unary], input: Any, out: Any) -> Any:
    if not isinstance(input, Variable):
        if isinstance(input, (ndarray, np.generic)):
            return as_array(cls.cpu(input))
        raise not_a_tensor(cls.title, "input", 1, input)
    if cls.to_float and input._array.dtype.kind not in "fV":
        input = to_dtype(input, dtypes.default_numpy())
    result = unary(cls, input)
    return result if out is None else write_out(cls.title, out, result)


def binary(cls: type[Binary], input: Any, other: Any, out: Any = None) -> Any:
    """Runs a `Binary` on tensors, arrays or Python numbers, with PyTorch's promotion."""
    if out is None and cls.spec is not None:
        t = fast.fast_binary(cls, cls.spec, input, other)
        if t is not None:
            return t
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
    return result if out is None else write_out(name, out, result)


def _binary_arrays(cls: type[Binary], x: Any, y: Any) -> Any:
    """What backward calls. NumPy would round a number to half precision, or widen bfloat16."""
    scalar = y.__class__ is float or x.__class__ is float
    if scalar and getattr(x if y.__class__ is float else y, "dtype", None) in _HALF:
        half = (x if y.__class__ is float else y).dtype
        x, y = (v if v.__class__ is float else v.astype(np.float32) for v in (x, y))
        return as_array(cls.cpu(x, y)).astype(half)
    return as_array(cls.cpu(x, y))


def misfit(*operands: Any) -> Exception:
    """The error for several operands (None is left out) that cannot be broadcast together."""
    shapes = [shape_of(v) for v in operands if v is not None]
    for a, b in itertools.combinations(shapes, 2):
        if any(n != m and n != 1 and m != 1 for n, m in zip(a[::-1], b[::-1], strict=False)):
            return broadcast_error(np.empty(a, np.bool_), np.empty(b, np.bool_))
    return RuntimeError(f"shapes {shapes} do not fit together")


def is_scalar(value: Any) -> bool:
    """Whether a value is a number or a tensor without dimensions."""
    return not isinstance(value, (Variable, ndarray)) or not array_of(value).ndim


def not_a_tensor(name: str, argument: str, position: int, value: Any) -> TypeError:
    """The error for an argument of the wrong class, in PyTorch's words."""
    why = "; complex numbers are not in minigrad" if isinstance(value, complex) else ""
    return TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
        f"{value.__class__.__name__}{why}"
    )


def need_tensors(name: str, **values: Any) -> None:
    """TypeError for an operand, given under its argument's name, that is not a tensor."""
    for position, (argument, value) in enumerate(values.items(), 1):
        if not isinstance(value, (Variable, ndarray)):
            raise not_a_tensor(name, argument, position, value)


def need_one_tensor(name: str, input: Any, other: Any) -> None:
    """TypeError if both operands are numbers."""
    if not isinstance(input, _TENSORS) and not isinstance(other, _TENSORS):
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got "
            f"({type(input).__name__}, {type(other).__name__}); needed: at least one Tensor"
        )


def operand(name: str, value: Any, dtype: np.dtype) -> Any:
    """An operand (tensor, array or number) as a tensor of NumPy type `dtype`; integers wrap."""
    if isinstance(value, Variable):
        return value if value._array.dtype is dtype else to_dtype(value, dtype)
    return _v.wrap(operand_array(value, dtype))


def converted(name: str, value: Any, dtype: np.dtype) -> Any:
    """Like `operand`, but an array stays an array."""
    if isinstance(value, ndarray):
        return operand_array(value, dtype)
    return operand(name, value, dtype)


def operand_array(value: Any, dtype: np.dtype) -> Any:
    """An operand (tensor, array or number) as an array of NumPy type `dtype`; integers wrap."""
    if isinstance(value, (Variable, ndarray)):
        array = array_of(value)
        return array if array.dtype is dtype else cpu.astype(array, dtype)
    if isinstance(value, int) and dtype.kind != "b":
        if not -(2**63) <= value < 2**63:
            raise OverflowError("int too big to convert")
        value = np.int64(value)
    return cpu.astype(np.array(value), dtype)


def result_numpy(name: str, *values: Any) -> np.dtype:
    """The NumPy type of a result, by PyTorch's promotion of tensors, 0-d tensors and numbers."""
    dims = zero = scalars = None
    for position, value in enumerate(values, 1):
        if isinstance(value, (Variable, ndarray)):
            array = array_of(value)
            d = dtypes.from_numpy(array.dtype)
            if array.ndim:
                dims = d if dims is None else dtypes.promote_types(dims, d)
            else:
                zero = d if zero is None else dtypes.promote_types(zero, d)
        elif isinstance(value, (bool, int, float, np.number, np.bool_)):
            d = dtypes.of_scalar(value)
            scalars = d if scalars is None else dtypes.promote_types(scalars, d)
        else:
            argument = {1: "input", 2: "other"}.get(position, "value")
            raise not_a_tensor(name, argument, position, value)
    return dtypes.result_type_of(dims, zero, scalars).numpy


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
    return _v.wrap(result) if out is None else write_out(name, out, _v.wrap(result))


def floating(name: str, input: Any) -> Any:
    """`input` converted to the default dtype if it is not floating point. TypeError: no tensor."""
    if not isinstance(input, (Variable, ndarray)):
        raise not_a_tensor(name, "input", 1, input)
    if array_of(input).dtype.kind in "fV":
        return input
    return to_dtype(input, dtypes.default_numpy())


def only_floats(name: str, kernel: str, input: Any) -> None:
    """Refuses what is not a floating-point tensor, naming PyTorch's kernel."""
    if not isinstance(input, (Variable, ndarray)):
        raise not_a_tensor(name, "input", 1, input)
    if array_of(input).dtype.kind not in "fV":
        raise unsupported(kernel, array_of(input))


def number(name: str, argument: str, position: int, value: Any) -> Any:
    """A Python number, given perhaps as a NumPy number or a 0-d tensor. TypeError otherwise."""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, np.generic) or (
        isinstance(value, (Variable, ndarray)) and not array_of(value).ndim
    ):
        return array_of(value).item()
    raise TypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Number, not "
        f"{value.__class__.__name__}"
    )


def zeros_of(value: Any) -> Any:
    """Zeros outside the graph, in the shape and type of `value` (tensor or array)."""
    array = array_of(value)
    zeros = np.zeros(array.shape, array.dtype)
    return _v.wrap(zeros) if isinstance(value, Variable) else zeros


class To(Node):
    """Conversion to another type."""

    fresh = True

    def forward(self, x: Any, dtype: np.dtype) -> Any:
        self.source = x.dtype
        if x.flags.c_contiguous:
            return cpu.astype(x, dtype)
        axes = memory_order(x)
        return cpu.astype(x.transpose(axes), dtype).transpose(np.argsort(axes))

    def backward(self, grad: Any) -> Any:
        """grad, in the input's type."""
        return to_dtype(grad, self.source)

    def name(self) -> str:
        return "ToCopyBackward0"


def to_dtype(input: Any, dtype: np.dtype) -> Any:
    """`input` (tensor or array) converted to a NumPy type; always a copy, in its memory order."""
    return apply(To, (input,), dtype)


def write_out(name: str, out: Any, result: Any) -> Any:
    """Writes a result to the tensor given as `out=`, as PyTorch: resized if the shape differs."""
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {out.__class__.__name__}")
    if modes.is_grad_enabled() and (result._fn is not None or out._fn is not None):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    target, source = out._array, result._array
    from_, to = dtypes.from_numpy(source.dtype), dtypes.from_numpy(target.dtype)
    if not dtypes.can_cast(from_, to):
        raise RuntimeError(
            f"result type {type_name(from_)} can't be cast to the desired output type "
            f"{type_name(to)}"
        )
    inplace.check_memory(out)
    if target.shape != source.shape:
        if target.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape "
                f"{list(target.shape)}, which does not match the required output shape "
                f"{list(source.shape)}. This behavior is deprecated; reuse an out tensor t after "
                "resizing it, inplace, to zero elements with t.resize_(0).",
                stacklevel=3,
            )
        out._array = source.astype(target.dtype)
    else:
        target[...] = source
        if out._cell is not None:
            out._cell[0] = next_seq()
            out._cell[1] += 1
    return out
