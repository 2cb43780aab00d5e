"""Tensors as other things: other dtypes, Python numbers, NumPy arrays, copies, pickles.

The functions are `Tensor` methods.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import dtypes
from .autograd import modes
from .autograd import variable as _v
from .autograd.record import apply
from .autograd.variable import Leaf, Variable, is_float
from .backend import (
    CPU,
    address_of,
    as_device,
    as_place,
    device,
    device_of,
    memory_format,
    move,
    namespace,
    on_gpu,
    owner_of,
    preserve_format,
    without_memory,
)
from .deferred import deferred
from .dispatch import LogicalArray
from .dtypes import type_name
from .kernels import fast
from .kernels.dlpack import exported
from .ops import unbind
from .ops._format import order_of, suggested
from .ops._operands import To, to_dtype, to_place
from .ops._shape import memory_order, need_tensor
from .ops.rearrange import clone, flip

to_complex_dtype = deferred("to_complex")

# -- other dtypes and devices --------------------------------------------------------------------


def to(self: Any, *args: Any, **kwargs: Any) -> Any:
    """`self` with another dtype or on another device: self itself if nothing changes.

    Forms: to(dtype), to(device, dtype), to(other); each with non_blocking, copy, memory_format.
    Gradient: grad, converted back.
    """
    if len(args) == 1 and not kwargs:
        where = args[0]
        if where.__class__ is device and where.type == "cpu" and type(self._array) is np.ndarray:
            return self  # asked for in every training step
        result = fast.fast_to(To, self, where)
        if result is not None:
            return result
    allowed = ("device", "dtype", "other", "non_blocking", "copy", "memory_format")
    for name in kwargs:
        if name not in allowed:
            raise TypeError(f"to() got an unexpected keyword argument '{name}'")
    for value in (*args, *kwargs.values()):
        if value.__class__ is dtypes.AbsentDtype and value.is_complex:
            return to_complex_dtype(self, value)
    array = self._array
    wanted, place, rest = _target(args, kwargs)
    if len(rest) > 2 or not all(isinstance(flag, bool) for flag in rest):
        given = ", ".join(a.__class__.__name__ for a in args)
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({given}); needed: a dtype, "
            "a device, a device and a dtype, or a Tensor, then the bools non_blocking and copy"
        )
    flags = dict(zip(("non_blocking", "copy"), rest))
    where = None if place is None else as_place(place)
    if where is not None and where.type == "meta":
        made = without_memory(array if wanted is None else LogicalArray(array.shape, wanted))
        wants_grad = self._fn is not None and modes.is_grad_enabled() and is_float(made._array)
        return made.requires_grad_() if wants_grad else made
    result = self
    if where is not None and where != device_of(array):
        result = to_place(self, where, kwargs.get("non_blocking", flags.get("non_blocking", False)))
    if wanted is not None and array.dtype != wanted:
        result = to_dtype(result, wanted)
    elif result is self and kwargs.get("copy", flags.get("copy", False)):
        result = apply(To, (self,), array.dtype)
    format = kwargs.get("memory_format")
    if format is None or format is preserve_format:
        return result
    if format.__class__ is not memory_format:
        raise TypeError(
            "to() received an invalid combination of arguments - got (memory_format="
            f"{format.__class__.__name__}); needed: a torch.memory_format"
        )
    # PyTorch also leaves a tensor as it is that only suggests the format, without filling memory.
    x = result._array
    dense = result is self or x.transpose(order_of(x.ndim, format)).flags.c_contiguous
    if dense and suggested(x) is format:
        return result
    return clone(result, memory_format=format)


def _target(args: tuple, kwargs: dict) -> tuple[Any, Any, tuple]:
    """(NumPy type, device, remaining arguments) of a call of `to`."""
    wanted = kwargs.get("dtype")
    place = kwargs.get("device")
    other = kwargs.get("other")
    rest = args
    if args:
        first, rest = args[0], args[1:]
        if isinstance(first, Variable):
            other = first
        elif isinstance(first, (str, int, device)) and not isinstance(first, bool):
            place = first
            if rest and not isinstance(rest[0], bool):
                wanted, rest = rest[0], rest[1:]
        elif first is not None:
            if not isinstance(first, (dtypes.dtype, type, np.dtype)):
                raise TypeError(
                    "to() received an invalid combination of arguments - got "
                    f"({first.__class__.__name__}); needed: a dtype, a device or a Tensor"
                )
            wanted = first
        elif rest and not isinstance(rest[0], bool):
            wanted, rest = rest[0], rest[1:]
    if other is not None:
        return other._array.dtype, other.device, rest
    return None if wanted is None else dtypes.numpy_type(wanted), place, rest


def caster(name: str, dtype: dtypes.dtype) -> Callable:
    """The method `name` that converts to `dtype`."""
    numpy_type = dtype.numpy

    def cast(self: Any, memory_format: Any = None) -> Any:
        if memory_format is not None:
            return to(self, numpy_type, memory_format=memory_format)
        result = fast.fast_to(To, self, numpy_type)
        if result is None:
            result = self if self._array.dtype == numpy_type else to_dtype(self, numpy_type)
        return result

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = f"`self.to({dtype!r})`: self if that is its dtype. Gradient: grad, converted."
    return cast


_BY_TYPE_NAME = {f"torch.{type_name(d)}Tensor": d for d in dtypes.ALL}


def type_(self: Any, dtype: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """The name of the tensor's type ("torch.FloatTensor"), or self converted to `dtype`.

    `dtype` may be such a name. ValueError for names that mean nothing.
    """
    if dtype is None:
        where = "cuda." if on_gpu(self._array) else ""
        return f"torch.{where}{type_name(dtypes.from_numpy(self._array.dtype))}Tensor"
    if isinstance(dtype, str) or dtype in (float, int, bool):
        name = dtype if isinstance(dtype, str) else dtype.__name__
        if name.startswith("torch.cuda."):
            self, name = cuda(self), name.replace("cuda.", "")
        elif name.startswith("torch."):
            self = cpu(self)
        if name not in _BY_TYPE_NAME:
            raise ValueError(f"invalid type: '{name}'")
        dtype = _BY_TYPE_NAME[name]
    elif isinstance(getattr(dtype, "dtype", None), dtypes.dtype):  # FloatTensor and the like
        dtype = dtype.dtype
    return to(self, dtypes.numpy_type(dtype))


def type_as(self: Any, other: Any) -> Any:
    """`self.to(other.dtype)`."""
    return to(self, need_tensor("type_as", other, 1, "other"))


def cpu(self: Any, memory_format: Any = None) -> Any:
    """The tensor in the computer's memory: self."""
    return to(self, CPU, memory_format=memory_format)


