"""Data types: PyTorch's names over NumPy's types, and PyTorch's promotion rules.

A `dtype` object is what a user passes and what `Tensor.dtype` returns; `dtype.numpy` is the NumPy
type that holds the data. Promotion follows three categories (bool < integer < float) with three
priorities (tensors with dimensions, 0-d tensors, Python numbers): a value of lower priority counts
only when it raises the category.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np

# Printed names match PyTorch's, so that programs which print or parse them behave the same.
_PREFIX = "torch."


class dtype:
    """One element type. `itemsize` is in bytes."""

    __slots__ = ("name", "numpy", "itemsize", "is_floating_point", "category", "is_signed")
    is_complex = False

    def __init__(self, name: str, numpy_type: object, category: int, is_signed: bool = True):
        self.name = name
        self.numpy = np.dtype(numpy_type)  # type: ignore[call-overload]
        self.itemsize = self.numpy.itemsize
        self.category = category  # 0 bool, 1 integer, 2 floating point
        self.is_floating_point = category == 2
        self.is_signed = is_signed

    def __repr__(self) -> str:
        return _PREFIX + self.name

    def __reduce__(self) -> tuple:
        return (from_name, (self.name,))

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: dict) -> dtype:
        return self

    def to_real(self) -> dtype:
        return self


bool_ = dtype("bool", np.bool_, 0, is_signed=False)
uint8 = dtype("uint8", np.uint8, 1, is_signed=False)
int8 = dtype("int8", np.int8, 1)
int16 = dtype("int16", np.int16, 1)
int32 = dtype("int32", np.int32, 1)
int64 = dtype("int64", np.int64, 1)
float16 = dtype("float16", np.float16, 2)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, 2)
float32 = dtype("float32", np.float32, 2)
float64 = dtype("float64", np.float64, 2)


class AbsentDtype(dtype):
    """A dtype of PyTorch's that no tensor here has: it can be compared with, and no more."""

    __slots__ = ("is_complex",)

    def __init__(self, name: str, itemsize: int, category: int, is_signed: bool = True):
        self.name, self.itemsize, self.category = name, itemsize, category
        self.is_floating_point = category == 2
        self.is_complex = category == 3
        self.is_signed = is_signed

    @property
    def numpy(self) -> np.dtype:
        """NotImplementedError."""
        raise self.error()

    def error(self) -> Exception:
        """The error for a use of this dtype."""
        return NotImplementedError(
            f"{self!r} is not in minigrad; needed: one of {', '.join(d.name for d in ALL)}"
        )


complex32, complex64, complex128 = (AbsentDtype(f"complex{8 * n}", n, 3) for n in (4, 8, 16))
uint16, uint32, uint64 = (AbsentDtype(f"uint{8 * n}", n, 1, False) for n in (2, 4, 8))
float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu = (
    AbsentDtype(f"float8_{kind}", 1, 2)
    for kind in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
)
qint8, qint32 = AbsentDtype("qint8", 1, 1), AbsentDtype("qint32", 4, 1)
quint8, quint4x2 = AbsentDtype("quint8", 1, 1, False), AbsentDtype("quint4x2", 1, 1, False)

ABSENT = (
    complex32, complex64, complex128, uint16, uint32, uint64, float8_e4m3fn, float8_e4m3fnuz,
    float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu, qint8, qint32, quint8, quint4x2,
)  # fmt: skip
ALL = (bool_, uint8, int8, int16, int32, int64, float16, bfloat16, float32, float64)

# The names under which the package exports them, PyTorch's aliases included.
NAMES: dict[str, dtype] = {d.name: d for d in ALL} | {
    "half": float16,
    "float": float32,
    "double": float64,
    "short": int16,
    "int": int32,
    "long": int64,
}

_BY_NAME = {d.name: d for d in (*ALL, *ABSENT)}
_BY_NUM = {d.numpy.num: d for d in ALL}
# NumPy has several type numbers of the same width (long and long long, by platform).
for _alias in (np.longlong, np.intc, np.int_):
    _BY_NUM.setdefault(np.dtype(_alias).num, _BY_NAME[f"int{8 * np.dtype(_alias).itemsize}"])

_CPP_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16",
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "bool": "Bool",
}  # fmt: skip

_default = float32


def type_name(d: dtype) -> str:
    """PyTorch's internal name of a dtype, as its messages print it ("Float", "Long")."""
    return _CPP_NAMES[d.name]


