"""Tensors from existing data: Python numbers and nests, NumPy arrays, buffers, DLPack."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd import variable as _v
from ..autograd.record import alias
from ..autograd.variable import Variable, set_requires_grad
from ..backend import adopted, as_device, as_place, device_of, on_gpu, without_memory
from ..kernels.dlpack import Incoming, exported
from ..kernels.fast import fast_from_numpy, fast_tensor
from ..ops._operands import to_dtype, to_place
from ..ops._shape import need_tensor
from ..ops.rearrange import clone
from ._common import (
    check_dtype,
    complex_array,
    complex_data,
    fill_from,
    finish,
    is_complex,
    number,
)

__all__ = [
    "as_tensor",
    "asarray",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "scalar_tensor",
    "tensor",
    "to_dlpack",
]


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Any:
    """A new tensor with a copy of `data`: a number, a nest of lists or tuples, or an array.

    Python ints give int64, floats the default dtype, bools bool; arrays keep their type.
    ValueError for ragged nests, TypeError or RuntimeError for elements that are no numbers.
    """
    made = fast_tensor(data, dtype, device, requires_grad)
    if made is not None:
        return made
    if is_complex(dtype):
        return complex_data(data, dtype, requires_grad)
    wanted = check_dtype("tensor", dtype)
    as_place(device)
    if isinstance(data, Variable):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        data = data._array
    array = array_from(data, wanted, True)
    if array.dtype.kind == "c":
        return complex_data(data, dtype, requires_grad)
    return finish(array, requires_grad, device)


_PLAIN = {float: None, int: np.dtype(np.int64), bool: np.dtype(np.bool_)}


def array_from(data: Any, wanted: np.dtype | None, complex_too: bool = False) -> np.ndarray:
    """A new array with the values of Python or NumPy data, typed as PyTorch would.

    `complex_too`: complex numbers are handed back as NumPy has them; else they are a TypeError.
    """
    if (
        isinstance(data, (np.ndarray, np.generic))
        or hasattr(data, "__array__")
        or hasattr(data, "__array_interface__")
    ):
        source = np.asarray(data)
        if complex_too and source.dtype.kind == "c":
            return source
        source = _checked(source, wanted)
        return clone(source) if wanted is None else to_dtype(source, wanted)
    shape = _shape_of_nest(data)
    leaves: list = []
    _flatten(data, shape, 0, leaves)
    kinds = set(map(type, leaves))
    if not leaves:
        return np.empty(shape, dtypes.default_numpy() if wanted is None else wanted)
    if kinds <= _PLAIN.keys():
        found = (
            dtypes.default_numpy()
            if float in kinds
            else _PLAIN[int]
            if int in kinds
            else _PLAIN[bool]
        )
        assert found is not None
    else:
        if complex_too and any(issubclass(kind, (complex, np.complexfloating)) for kind in kinds):
            return np.array(data)
        leaves = [number(leaf, wanted is None) for leaf in leaves]
        found = _promoted(leaves)
    return fill_from(leaves, found if wanted is None else wanted).reshape(shape)


def _checked(array: np.ndarray, wanted: np.dtype | None = None) -> np.ndarray:
    """An array that a tensor could share, or (unsigned numbers of any size) be converted to.

    TypeError or ValueError otherwise.
    """
    if wanted is None or array.dtype.kind != "u":
        dtypes.from_numpy(array.dtype)
    if not array.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    if any(s % array.itemsize for s in array.strides):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy "
            "array to reallocate the memory."
        )
    if any(s < 0 for s in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    return array


def _is_sequence(value: Any) -> bool:
    cls = value.__class__
    if cls is list or cls is tuple:
        return True
    if cls is float or cls is int or cls is bool or isinstance(value, (str, bytes, dict)):
        return False
    if isinstance(value, (Variable, np.ndarray)):
        return value.ndim > 0
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _shape_of_nest(data: Any) -> tuple[int, ...]:
    """The lengths along the first elements, which the others must have, too."""
    shape = []
    while _is_sequence(data):
        shape.append(len(data))
        if len(shape) > 64:
            raise ValueError(f"too many dimensions '{data.__class__.__name__}'")
        if not shape[-1]:
            break
        if isinstance(data, Variable):
            # A tensor of one element within a nest counts as a number.
            if data._array.size != 1:
                raise ValueError("only one element tensors can be converted to Python scalars")
            shape.pop()
            break
        data = data[0]
    if isinstance(data, (str, bytes)):
        if shape and isinstance(data, str):
            raise ValueError(f"too many dimensions '{data.__class__.__name__}'")
        raise TypeError(f"new(): invalid data type '{data.__class__.__name__}'")
    return tuple(shape)


def _flatten(data: Any, shape: tuple[int, ...], dim: int, leaves: list) -> None:
    if dim == len(shape):
        leaves.append(data)
        return
    if not _is_sequence(data):
        raise TypeError("not a sequence")
    if len(data) != shape[dim]:
        if shape[dim] == 0 and dim:
            return  # as PyTorch: nothing is read below an empty first element
        raise ValueError(f"expected sequence of length {shape[dim]} at dim {dim} (got {len(data)})")
    if dim + 1 < len(shape):
        for item in data:
            _flatten(item, shape, dim + 1, leaves)
    elif isinstance(data, np.ndarray):
        leaves.extend(data[i] for i in range(len(data)))
    else:
        leaves.extend(data)


def _promoted(leaves: list) -> np.dtype:
    found = None
    for leaf in leaves:
        if isinstance(leaf, np.generic):
            d = dtypes.from_numpy(leaf.dtype)
        else:
            d = dtypes.of_scalar(leaf)
        found = d if found is None else dtypes.promote_types(found, d)
    assert found is not None
    return found.numpy


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """`data` as a tensor, sharing its memory if it is a tensor or an array of that type."""
    if isinstance(data, np.ndarray) and data.dtype.kind == "c" and dtype is None:
        return complex_array(data)
    wanted = check_dtype("as_tensor", dtype)
    where = as_place(device)
    if where.type == "cuda" or on_gpu_already(data):
        return _on_gpu(data, wanted, None if device is None else where)
    if where.type == "meta":
        made = as_tensor(data, dtype)
        return made if made.is_meta else without_memory(made._array)
    if isinstance(data, Variable):
        return data if wanted is None or data._array.dtype == wanted else to_dtype(data, wanted)
    if isinstance(data, np.ndarray):
        array = _checked(data, wanted)
        if wanted is not None and array.dtype != wanted:
            array = to_dtype(array, wanted)
        return _v.wrap(array)
    return _v.wrap(array_from(data, wanted))


def on_gpu_already(data: Any) -> bool:
    """Whether data (a tensor, another library's array) lies on a GPU."""
    if isinstance(data, Variable):
        return on_gpu(data._array)
    return hasattr(data, "__cuda_array_interface__")


def _on_gpu(data: Any, wanted: np.dtype | None, where: Any) -> Any:
    """`as_tensor` of data that lies on a GPU, or for a device there (None: where the data lies)."""
    if isinstance(data, Variable):
        t: Any = data
    elif on_gpu_already(data):
        t = _v.wrap(adopted(data))
    else:
        t = tensor(data)
    if where is not None:
        t = to_place(t, where)
    return t if wanted is None or t._array.dtype == wanted else to_dtype(t, wanted)


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Any:
    """`obj` (tensor, array, buffer, number or nest) as a tensor.

    `copy`: True always copies, False never does (ValueError if it had to), None where needed.
    `requires_grad`: None leaves a tensor in its graph, False takes it out.
    """
    wanted = check_dtype("asarray", dtype)
    where = as_device(device)
    if isinstance(obj, Variable) or on_gpu_already(obj):
        t: Any = obj if isinstance(obj, Variable) else _v.wrap(adopted(obj))
        if device is not None and device_of(t._array) != where:
            _refuse_copy(copy)
            t = to_place(t, where)
        if wanted is not None and t._array.dtype != wanted:
            _refuse_copy(copy)
            t = to_dtype(t, wanted)
        elif copy:
            t = clone(t)
        if requires_grad and t._fn is None:
            set_requires_grad(t, True)
        elif requires_grad is False and t is obj and t.is_leaf:
            set_requires_grad(t, False)
        elif requires_grad is False and t._fn is not None:
            t = alias(t)
        return t
    if isinstance(obj, np.ndarray):
        array = _checked(obj, wanted)
        if wanted is not None and array.dtype != wanted:
            _refuse_copy(copy)
            array = to_dtype(array, wanted)
        elif copy:
            array = array.copy()
        return finish(array, bool(requires_grad), device)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        t = frombuffer(obj, dtype=dtypes._default if dtype is None else dtype)
        return finish(t._array.copy() if copy else t._array, bool(requires_grad), device)
    _refuse_copy(copy)
    return finish(array_from(obj, wanted), bool(requires_grad), device)


def _refuse_copy(copy: bool | None) -> None:
    if copy is False:
        raise ValueError("can't alias arbitrary sequence or convert the dtype without a copy")


def from_numpy(ndarray: np.ndarray) -> Any:
    """A tensor over the memory of a NumPy array. TypeError for types that no tensor has."""
    made = fast_from_numpy(ndarray)
    if made is not None:
        return made
    if isinstance(ndarray, np.ndarray) and ndarray.dtype.kind == "c":
        return complex_array(ndarray)
    if not isinstance(ndarray, np.ndarray):
        cls = ndarray.__class__
        module = "" if cls.__module__ == "builtins" else cls.__module__ + "."
        raise TypeError(f"expected np.ndarray (got {module}{cls.__name__})")
    array = _checked(ndarray)
    if not array.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable "
            "tensors. minigrad refuses in-place operations on such a tensor; copy the array to "
            "allow them.",
            UserWarning,
            stacklevel=2,
        )
    # A subclass of ndarray (a matrix, a memory map) would bring its own rules.
    return _v.wrap(array if array.__class__ is np.ndarray else array.view(np.ndarray))


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Any:
    """A 1-d tensor over the memory of an object with the buffer protocol.

    `count` elements (-1: all) are read from byte `offset` on. ValueError where that does not fit.
    """
    wanted = check_dtype("frombuffer", dtype)
    assert wanted is not None
    try:
        view = memoryview(buffer)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    size, item = view.nbytes, wanted.itemsize
    if not size or not count:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({size} bytes) minus 1"
        )
    if count < 0:
        if (size - offset) % item:
            raise ValueError(
                f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a "
                f"multiple of element size ({item})"
            )
        count = (size - offset) // item
    elif offset + count * item > size:
        raise ValueError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({size} bytes)"
        )
    if view.readonly:
        warnings.warn(
            "The given buffer is not writable; in-place operations on the tensor are refused.",
            UserWarning,
            stacklevel=2,
        )
    return finish(np.frombuffer(view, wanted, count, offset), requires_grad)


