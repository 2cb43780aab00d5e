"""Complex numbers as pairs of real ones: what rotary embeddings and Fourier transforms need.

A `ComplexTensor` of shape (...) holds `parts`, a real tensor (..., 2), so that `view_as_real` and
`view_as_complex` share its memory and gradients are the parts': that of a real number with respect
to z is its gradient with respect to the real part plus i times that to the imaginary part. Every
public function hands such a tensor to `ComplexTensor.__torch_function__`; what has no rule here
raises an error that says so. Loaded when first used.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import attributes, conversion, dispatch, dtypes, ops, printing
from ..autograd import api
from ..autograd.variable import Variable
from ..dispatch import LogicalArray
from ..nn.parameter import Parameter
from ..ops._operands import write_out
from ..ops._shape import need_tensor
from ..size import Size
from ..tensor import Tensor

__all__ = ["complex", "polar", "view_as_complex", "view_as_real"]

_COMPLEX = {
    np.dtype(np.float32): np.dtype(np.complex64),
    np.dtype(np.float64): np.dtype(np.complex128),
}
_DTYPES = {np.dtype(np.complex64): dtypes.complex64, np.dtype(np.complex128): dtypes.complex128}
REAL = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}
_python_complex = builtins.complex
Rule = Callable[[Callable, tuple, dict], Any]
# What functions do with complex tensors; `rules` fills it.
RULES: dict[Callable, Rule] = {}
_GRAD: Any = Variable.__dict__["_grad"]  # the slot, which nothing here uses


class ComplexTensor(Tensor, arms=False):
    """A tensor of complex numbers."""

    __slots__ = ("_live", "parts")
    parts: Any

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = RULES.get(func) or _in_place_of(func)
        rest = {k: v for k, v in (kwargs or {}).items() if k != "out"}
        out = None if len(rest) == len(kwargs or {}) else kwargs["out"]
        if out is not None and not _holds((args, *rest.values())):
            return written(out, func(*args, **rest), func.__name__)
        if rule is None:
            raise absent(func.__name__)
        result = rule(func, args, rest)
        return result if out is None else written(out, result, func.__name__)

    @staticmethod
    def apply_node(cls: type, inputs: tuple, *args: Any) -> Any:
        """NotImplementedError: a node works on real numbers."""
        raise absent(cls.__name__)

    dtype = property(lambda self: _DTYPES[self._array.dtype])
    shape = property(lambda self: Size(self._array.shape))
    requires_grad = property(lambda self: self.parts.requires_grad)
    is_leaf = property(lambda self: self.parts.is_leaf)
    grad_fn = property(lambda self: self.parts.grad_fn)
    data = property(lambda self: make(self.parts.detach()))
    real = property(lambda self: pair(self)[0])
    imag = property(lambda self: pair(self)[1])
    H = mH = property(lambda self: ops.transpose(attributes.conj(self), -2, -1))
    T = property(lambda self: ops.permute(self, tuple(range(self._array.ndim))[::-1]))
    mT = property(lambda self: ops.transpose(self, -2, -1))

    @property
    def _grad(self) -> Any:
        return self.parts._grad

    @_grad.setter
    def _grad(self, value: Any) -> None:
        self.parts._grad = value

    @property
    def grad(self) -> Any:
        grad = self.parts.grad
        return None if grad is None else make(grad)

    @grad.setter
    def grad(self, value: Any) -> None:
        self.parts.grad = None if value is None else view_as_real(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` and returns self."""
        self.parts.requires_grad_(requires_grad)
        return self

    def backward(self, gradient: Any = None, *args: Any, **kwargs: Any) -> None:
        """Adds to the leaves' gradients. RuntimeError without the complex `gradient`."""
        if gradient is None:
            raise RuntimeError("grad can be implicitly created only for real scalar outputs")
        api.backward(self.parts, view_as_real(gradient), *args, **kwargs)

    def complex_array(self) -> np.ndarray:
        """The numbers as NumPy's complex array, outside the graph."""
        return values_of(self)

    def as_parameter(self, requires_grad: bool) -> Any:
        """`Parameter(self, requires_grad)`."""
        return make(self.parts.detach().requires_grad_(requires_grad), ComplexParameter)

    def __repr__(self, **options: Any) -> str:
        return printing.complex_repr(self, values_of(self))

    def __deepcopy__(self, memo: dict) -> Any:
        return make(self.parts.__deepcopy__(memo), type(self))

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (make, (self.parts, type(self)))