def from_name(name: str) -> dtype:
    """The dtype called `name`, such as "float32"."""
    return _BY_NAME[name]


def from_numpy(numpy_type: np.dtype) -> dtype:
    """The dtype of a NumPy type. TypeError for types that a tensor cannot hold."""
    found = _BY_NUM.get(numpy_type.num)
    if found is None:
        names = ", ".join(d.name for d in ALL)
        raise TypeError(
            f"can't convert np.ndarray of type {numpy_type}. The supported types are: {names}."
        )
    return found


def numpy_type(value: object) -> np.dtype:
    """The NumPy type for a dtype object, a Python type (float, int, bool) or a NumPy type."""
    if value.__class__ is dtype:
        return value.numpy
    if isinstance(value, AbsentDtype):
        return value.numpy
    if value is float:
        return float64.numpy
    if value is int:
        return int64.numpy
    if value is bool:
        return bool_.numpy
    try:
        return from_numpy(np.dtype(value)).numpy  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(f"dtype must be torch.dtype, not {value.__class__.__name__}") from None


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats (float32 unless changed)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the dtype of tensors made from Python floats. TypeError unless floating point."""
    global _default
    if d.__class__ is not dtype or not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _default = d


def default_numpy() -> np.dtype:
    """The NumPy type of the default dtype."""
    return _default.numpy


def of_scalar(value: object) -> dtype:
    """The dtype that a Python (or NumPy) number stands for in promotion."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return _default
    raise TypeError(f"expected a number, got {value.__class__.__name__}")


_LADDER_FLOAT = {float16: 1, bfloat16: 1, float32: 2, float64: 3}


def need_dtype(name: str, argument: str, position: int, value: object) -> None:
    """TypeError unless a function's argument is a dtype."""
    if isinstance(value, AbsentDtype):
        raise value.error()
    if value.__class__ is not dtype:
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be torch.dtype, not "
            f"{value.__class__.__name__}"
        )


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to."""
    a, b = type1, type2
    pair = (type1, type2)
    known = (*ALL, complex64, complex128)
    if (complex64 in pair or complex128 in pair) and all(t in known for t in pair):
        return complex128 if complex128 in pair or float64 in pair else complex64
    need_dtype("promote_types", "type1", 1, a)
    need_dtype("promote_types", "type2", 2, b)
    if a is b:
        return a
    if a.category != b.category:
        return a if a.category > b.category else b
    if a.category == 2:
        if _LADDER_FLOAT[a] == _LADDER_FLOAT[b]:  # float16 with bfloat16
            return float32
        return a if _LADDER_FLOAT[a] > _LADDER_FLOAT[b] else b
    # Integers: uint8 with a signed type of the same width needs the next wider one.
    if a is uint8 or b is uint8:
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return a if a.itemsize > b.itemsize else b


def result_type_of(dims: dtype | None, zero_dims: dtype | None, scalars: dtype | None) -> dtype:
    """Combines the promoted types of the three priorities (highest first) into one."""
    result = dims
    for lower in (zero_dims, scalars):
        if lower is None:
            continue
        if result is None:
            result = lower
        elif lower.category > result.category:
            # A Python float meeting integers gives the default dtype, not the tensor's.
            result = promote_types(result, lower)
    assert result is not None
    return result


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether an in-place result of type `from_` may be written to a tensor of type `to`."""
    return from_.category <= to.category


class finfo:
    """Limits of a floating-point dtype: bits, eps, max, min, tiny, smallest_normal, resolution.

    Of a complex dtype, those of its parts.
    """

    def __init__(self, type: dtype | None = None):
        d = _default if type is None else type
        if d.is_complex:
            d = {"complex32": float16, "complex64": float32, "complex128": float64}[d.name]
        if not d.is_floating_point:
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{d!r}'"
            )
        info = ml_dtypes.finfo(d.numpy)
        self.dtype = d.name
        self.bits = 8 * d.itemsize
        self.eps = float(info.eps)
        self.max = float(info.max)
        self.min = float(info.min)
        self.tiny = float(info.tiny)
        self.smallest_normal = float(info.smallest_normal)
        self.resolution = 10.0**-info.precision

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: bits, min, max."""

    def __init__(self, type: dtype):
        if type.category != 1:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                f"'{type!r}'"
            )
        info = np.iinfo(type.numpy)
        self.dtype = type.name
        self.bits = 8 * type.itemsize
        self.min = int(info.min)
        self.max = int(info.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
