"""`Parameter` and `Buffer`: the tensors that a `Module` registers when they are assigned to it.

Those of lazy modules have no shape before the first call.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.variable import Leaf, Variable, cell_of, is_float, need_bool
from ..backend import CPU, as_device, device, device_of, made
from ..dispatch import LogicalArray, disabled_torch_function
from ..kernels import cpu
from ..size import Size
from ..tensor import Tensor


def _share(cls: type, data: Any, requires_grad: bool) -> Any:
    """A leaf of class `cls` over the memory of `data`."""
    if not isinstance(data, Variable):
        raise AttributeError(  # the class of error that PyTorch's look for `data.detach` ends in
            f"{cls.__name__}: data is a {data.__class__.__name__}; needed: a Tensor or None"
        )
    if data._array.__class__ is LogicalArray:  # of a class that has parameters of its own
        return data.as_parameter(requires_grad) if cls is Parameter else data
    need_bool(requires_grad)
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
    __torch_function__ = staticmethod(disabled_torch_function)

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

    __torch_function__ = staticmethod(disabled_torch_function)

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        data = _nothing() if data is None else data
        t = _share(Tensor, data, isinstance(data, Variable) and data._fn is not None)
        t.persistent = persistent
        t._is_buffer = True
        return t


# -- without a shape ----------------------------------------------------------------------------

_READABLE = {"dtype", "flags", "itemsize"}  # of the array


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise ValueError(
        "Attempted to use an uninitialized parameter. This error happens when you are using a "
        "`LazyModule` or explicitly manipulating `torch.nn.parameter.UninitializedParameter` "
        "objects. When using LazyModules Call `forward` with a dummy batch to initialize the "
        "parameters before calling torch functions"
    )


class NoValues(np.ndarray):
    """The array of a tensor without a shape: it has a dtype, and every use of it is an error.

    A class of its own, so that compiled code leaves it to Python, which finds these attributes.
    """

    __array_ufunc__ = __array_function__ = __getitem__ = __setitem__ = __len__ = __iter__ = _refuse


for _name in dir(np.ndarray):
    if not _name.startswith("_") and _name not in _READABLE:
        setattr(NoValues, _name, property(_refuse))


@functools.cache
def _kind_at(where: device) -> type:
    """The class of `NoValues` that says of itself to lie on a device."""
    return type("NoValues", (NoValues,), {"place": where})


def _no_values(dtype: Any, where: device = CPU) -> NoValues:
    return np.ndarray.__new__(NoValues if where.type == "cpu" else _kind_at(where), 0, dtype)


class UninitializedTensorMixin:
    """What uninitialised parameters and buffers share: they become something at `materialize`."""

    __slots__ = ()
    cls_to_become: type

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Makes this an ordinary parameter or tensor of `shape`, whose values are not set."""
        where = device_of(self._array) if device is None else as_device(device)
        kind = self._array.dtype if dtype is None else dtype.numpy
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._array = cpu.empty(shape, kind) if where.type == "cpu" else made(shape, kind, where)
        self.__class__ = self.cls_to_become

    @property
    def shape(self) -> Size:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self) -> Any:
        """RuntimeError: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self, **options: Any) -> str:
        return f"<{self.__class__.__name__}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def _retyped(self: Any, dtype: Any) -> Any:
        """This tensor, now of another floating-point type (as modules are converted)."""
        if is_float(self._array):
            self._array = _no_values(dtype.numpy, device_of(self._array))
        return self

    def _placed(self: Any, where: device) -> Any:
        """This tensor, now of another device (as modules are moved)."""
        self._array = _no_values(self._array.dtype, where)
        return self


def _set_up(cls: type, requires_grad: bool, device: Any, dtype: Any) -> Any:
    where = as_device(device)
    t: Any = object.__new__(cls)
    t._array = _no_values(dtypes.default_numpy() if dtype is None else dtype.numpy, where)
    t._grad = t._view = t._cell = None
    cell_of(t)
    t._fn = Leaf(t) if requires_grad else None
    return t


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter without a shape; `materialize` makes it a `Parameter`."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> Any:
        return _set_up(cls, requires_grad, device, dtype)

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        pass  # all is done in __new__

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return (type(self), (self.requires_grad, self.device, self.dtype))


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer without a shape; `materialize` makes it a `Tensor`."""

    __slots__ = ()
    __torch_function__ = staticmethod(disabled_torch_function)
    cls_to_become = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> Any:
        t = _set_up(cls, requires_grad, device, dtype)
        t.persistent = persistent
        t._is_buffer = True
        return t

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(
                self.requires_grad,
                self.device,
                self.dtype,
                self.persistent,
            )
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        state = (self.requires_grad, self.device, self.dtype, self.persistent)
        return (type(self), state)


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