def as_cuda(value: Any) -> device:
    """The device meant by the argument of `cuda()`: a number, a name, or the current one."""
    where = device("cuda" if value is None else value)
    if where.type != "cuda":
        raise RuntimeError(f"Invalid device, must be cuda device: '{where}' was given")
    return as_device(where)


def cuda(self: Any, device: Any = None, non_blocking: bool = False, **kwargs: Any) -> Any:
    """The tensor on a GPU. RuntimeError where there is none."""
    return to(self, as_cuda(device), non_blocking=non_blocking, **kwargs)


# -- Python numbers ------------------------------------------------------------------------------


def plain_list(array: Any) -> Any:
    """An array's values as (nested lists of) Python numbers."""
    return (array.astype(np.float32) if array.dtype.kind == "V" else array).tolist()


def item(self: Any) -> Any:
    """The value of a tensor of one element, as a Python number."""
    number = fast.fast_item(self)
    if number is not None:
        return number
    array = move(self._array, CPU)
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    return float(array.reshape(())) if array.dtype.kind == "V" else array.item()


def tolist(self: Any) -> Any:
    """The values as nested lists of Python numbers; of a 0-d tensor, the number."""
    result = fast.fast_tolist(self)
    if result is not None:
        return result
    return plain_list(move(self._array, CPU))


def _only(self: Any) -> Any:
    if self._array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return item(self)


_SCALAR_WARNING = (
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
    "Consider using tensor.detach() first."
)


def to_float(self: Any) -> float:
    """`float(t)` of a tensor of one element. Warns once if gradients are lost."""
    if self._fn is not None and modes.is_grad_enabled():
        modes.warn_once(_SCALAR_WARNING)
    return float(_only(self))


def to_int(self: Any) -> int:
    """`int(t)` of a tensor of one element."""
    return int(_only(self))


def to_complex(self: Any) -> complex:
    """`complex(t)` of a tensor of one element. Warns once if gradients are lost."""
    if self._fn is not None and modes.is_grad_enabled():
        modes.warn_once(_SCALAR_WARNING)
    return complex(_only(self))


def to_index(self: Any) -> int:
    """The tensor as an index of Python sequences. TypeError unless one integer."""
    if self._array.size != 1 or is_float(self._array):
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self._array.item())


def format_(self: Any, spec: str) -> str:
    """`f"{t:.3f}"`: a 0-d tensor is formatted as its number."""
    if self._array.ndim == 0:
        return format(item(self), spec)
    return object.__format__(self, spec)


# -- as a container ------------------------------------------------------------------------------


def length(self: Any) -> int:
    """The size of dimension 0. TypeError for a 0-d tensor."""
    if self._array.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return len(self._array)


def iterate(self: Any) -> Iterator:
    """Iterates over dimension 0; gradients flow. TypeError for a 0-d tensor."""
    if self._array.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self, 0))


def refuse_deleting(self: Any, index: Any) -> None:
    """`del t[i]`: TypeError."""
    raise TypeError("Tensor does not support deleting items")


def reverse(self: Any) -> Any:
    """`reversed(t)`: dimension 0 flipped."""
    return flip(self, 0) if self._array.ndim else self