class ComplexParameter(ComplexTensor, Parameter, arms=False):
    """A parameter of complex numbers, which optimizers see as pairs of real ones."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        return data.as_parameter(requires_grad)

    def __repr__(self, **options: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**options)


def absent(name: str) -> NotImplementedError:
    return NotImplementedError(
        f"{name}: complex numbers were given, for which minigrad has arithmetic, products, sums, "
        "elementary functions, linear algebra, changes of shape and Fourier transforms only; "
        "needed: the real and the imaginary part"
    )


def make(parts: Any, cls: type = ComplexTensor) -> Any:
    """The complex tensor of a real one (..., 2), whose memory it shares."""
    t: Any = object.__new__(cls)
    _GRAD.__set__(t, None)
    array = parts._array
    t._array = LogicalArray(array.shape[:-1], _COMPLEX[array.dtype])
    t._fn = t._cell = t._view = None
    t._live = dispatch.Live(Tensor)
    t.parts = parts
    return t


ComplexTensor.of_parts = staticmethod(make)


def from_array(array: np.ndarray) -> ComplexTensor:
    """The complex tensor of NumPy's complex array, whose memory it shares if that is in order."""
    array = np.ascontiguousarray(array).reshape(array.shape)
    kind = np.dtype(f"f{array.itemsize // 2}")
    return make(Tensor._from_array(array[..., None].view(kind)))


def values_of(z: ComplexTensor) -> np.ndarray:
    """The values as NumPy's complex array, sharing memory if the parts lie side by side."""
    array = z.parts._array
    if array.strides[-1] != array.itemsize:
        array = np.ascontiguousarray(array)
    return array.view(z._array.dtype)[..., 0]


def join(real: Any, imag: Any) -> ComplexTensor:
    """The complex tensor of its parts, which are broadcast."""
    if real._array.shape != imag._array.shape:
        real, imag = ops.broadcast_tensors(real, imag)
    return make(ops.stack((real, imag), -1))


def pair(value: Any) -> tuple[Any, Any]:
    """(real part, imaginary part); the latter None for real numbers."""
    if isinstance(value, ComplexTensor):
        return ops.select(value.parts, -1, 0), ops.select(value.parts, -1, 1)
    if isinstance(value, _python_complex):
        return value.real, value.imag
    return value, None


# -- torch's functions -----------------------------------------------------------------------------


def complex(real: Any, imag: Any, *, out: Any = None) -> Any:
    """real + i imag, of tensors of one type that broadcast. RuntimeError for other types."""
    kinds = [need_tensor("complex", t)._array.dtype for t in (real, imag)]
    if not all(kind in _COMPLEX for kind in kinds):
        raise RuntimeError(
            "Expected both inputs to be Half, Float or Double tensors but got "
            f"{real.dtype} and {imag.dtype}"
        )
    if kinds[0] != kinds[1]:
        raise RuntimeError(
            f"Expected object of scalar type {dtypes.type_name(real.dtype)} but got scalar type "
            f"{dtypes.type_name(imag.dtype)} for second argument"
        )
    return join(real, imag) if out is None else written(out, join(real, imag))


def polar(abs: Any, angle: Any, *, out: Any = None) -> Any:
    """abs (cos(angle) + i sin(angle)), of tensors of one type that broadcast."""
    need_tensor("polar", abs), need_tensor("polar", angle)
    return complex(ops.mul(abs, ops.cos(angle)), ops.mul(abs, ops.sin(angle)), out=out)


def view_as_complex(input: Any) -> Any:
    """A real tensor (..., 2) as complex numbers (...), sharing memory. RuntimeError for others."""
    x = need_tensor("view_as_complex", input)._array
    if isinstance(input, ComplexTensor) or x.dtype not in _COMPLEX:
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {dtypes.type_name(input.dtype)}"
        )
    if not x.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if x.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if x.size and x.strides[-1] != x.itemsize:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    return make(input)


def view_as_real(input: Any) -> Any:
    """Complex numbers (...) as a real tensor (..., 2), sharing memory. RuntimeError for others."""
    need_tensor("view_as_real", input)
    if not isinstance(input, ComplexTensor):
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return input.parts


