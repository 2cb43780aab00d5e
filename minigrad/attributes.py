"""What a tensor is: sizes, strides, memory, flags. The functions are `Tensor` methods.

Those that PyTorch also has as functions are in `__all__`.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from . import dtypes
from .autograd import variable as _v
from .autograd.record import alias
from .autograd.variable import Leaf, Variable, is_float
from .backend import (
    CPU,
    address_of,
    device,
    device_of,
    mapping_of,
    on_gpu,
    owner_of,
    pinned,
    preserve_format,
)
from .backend import is_pinned as is_pinned_array
from .kernels.fast import (
    bind_types,
    fast_data_ptr,
    fast_is_contiguous,
    fast_is_floating_point,
    fast_numel,
    fast_size,
    fast_stride,
)
from .ops._format import ORDERS, check_format, order_of, suggested
from .ops._operands import write_out
from .ops._shape import memory_order, need_tensor, normalize_dim
from .size import Size

__all__ = [
    "conj", "conj_physical", "conj_physical_", "detach", "detach_", "get_device", "imag",
    "is_complex", "is_conj", "is_distributed", "is_floating_point", "is_inference", "is_neg",
    "is_nonzero", "is_same_size", "is_signed", "numel", "real", "resize_as_", "resolve_conj",
    "resolve_neg",
]  # fmt: skip

bind_types(vars(dtypes), dtypes.ALL, Size, CPU)


def size(self: Any, dim: int | None = None) -> Any:
    """The shape, or the size of one dimension."""
    result = fast_size(self, dim)
    if result is not None:
        return result
    shape = self._array.shape
    return Size(shape) if dim is None else shape[_existing(dim, shape)]


def _existing(dim: Any, shape: tuple) -> int:
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return normalize_dim(dim, len(shape))


def strides(array: Any) -> tuple[int, ...]:
    """Strides in elements; of an array without elements, those of a contiguous one."""
    if array.size:
        step = array.dtype.itemsize
        steps = [s // step for s in array.strides]
        if (
            0 in steps
        ):  # NumPy's stride of a new dimension of size 1 is 0, PyTorch's that of a whole
            following = 1
            for d in reversed(range(len(steps))):
                if steps[d] == 0 and array.shape[d] == 1:
                    steps[d] = following
                following = array.shape[d] * steps[d]
        return tuple(steps)
    result, step = [], 1
    for n in reversed(array.shape):
        result.append(step)
        step *= max(n, 1)
    return tuple(result[::-1])


def stride(self: Any, dim: int | None = None) -> Any:
    """The steps, in elements, between neighbours along the dimensions, or along one."""
    result = fast_stride(self, dim)
    if result is not None:
        return result
    steps = strides(self._array)
    return steps if dim is None else steps[_existing(dim, steps)]


def dim(self: Any) -> int:
    """The number of dimensions."""
    return self._array.ndim


def numel(input: Any) -> int:
    """The number of elements."""
    count = fast_numel(input)
    return need_tensor("numel", input)._array.size if count is None else count


def element_size(self: Any) -> int:
    """The bytes of one element."""
    return self._array.dtype.itemsize


def is_contiguous(self: Any, memory_format: Any = None) -> bool:
    """Whether the elements lie in order; with `channels_last`, channels innermost."""
    if memory_format is None:
        result = fast_is_contiguous(self)
        if result is not None:
            return result
    array = self._array
    check_format("is_contiguous", memory_format)
    if memory_format in ORDERS:
        order = ORDERS[memory_format]
        return array.ndim == len(order) and array.transpose(order).flags.c_contiguous
    return array.flags.c_contiguous


def data_ptr(self: Any) -> int:
    """The address of the first element; 0 if there is none."""
    address = fast_data_ptr(self)
    if address is not None:
        return address
    return address_of(self._array) if self._array.size else 0


def storage_offset(self: Any) -> int:
    """The place of the first element in the memory that the tensor is a view of, in elements."""
    array = self._array
    if not array.size:
        return 0
    return (address_of(array) - address_of(owner_of(array))) // array.dtype.itemsize


def dim_order(self: Any, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the slowest in memory to the fastest.

    `ambiguity_check`: RuntimeError if other orders are true as well (of the memory formats listed,
    if it is a list, unless exactly one fits).
    """
    array = self._array
    order = memory_order(array)
    if not isinstance(ambiguity_check, (bool, list)):
        raise TypeError("The ambiguity_check argument must be a bool or a list of memory formats.")
    if ambiguity_check is False:
        return order
    steps = strides(array)
    if len(set(steps)) == len(steps) and 0 not in steps and 1 not in array.shape:
        return order
    if isinstance(ambiguity_check, list):
        fitting = [f for f in ambiguity_check if is_contiguous(self, f)]
        if len(fitting) == 1:
            return ORDERS.get(fitting[0], tuple(range(array.ndim)))
    raise RuntimeError(
        "The tensor does not have unique dim order, or cannot map to exact one of the given "
        "memory formats."
    )