def contains(self: Any, element: Any) -> bool:
    """`element in t`: whether any element equals it (broadcast). RuntimeError for other types."""
    if isinstance(element, Variable):
        return bool((self._array == element._array).any())
    if isinstance(element, (bool, int, float, complex, np.number)):
        return bool((self._array == element).any())
    raise RuntimeError(
        "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
        f"{element.__class__}."
    )


# -- NumPy ---------------------------------------------------------------------------------------


def numpy(self: Any, *, force: bool = False) -> np.ndarray:
    """The NumPy array that holds the data, not copied. RuntimeError if it requires grad."""
    if self._fn is not None and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    if on_gpu(self._array):
        if not force:
            self._array.__array__()  # raises
        return move(self._array, CPU)
    return self._array


def as_numpy(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """What NumPy functions get (`__array__`): the data itself unless a copy is asked for."""
    return np.array(numpy(self), dtype=dtype, copy=copy)


def wrap_result(self: Any, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    """Makes results of NumPy's functions of tensors tensors again (`__array_wrap__`)."""
    return _v.wrap(np.asarray(array))


def dlpack(self: Any, **options: Any) -> Any:
    """A DLPack capsule over the memory. BufferError if the tensor requires grad."""
    if self._fn is not None:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return exported(self._array, self._array.dtype, **options)


def dlpack_device(self: Any) -> tuple:
    """DLPack's (device type, number): (1, 0) for the CPU."""
    return self._array.__dlpack_device__()


def cuda_array_interface(self: Any) -> dict:
    """What CuPy and others share the memory of a tensor on a GPU by. AttributeError on the CPU."""
    if not on_gpu(self._array):
        raise AttributeError(
            "Can't get __cuda_array_interface__ on non-CUDA tensor type: "
            f"{type_(self)} If CUDA data is required use tensor.cuda() to copy tensor to device "
            "memory."
        )
    if self._fn is not None:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients "
            "aren't required, use var.detach() to get Variable that doesn't require grad."
        )
    return self._array.__cuda_array_interface__


# -- copies and pickles --------------------------------------------------------------------------


def deepcopy(self: Any, memo: dict) -> Any:
    """A copy with its own memory, `requires_grad` and a copy of `.grad`. RuntimeError for results.

    The memory is copied once for all tensors that share it: their copies share it, too.
    """
    if id(self) in memo:
        return memo[id(self)]
    if self._fn is not None and self._fn.__class__ is not Leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment; needed: detach() or clone().detach() first"
        )
    state = {"grad": copy.deepcopy(self._grad, memo), **copy.deepcopy(self.__dict__, memo)}
    array = _copied(self._array, memo)
    result = rebuild(self.__class__, array, self._fn is not None, state)
    memo[id(self)] = result
    return result


def _copied(array: np.ndarray, memo: dict) -> np.ndarray:
    """The place of `array` in a copy of the memory it is a view of, which `memo` remembers."""
    owner = owner_of(array)
    if on_gpu(array):
        return _copied_there(array, owner, memo)
    if not array.size or not (owner.flags.c_contiguous or owner.flags.f_contiguous):
        return array.copy("K")
    key = ("memory", id(owner))
    raw = memo.get(key)
    if raw is None:
        raw = memo[key] = owner.copy("K").ravel("K").view(np.uint8)
        memo.setdefault(id(memo), []).append(owner)  # so that its id stays taken
    offset = address_of(array) - address_of(owner)
    return np.ndarray(array.shape, array.dtype, raw.data, offset, array.strides)


def _copied_there(array: Any, owner: Any, memo: dict) -> Any:
    """`_copied` on a GPU."""
    key = ("memory", address_of(owner))
    copied = memo.get(key)
    if copied is None:
        copied = memo[key] = owner.copy("K")
        memo.setdefault(id(memo), []).append(owner)
    if array.shape == owner.shape and array.strides == owner.strides:
        return copied
    flat = copied if copied.flags.c_contiguous else copied.transpose(memory_order(copied))
    start = (address_of(array) - address_of(owner)) // array.itemsize
    as_strided = namespace(array).lib.stride_tricks.as_strided
    return as_strided(flat.reshape(-1)[start:], array.shape, array.strides)


def reduce(self: Any, protocol: Any) -> tuple:
    """Pickles the class, the array, `requires_grad` and attributes; not graph, grad, hooks."""
    return rebuild, (self.__class__, self._array, self._fn is not None, self.__dict__)


def rebuild(cls: type, array: np.ndarray, requires_grad: bool, state: dict) -> Any:
    """The tensor that `reduce` described."""
    result: Any = object.__new__(cls)
    result._array = array
    result._fn = result._grad = result._cell = result._view = None
    state = dict(state)
    grad = state.pop("grad", None)
    result.__dict__.update(state)
    result._grad = grad
    if requires_grad:
        _v.set_requires_grad(result, True)
    return result