def written(out: Any, result: Any, name: str = "copy_") -> Any:
    """A result written to `out=`, which is resized where its shape differs.

    RuntimeError for complex numbers in a real `out`, or where a gradient is asked for.
    """
    if isinstance(out, (tuple, list)):
        return type(result)([written(o, r, name) for o, r in zip(out, result, strict=True)])
    if isinstance(out, ComplexTensor):
        write_out(name, out.parts, as_complex(result).parts)
        out._array = LogicalArray(out.parts._array.shape[:-1], out._array.dtype)
        return out
    if isinstance(result, ComplexTensor):
        raise narrowed(out)
    return write_out(name, out, result)


def narrowed(target: Any) -> RuntimeError:
    """The error of complex numbers that a real tensor is to take."""
    kind = dtypes.type_name(target.dtype)
    return RuntimeError(f"result type ComplexFloat can't be cast to the desired output type {kind}")


def _holds(value: Any) -> bool:
    """Whether a nest of arguments has a complex tensor."""
    if isinstance(value, (tuple, list)):
        return any(map(_holds, value))
    return isinstance(value, ComplexTensor)


def _in_place_of(function: Callable) -> Rule | None:
    """The rule of `f_` where `f` has one: the result is written to the tensor."""
    name = function.__name__
    plain = getattr(Tensor, name[:-1], None) if name[-1:] == "_" != name[-2:-1] else None
    if plain is None or getattr(Tensor, name, None) is not function or plain not in RULES:
        return None

    def rule(_: Callable, args: tuple, kwargs: dict) -> Any:
        target = args[0]
        result = plain(*args, **kwargs)
        if not isinstance(target, ComplexTensor):
            raise narrowed(target)
        if not isinstance(result, ComplexTensor) and result._array.dtype.kind != "b":
            raise RuntimeError(f"In-place {name[:-1]} is not supported for complex tensors.")
        target.parts.copy_(as_complex(result).parts)
        return target

    return rule


def to_dtype(self: Any, dtype: Any) -> Any:
    """The numbers as complex ones of a type."""
    if isinstance(self, ComplexTensor):
        return conversion.to(self, dtype)
    if dtype not in REAL:
        raise dtype.error()
    return as_complex(conversion.to(self, REAL[dtype]))


def cfloat(self: Any) -> Any:
    """The numbers as complex64."""
    return to_dtype(self, dtypes.complex64)


def cdouble(self: Any) -> Any:
    """The numbers as complex128."""
    return to_dtype(self, dtypes.complex128)


def chalf(self: Any) -> Any:
    """NotImplementedError: halves have no complex numbers here."""
    raise absent("chalf")


def as_complex(t: Any) -> ComplexTensor:
    """A tensor as complex numbers, of imaginary part 0 if it is real."""
    if isinstance(t, ComplexTensor):
        return t
    x = t if t._array.dtype.kind == "f" else conversion.to(t, dtypes.get_default_dtype())
    return join(x, ops.mul(x, 0))


# -- making them -----------------------------------------------------------------------------------


def filled(
    make_parts: Callable, size: tuple, dtype: Any, requires_grad: bool, value: Any = None
) -> Any:
    """A tensor of complex `dtype` whose parts `make_parts((*size, 2), dtype=...)` makes.

    `value`: the number that fills it instead.
    """
    parts = make_parts((*size, 2), dtype=REAL[dtype])
    if value is not None:
        number = builtins.complex(value)
        parts[..., 0], parts[..., 1] = number.real, number.imag
    return make(parts.requires_grad_(requires_grad))


def from_data(data: Any, dtype: Any, requires_grad: bool = False) -> Any:
    """A copy of an array or a nest of numbers, complex64 for float32 as default type."""
    if dtype is not None and dtype not in REAL:
        raise TypeError(f"tensor: complex numbers given for dtype={dtype!r}; needed: real ones")
    array = np.array(data)
    wanted: Any = _COMPLEX[dtypes.default_numpy()]
    if dtype is not None:
        wanted = np.dtype(dtype.name)
    elif isinstance(data, np.ndarray):
        wanted = data.dtype
    return from_array(array.astype(wanted)).requires_grad_(requires_grad)
