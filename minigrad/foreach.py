"""PyTorch's functions on lists of tensors: `_foreach_add_(tensors, 1)` adds 1 to each of them.

What training loops do to all parameters at once (adding a multiple, scaling, interpolating, norms)
is one compiled call; the others go tensor by tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import ops
from .autograd import modes
from .autograd import variable as _v
from .autograd.inplace import bump
from .autograd.variable import Variable
from .kernels import cpu
from .tensor import Tensor

_UNARY = (
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor",
    "frac", "lgamma", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt",
    "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
)  # fmt: skip
_BINARY = ("add", "sub", "mul", "div", "maximum", "minimum", "clamp_max", "clamp_min", "pow")
_TERNARY = ("addcmul", "addcdiv")
# What a list of tensors and a number are given to; the others take both.
_WITH_NUMBERS = {"maximum": "clamp_min", "minimum": "clamp_max"}
_WITH_TENSORS = {"clamp_max": "minimum", "clamp_min": "maximum"}

Tensors = Sequence[Any]


def _need_list(name: str, tensors: Any) -> Tensors:
    """TypeError unless it is a list or tuple of tensors, RuntimeError if it is empty."""
    if not isinstance(tensors, (list, tuple)) or not all(isinstance(t, Variable) for t in tensors):
        raise TypeError(
            f"_foreach_{name}(): argument 'self' must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    if not tensors:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return tensors


def _need_same_length(tensors: Tensors, other: Sequence) -> None:
    if len(tensors) == len(other):
        return
    if other and not isinstance(other[0], Variable):
        raise RuntimeError("Tensor list must have same number of elements as scalar list.")
    raise RuntimeError(
        f"Tensor lists must have the same number of tensors, got {len(tensors)} and {len(other)}"
    )


def _spread(name: str, tensors: Tensors, other: Any) -> Sequence:
    """One operand for each tensor, from a list or from one for all."""
    if isinstance(other, (list, tuple)):
        _need_same_length(tensors, other)
        return other
    if isinstance(other, Variable) and other.ndim != 0:
        raise RuntimeError(
            f"scalar tensor expected to be 0 dim but it has {other.ndim} dimensions and "
            f"{other._array.size} elements."
        )
    return [other] * len(tensors)


def _unrecorded(*lists: Sequence) -> bool:
    """Whether a kernel may write to these tensors: no graph, floats, equal shapes and dtypes."""
    if modes.is_grad_enabled() and any(t.requires_grad for tensors in lists for t in tensors):
        return False
    for group in zip(*lists, strict=True):
        first = group[0]._array
        if not _v.is_float(first) or not first.flags.writeable:
            return False
        for t in group[1:]:
            if t._array.dtype != first.dtype or t._array.shape != first.shape:
                return False
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _arrays(tensors: Tensors) -> list[np.ndarray]:
    return [t._array for t in tensors]


def _quick(name: str, tensors: Tensors, other: Any, alpha: Any) -> bool:
    """Does the in-place operation by one compiled call if there is one for it."""
    if name in ("add", "sub") and isinstance(other, (list, tuple)) and _is_number(alpha):
        if not isinstance(other[0], Variable) or not _unrecorded(tensors, other):
            return False
        rate = -alpha if name == "add" else alpha
        options = (float(rate), 0.0, 0.0, 0.0, False, False, False)
        cpu.sgd_step(_arrays(tensors), _arrays(other), None, *options)
    elif name == "mul" and _is_number(other) and _unrecorded(tensors):
        cpu.scale_tensors(_arrays(tensors), float(other))
    else:
        return False
    for t in tensors:
        bump(t)
    return True


def _operation(name: str, operand: Any) -> str:
    names = _WITH_TENSORS if isinstance(operand, Variable) else _WITH_NUMBERS
    return names.get(name, name)


def _each_unary(name: str) -> tuple[Callable, Callable]:
    function, method = getattr(ops, name), getattr(Tensor, f"{name}_")

    def out_of_place(self: Tensors) -> tuple:
        return tuple(function(t) for t in _need_list(name, self))

    def in_place(self: Tensors) -> Tensors:
        for t in _need_list(f"{name}_", self):
            method(t)
        return self

    return out_of_place, in_place


def _each_binary(name: str) -> tuple[Callable, Callable]:
    def out_of_place(self: Any, other: Any, *, alpha: Any = 1) -> tuple:
        if name == "pow" and not isinstance(self, (list, tuple)):
            return tuple(ops.pow(self, t) for t in _need_list(name, other))
        extra = {} if alpha == 1 else {"alpha": alpha}
        operands = _spread(name, _need_list(name, self), other)
        return tuple(
            getattr(ops, _operation(name, y))(x, y, **extra)
            for x, y in zip(self, operands, strict=True)
        )

    def in_place(self: Tensors, other: Any, *, alpha: Any = 1) -> Tensors:
        extra = {} if alpha == 1 else {"alpha": alpha}
        operands = _spread(f"{name}_", _need_list(f"{name}_", self), other)
        if not _quick(name, self, other, alpha):
            for x, y in zip(self, operands, strict=True):
                operation = _operation(name, y)
                if hasattr(x, f"{operation}_"):
                    getattr(x, f"{operation}_")(y, **extra)
                else:
                    x.copy_(getattr(ops, operation)(x, y, **extra))
        return self

    return out_of_place, in_place


def _each_ternary(name: str) -> tuple[Callable, Callable]:
    function, method = getattr(ops, name), getattr(Tensor, f"{name}_")

    def rows(self: Tensors, tensor1: Tensors, tensor2: Tensors, value: Any) -> Any:
        for other in (tensor1, tensor2):
            _need_same_length(_need_list(name, self), other)
        if isinstance(value, Variable):
            value = value.tolist()
        values = value if isinstance(value, (list, tuple)) else [value] * len(self)
        _need_same_length(self, values)
        return zip(self, tensor1, tensor2, values, strict=True)

    def out_of_place(
        self: Tensors, tensor1: Tensors, tensor2: Tensors, value: Any = 1, scalars: Any = None
    ) -> tuple:
        given = value if scalars is None else scalars
        return tuple(
            function(x, a, b, value=v) for x, a, b, v in rows(self, tensor1, tensor2, given)
        )

    def in_place(
        self: Tensors, tensor1: Tensors, tensor2: Tensors, value: Any = 1, scalars: Any = None
    ) -> Tensors:
        for x, a, b, v in rows(self, tensor1, tensor2, value if scalars is None else scalars):
            method(x, a, b, value=v)
        return self

    return out_of_place, in_place


def _foreach_lerp(self: Tensors, tensors1: Tensors, weight: Any) -> tuple:
    """x + weight * (y - x) for each; one weight, or a list of numbers or tensors."""
    _need_same_length(_need_list("lerp", self), tensors1)
    weights = _spread("lerp", self, weight)
    return tuple(ops.lerp(x, y, w) for x, y, w in zip(self, tensors1, weights, strict=True))


def _foreach_lerp_(self: Tensors, tensors1: Tensors, weight: Any) -> Tensors:
    """x += weight * (y - x) for each; with one number for all, one compiled call."""
    _need_same_length(_need_list("lerp_", self), tensors1)
    weights = _spread("lerp_", self, weight)
    if isinstance(weight, Variable):
        weight = weight.item()
    if _is_number(weight) and _unrecorded(self, tensors1):
        cpu.lerp_tensors(_arrays(self), _arrays(tensors1), float(weight))
        for x in self:
            bump(x)
        return self
    for x, y, w in zip(self, tensors1, weights, strict=True):
        x.lerp_(y, w)
    return self


def _foreach_norm(self: Tensors, ord: Any = 2, dtype: Any = None) -> tuple:
    """The vector norm of each tensor, in its dtype or `dtype`."""
    tensors = _need_list("norm", self)
    for t in tensors:
        if not _v.is_float(t._array):
            raise RuntimeError(
                "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                f"{t.dtype}"
            )
    order = float(ord)
    empty = order == math.inf and any(t._array.size == 0 for t in tensors)  # an error below
    if dtype is None and not empty and order in (1.0, 2.0, math.inf) and _unrecorded(tensors):
        norms = cpu.tensor_norms(_arrays(tensors), order)
        with np.errstate(over="ignore"):
            return tuple(
                _v.wrap(np.asarray(n).astype(t._array.dtype))
                for n, t in zip(norms, tensors, strict=True)
            )
    return tuple(ops.norm(t, order, dtype=dtype) for t in tensors)


def _foreach_powsum(self: Tensors, ord: Any = 2, dtype: Any = None) -> tuple:
    """sum |x|^ord of each tensor."""
    tensors = _need_list("powsum", self)
    for t in tensors:
        if not _v.is_float(t._array):
            raise NotImplementedError(f"_foreach_powsum is not implemented for {t.dtype}")
    return tuple(ops.sum(ops.abs(t) ** ord, dtype=dtype) for t in tensors)


def _foreach_max(self: Tensors) -> tuple:
    """The largest element of each tensor."""
    return tuple(ops.max(t) for t in _need_list("max", self))


def _foreach_mm(self: Tensors, mat2: Tensors) -> tuple:
    """The products of the pairs of matrices."""
    _need_same_length(_need_list("mm", self), mat2)
    return tuple(ops.mm(a, b) for a, b in zip(self, mat2, strict=True))


def _foreach_clone(self: Tensors) -> tuple:
    """A copy of each tensor."""
    return tuple(t.clone() for t in _need_list("clone", self))


def _foreach_copy_(self: Tensors, src: Tensors, non_blocking: bool = False) -> Tensors:
    """Copies each tensor of `src` into that of `self`."""
    _need_same_length(_need_list("copy_", self), src)
    for x, y in zip(self, src, strict=True):
        x.copy_(y)
    return self


def _foreach_zero_(self: Tensors) -> Tensors:
    """Fills each tensor with zeros."""
    for t in _need_list("zero_", self):
        t.zero_()
    return self


def _make() -> dict[str, Callable]:
    made: dict[str, Callable] = {}
    kinds = ((_UNARY, _each_unary), (_BINARY, _each_binary), (_TERNARY, _each_ternary))
    for names, make in kinds:
        for name in names:
            for suffix, function in zip(("", "_"), make(name), strict=True):
                function.__name__ = function.__qualname__ = f"_foreach_{name}{suffix}"
                function.__doc__ = f"`{name}{suffix}` of each tensor of a list."
                made[function.__name__] = function
    return made


_MADE = _make()
globals().update(_MADE)
_foreach_add_: Callable[..., Any]  # for those who import them by name
_foreach_sub: Callable[..., Any]
__all__ = sorted(
    [
        *_MADE,
        "_foreach_clone",
        "_foreach_copy_",
        "_foreach_lerp",
        "_foreach_lerp_",
        "_foreach_max",
        "_foreach_mm",
        "_foreach_norm",
        "_foreach_powsum",
        "_foreach_zero_",
    ]
)