_DLPACK_CUDA = 2  # kDLCUDA, the number of the kind of device


class _Capsule:
    """An object with DLPack's methods around a bare capsule of the CPU's."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


class _Writable:
    """The memory of an array, to be written to."""

    def __init__(self, array: np.ndarray):
        self.array = array
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Any:
    """A tensor over the memory of another library's array on the CPU, or of a DLPack capsule.

    `copy=True` gives it memory of its own. TypeError for types a tensor cannot hold.
    """
    where = as_device(device)
    if ext_tensor.__class__.__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    elif not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            f"from_dlpack: {ext_tensor.__class__.__name__} given; needed: an object with "
            "__dlpack__, or a DLPack capsule"
        )
    if ext_tensor.__dlpack_device__()[0] == _DLPACK_CUDA:
        t = _v.wrap(adopted(ext_tensor))
        return to_place(t.clone() if copy else t, where if device is not None else t.device)
    given = Incoming(ext_tensor)
    array = np.from_dlpack(given)
    if not array.flags.writeable and isinstance(ext_tensor, _Capsule):
        # Capsules of the first version do not say whether one may write; PyTorch does.
        array = np.asarray(_Writable(array))
    if given.bfloat16:
        array = array.view(dtypes.bfloat16.numpy)
    return finish(_checked(array.copy() if copy else array), device=device)


def to_dlpack(tensor: Any) -> Any:
    """A DLPack capsule over the memory of a tensor."""
    array = need_tensor("to_dlpack", tensor)._array
    return exported(array, array.dtype)


def scalar_tensor(
    s: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """A 0-d tensor of the default dtype (or `dtype`) with the value of a number."""
    if is_complex(dtype):
        return complex_data(s, dtype, requires_grad)
    as_place(device)
    wanted = check_dtype("scalar_tensor", dtype) or dtypes.default_numpy()
    return finish(fill_from([number(s)], wanted).reshape(()), requires_grad, device)
