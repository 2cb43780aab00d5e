"""`Parameter` and `Buffer`: the tensors that a `Module` registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Leaf, Variable, cell_of, is_float
from ..tensor import Tensor


def _share(cls: type, data: Any, requires_grad: bool) -> Any:
    """A leaf of class `cls` over the memory of `data`."""
    if not isinstance(data, Variable):
        raise TypeError(
            f"{cls.__name__}: data is a {data.__class__.__name__}; needed: a Tensor or None"
        )
    if requires_grad and not is_float(data._array):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    t: Any = object.__new__(cls)
    t._array = data._array
    t._cell = cell_of(data)
    t._grad = t._view = None
    t._fn = Leaf(t) if requires_grad else None
    return t


def _nothing() -> Any:
    return _v.wrap(np.empty(0, dtypes.default_numpy()))


def _rebuild_parameter(data: Any, requires_grad: bool, state: dict | None = None) -> Parameter:
    p = Parameter(data, requires_grad)
    if state:
        p.__dict__.update(state)
    return p


class Parameter(Tensor):
    """A tensor that becomes one of a module's parameters when it is assigned to the module.

    Shares memory with `data` (empty if None) and requires grad unless told otherwise. RuntimeError
    for integer data that is to require grad.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        return _share(cls, _nothing() if data is None else data, requires_grad)

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        pass  # all is done in __new__; Tensor's own must not run

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(_v.wrap(self._array.copy(order="K")), self._fn is not None)
        memo[id(self)] = result
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple:
        args = (_v.wrap(self._array), self._fn is not None)
        return (_rebuild_parameter, (*args, self.__dict__) if self.__dict__ else args)

    def __repr__(self, **options: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(**options)


class _BufferMeta(type):
    """Makes `isinstance(t, Buffer)` true of the plain tensors that `Buffer(...)` returns."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Variable) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that becomes one of a module's buffers when it is assigned to the module.

    `persistent`: whether it is part of the module's `state_dict`.
    """

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        data = _nothing() if data is None else data
        t = _share(Tensor, data, isinstance(data, Variable) and data._fn is not None)
        t.persistent = persistent
        t._is_buffer = True
        return t
