"""What stands in NumPy's place in the kernels' Python code when it runs on a GPU.

NumPy's functions of arrays find their way to CuPy through NumPy's protocols. What makes arrays from
shapes and numbers has no array to see by: here these functions make them on the current device.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import numpy as np

from .cuda_array import BFLOAT16, CudaArray, empty, wrap
from .cuda_calls import FORMS
from .cuda_library import library


def _made(name: str) -> Any:
    """CuPy's function of that name, which makes an array."""

    def make(*args: Any, **kwargs: Any) -> CudaArray:
        return CudaArray(getattr(library().cupy, name)(*args, **kwargs))

    make.__name__ = make.__qualname__ = name
    return make


def _filled(value: Any) -> Any:
    def make(shape: Any, dtype: Any = float, order: str = "C") -> CudaArray:
        result = empty(shape, dtype)
        result.fill(value)
        return result

    return make


def _full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> CudaArray:
    if dtype is None:
        dtype = fill_value.dtype if hasattr(fill_value, "dtype") else np.asarray(fill_value).dtype
    result = empty(shape, dtype)
    result.fill(fill_value)
    return result


def _array(value: Any, dtype: Any = None, copy: Any = True, order: str = "K") -> Any:
    if type(value) is CudaArray:
        wanted = value.dtype if dtype is None else np.dtype(dtype)
        return value if not copy and wanted == value.dtype else value.astype(wanted, order)
    if isinstance(value, (list, tuple)) and any(type(v) is CudaArray for v in value):
        return np.stack([_array(v, dtype, copy=False) for v in value])
    host = np.asarray(value, dtype)
    if host.dtype == BFLOAT16:
        return CudaArray(library().cupy.asarray(host.view(np.uint16)), BFLOAT16)
    return CudaArray(library().cupy.asarray(host))


def _asarray(value: Any, dtype: Any = None, order: str = "K", copy: Any = None) -> CudaArray:
    return _array(value, dtype, copy=bool(copy), order=order)


def _contiguous(value: Any, dtype: Any = None) -> CudaArray:
    x = _asarray(value, dtype)
    return x if x.flags.c_contiguous else x.copy("C")


def as_strided(x: CudaArray, shape: Any = None, strides: Any = None, **options: Any) -> CudaArray:
    """A view with any shape and strides (in bytes), as NumPy's."""
    form = library().cupy.lib.stride_tricks.as_strided
    return wrap(form(x.store, shape, strides), x.dtype, x)


def _arrays(*values: Any) -> Any:
    return [v if v.ndim else v.reshape(1) for v in map(_asarray, values)]


class _Rows:
    """`numpy.r_[a, b]`: arrays and numbers one after the other."""

    def __getitem__(self, parts: Any) -> Any:
        return np.concatenate([v.reshape(-1) for v in map(_asarray, parts)])


class _Namespace(types.ModuleType):
    """NumPy's names, some of them others. All are in its dictionary, so that reading is as fast."""

    def __init__(self, name: str, under: Any, **own: Any):
        super().__init__(name)
        self.__dict__.update(vars(under) | own)
        self._under = under

    def __getattr__(self, name: str) -> Any:  # what NumPy loads when first asked for
        return getattr(self._under, name)


def _by_place(plain: Any, other: Any) -> Any:
    """A function of an array that looks where it lies."""

    @functools.wraps(plain)
    def function(value: Any, *args: Any, **kwargs: Any) -> Any:
        if type(value) is CudaArray:
            return other(value, *args, **kwargs)
        return plain(value, *args, **kwargs)

    return function


def _for_like(make: Any) -> Any:
    """A function as NumPy calls it for `like=x`: `device=None` has no meaning here."""
    return lambda *args, device=None, **kwargs: make(*args, **kwargs)


# What takes shapes and numbers, with NumPy's `like=` as well.
_MAKERS: dict[str, Any] = {
    "arange": _made("arange"),
    "array": _array,
    "asarray": _asarray,
    "empty": lambda shape, dtype=float, order="C": empty(shape, dtype),
    "eye": _made("eye"),
    "full": _full,
    "identity": _made("identity"),
    "ones": _filled(1),
    "tri": _made("tri"),
    "zeros": _filled(0),
}
FORMS.update({name: _for_like(make) for name, make in _MAKERS.items()})

_tricks = _Namespace("numpy.lib.stride_tricks", np.lib.stride_tricks, as_strided=as_strided)

#: The module that the kernels' code gets for `import numpy`.
numpy: Any = _Namespace(
    "numpy",
    np,
    **_MAKERS,
    ascontiguousarray=_contiguous,
    atleast_1d=lambda *v: _arrays(*v)[0] if len(v) == 1 else _arrays(*v),
    indices=_made("indices"),
    lib=_Namespace("numpy.lib", np.lib, stride_tricks=_tricks),
    linspace=_made("linspace"),
    r_=_Rows(),
)

_by_tricks = _Namespace(
    "numpy.lib.stride_tricks",
    np.lib.stride_tricks,
    as_strided=_by_place(np.lib.stride_tricks.as_strided, as_strided),
)

#: What operations get in NumPy's place once there are arrays on a GPU: where functions that NumPy
#: computes itself, whatever the class of their argument, look where it lies.
seeing: Any = _Namespace(
    "numpy",
    np,
    array=_by_place(np.array, _array),
    asarray=_by_place(np.asarray, _asarray),
    ascontiguousarray=_by_place(np.ascontiguousarray, _contiguous),
    lib=_Namespace("numpy.lib", np.lib, stride_tricks=_by_tricks),
)