def is_distributed(input: Any) -> bool:
    """Whether the elements lie in several processes: never."""
    need_tensor("is_distributed", input)
    return False


class Storage:
    """The bytes that a tensor is a view of: where and how many. Nothing can be done with them."""

    __slots__ = ("_array",)

    def __init__(self, array: Any):
        self._array = array

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address_of(self._array)

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._array.nbytes

    size = __len__ = nbytes

    @property
    def device(self) -> device:
        """Where the bytes lie."""
        return device_of(self._array)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Storage):
            return NotImplemented
        return self.data_ptr() == other.data_ptr() and self.nbytes() == other.nbytes()

    def __hash__(self) -> int:
        return hash(self.data_ptr())


def untyped_storage(self: Any) -> Storage:
    """The memory that the tensor is a view of."""
    return Storage(owner_of(self._array))


def is_floating_point(input: Any) -> bool:
    """Whether the elements are floating point."""
    result = fast_is_floating_point(input)
    return is_float(need_tensor("is_floating_point", input)._array) if result is None else result


def is_signed(input: Any) -> bool:
    """Whether the elements can be negative."""
    return need_tensor("is_signed", input)._array.dtype.kind in "ifV"


def is_complex(input: Any) -> bool:
    """Whether the elements are complex: never; complex tensors are of a class of their own."""
    need_tensor("is_complex", input)
    return False


def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero: `bool(t)`. RuntimeError unless there is exactly one."""
    array = need_tensor("is_nonzero", input)._array
    if array.size != 1:
        what = "no values" if array.size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return bool(array.reshape(()))


def is_inference(input: Any) -> bool:
    """Whether the tensor was made in inference mode."""
    return need_tensor("is_inference", input).is_inference()


def is_conj(input: Any) -> bool:
    """Whether the tensor is a lazy conjugate: never."""
    need_tensor("is_conj", input)
    return False


def is_neg(input: Any) -> bool:
    """Whether the tensor is a lazy negative: never."""
    need_tensor("is_neg", input)
    return False


def same_tensor(input: Any) -> Any:
    """`input` itself: what `conj`, `real`, `resolve_conj` and `resolve_neg` are of real numbers."""
    return need_tensor("conj", input)


resolve_conj = resolve_neg = same_tensor


def conj_physical_(self: Any) -> Any:
    """Self: what is real is its own conjugate."""
    return self


def conj(input: Any) -> Any:
    """The conjugate numbers: of real ones `input` itself."""
    return need_tensor("conj", input)


def real(input: Any) -> Any:
    """The real parts: of real numbers `input` itself."""
    return need_tensor("real", input)


def conj_physical(input: Any, *, out: Any = None) -> Any:
    """`input` itself, as real numbers are their conjugates."""
    need_tensor("conj_physical", input)
    return input if out is None else write_out("conj_physical", out, input)


def imag(input: Any) -> Any:
    """RuntimeError: real numbers have no imaginary part."""
    need_tensor("imag", input)
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


def grad_dtype(self: Any) -> Any:
    """The dtype that `.grad` takes: the tensor's own."""
    return self.dtype


def is_same_size(input: Any, other: Any) -> bool:
    """Whether the shapes are equal."""
    a = need_tensor("is_same_size", input)
    return a._array.shape == need_tensor("is_same_size", other, 2, "other")._array.shape


def is_set_to(self: Any, tensor: Any) -> bool:
    """Whether both are the same elements of the same memory."""
    x, y = self._array, tensor._array
    return address_of(x) == address_of(y) and x.shape == y.shape and x.strides == y.strides


def is_cpu(self: Any) -> bool:
    """Whether the elements lie in the computer's memory."""
    return not on_gpu(self._array)


def is_cuda(self: Any) -> bool:
    """Whether the elements lie on a GPU."""
    return on_gpu(self._array)


def get_device(input: Any) -> int:
    """The index of the GPU; -1 on the CPU."""
    index = device_of(need_tensor("get_device", input)._array).index
    return -1 if index is None else index


def is_shared(self: Any) -> bool:
    """Whether other processes may see the memory; see `share_memory_`."""
    return mapping_of(self._array) is not None


def pin_memory(self: Any, device: Any = None) -> Any:
    """A copy in memory that a GPU reads by itself; self without a GPU, or if it is pinned."""
    if on_gpu(self._array):
        raise RuntimeError(f"cannot pin '{self.type()}' only dense CPU tensors can be pinned")
    array = pinned(self._array)
    return self if array is self._array else _v.wrap(array)


def is_pinned(self: Any, device: Any = None) -> bool:
    """Whether the memory is one that a GPU reads by itself."""
    return is_pinned_array(self._array)


# -- place in the graph and in memory ------------------------------------------------------------


def detach(input: Any) -> Any:
    """The same memory outside the graph."""
    return alias(need_tensor("detach", input))


def detach_(self: Any) -> Any:
    """Takes self out of the graph and returns it. RuntimeError for views."""
    if self._view is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    self._fn = None
    return self


def set_(self: Any, source: Any = None) -> Any:
    """Makes self see the memory of `source` (no elements without it) and returns self."""
    if source is None:
        source = _v.wrap(np.empty(0, self._array.dtype))
    if not isinstance(source, Variable):
        raise TypeError(
            f"set_(): argument 'source' (position 1) must be Tensor, not "
            f"{source.__class__.__name__}; minigrad has no storages"
        )
    if source._array.dtype != self._array.dtype:
        raise RuntimeError(
            f"Could not set tensor of type {dtypes.from_numpy(source._array.dtype)} to a tensor of "
            f"type {dtypes.from_numpy(self._array.dtype)}"
        )
    shared = alias(source)
    self._array, self._cell, self._view = shared._array, shared._cell, None
    if self._fn is not None and self._fn.__class__ is not Leaf:
        self._fn = None
    return self


def resize_(self: Any, *sizes: Any, size: Any = None, memory_format: Any = None) -> Any:
    """Gives self another shape, keeping the first elements in order; further ones are arbitrary.

    A larger tensor gets new memory, which its views do not see. RuntimeError if it requires grad.
    """
    if self._fn is not None:
        raise RuntimeError("cannot resize variables that require grad")
    sizes = sizes if size is None else (size,)
    given = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    shape = tuple([operator.index(n) for n in given])
    if any(n < 0 for n in shape):
        raise RuntimeError(f"resize_: sizes {list(shape)} given; needed: no negative size")
    check_format("resize_", memory_format)
    if memory_format in ORDERS:
        order = order_of(len(shape), memory_format)
        resize_(self, [shape[d] for d in order])
        self._array = self._array.transpose(np.argsort(order))
        return self
    old, count = self._array, math.prod(shape)
    if old.shape == shape:
        return self
    if count <= old.size and old.flags.c_contiguous:
        self._array = old.reshape(-1)[:count].reshape(shape)
        return self
    new = np.empty(count, old.dtype)
    kept = min(count, old.size)
    new[:kept] = old.reshape(-1)[:kept]
    self._array, self._cell, self._view = new.reshape(shape), None, None
    return self


def resize_as_(self: Any, the_template: Any, memory_format: Any = None) -> Any:
    """`resize_` to the shape of another tensor."""
    if memory_format is preserve_format:
        memory_format = suggested(the_template._array)
    return resize_(self, the_template._array.shape, memory_format=memory_format)
