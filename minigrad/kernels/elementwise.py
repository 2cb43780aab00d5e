"""Elementwise kernels in NumPy: the fallback and oracle of the compiled ones, by the same names.

A kernel takes arrays (an operand of a binary one may also be a Python float) and gives a new array
or, for no dimensions, perhaps a NumPy scalar. Quiet functions must not call each other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._quiet import quiet, unsupported, wide
from .activation import *  # noqa: F403
from .special import *  # noqa: F403

# -- two operands ----------------------------------------------------------------------------------

add = quiet(np.add)
sub = quiet(np.subtract)
mul = quiet(np.multiply)
div = quiet(np.true_divide)
maximum = np.maximum
minimum = np.minimum
fmax = np.fmax
fmin = np.fmin
atan2 = wide(np.arctan2)
hypot = wide(np.hypot)
logaddexp = wide(np.logaddexp)
logaddexp2 = wide(np.logaddexp2)
copysign = np.copysign
nextafter = quiet(np.nextafter)


def _check_integers(name: str, x: Any, y: Any) -> bool:
    """True for integers, after refusing bools and zeros in y."""
    kind = getattr(x, "dtype", np.dtype(float)).kind
    if kind == "b":
        raise unsupported(name, x)
    if kind not in "iu":
        return False
    if not np.all(y):
        raise RuntimeError("ZeroDivisionError")
    return True


@wide
def div_floor(x: Any, y: Any) -> Any:
    """Rounded towards minus infinity; x / 0 as in true division for floats."""
    _check_integers("div_floor_cpu", x, y)
    return np.floor_divide(x, y)


@wide
def div_trunc(x: Any, y: Any) -> Any:
    """Rounded towards zero."""
    if not _check_integers("div_trunc_cpu", x, y):
        return np.trunc(np.true_divide(x, y))
    quotient = np.floor_divide(x, y)
    if x.dtype.kind == "u":
        return quotient
    uneven = np.remainder(x, y) != 0
    return (quotient + (uneven & ((x < 0) != (y < 0)))).astype(quotient.dtype)


@wide
def remainder(x: Any, y: Any) -> Any:
    """What `div_floor` leaves: the sign is that of y."""
    _check_integers("remainder_cpu", x, y)
    return np.remainder(x, y)


@wide
def fmod(x: Any, y: Any) -> Any:
    """What `div_trunc` leaves: the sign is that of x."""
    _check_integers("fmod_cpu", x, y)
    return np.fmod(x, y)


@wide
def pow(x: Any, y: Any) -> Any:
    """x^y; integers to negative powers are 0 unless x is 1 or -1."""
    dtype = np.result_type(x, y)
    if dtype.kind == "b":
        raise unsupported("pow", x)
    if dtype.kind != "i":
        return np.power(x, y)
    result = np.power(x, np.maximum(y, 0))
    odd = np.where(np.remainder(y, 2) == 0, 1, -1)
    return np.where(y >= 0, result, (x == 1) + (x == -1) * odd).astype(dtype)


@wide
def pow_scalar(x: Any, y: float) -> Any:
    """x^y for one number, by the shortcuts that PyTorch takes (sqrt(-inf) is NaN)."""
    if x.dtype.kind == "b":
        return x.copy() if y else np.ones_like(x)
    if y == 2:
        return np.multiply(x, x)
    if y == 3:
        return np.multiply(x * x, x)
    if x.dtype.kind == "f":
        if y == 0.5:
            return np.sqrt(x)
        if y == -0.5:
            return np.reciprocal(np.sqrt(x))
        if y == -1:
            return np.reciprocal(x)
        if y == -2:
            return np.reciprocal(x * x)
    return np.power(x, np.asarray(y).astype(x.dtype))


@wide
def xlogy(x: Any, y: Any) -> Any:
    """x log y; 0 where x is 0, NaN where y is."""
    kind = x.dtype if hasattr(x, "dtype") else y.dtype
    x, y = np.asarray(x, kind), np.asarray(y, kind)
    result = np.multiply(x, np.log(y))
    return np.where((np.equal(x, 0)) & ~np.isnan(y), np.zeros_like(result), result)


@quiet
def heaviside(x: Any, values: Any) -> Any:
    """0 below 0 and for NaN, 1 above, `values` at 0."""
    return np.where(x == 0, values, (x > 0).astype(values.dtype))


# -- three operands --------------------------------------------------------------------------------


@wide
def addcmul(x: Any, a: Any, b: Any, value: Any) -> Any:
    """x + value * a * b."""
    return np.add(x, np.asarray(value).astype(x.dtype) * a * b)


@wide
def addcdiv(x: Any, a: Any, b: Any, value: Any) -> Any:
    """x + value * a / b."""
    return np.add(x, np.asarray(value).astype(x.dtype) * a / b)


@wide
def lerp(x: Any, end: Any, weight: Any) -> Any:
    """x + weight * (end - x), from the nearer end, so that the weights 0 and 1 are exact."""
    weight = np.asarray(weight).astype(x.dtype)
    step = np.subtract(end, x)
    return np.where(np.abs(weight) < 0.5, x + weight * step, end - step * (1 - weight))


@wide
def lerp_number(x: Any, end: Any, weight: float) -> Any:
    """`lerp` for one weight."""
    step = np.subtract(end, x)
    if -0.5 < weight < 0.5:
        return np.add(x, np.multiply(step, weight))
    return np.subtract(end, np.multiply(step, 1 - weight))


@wide
def cube(x: Any) -> Any:
    """x^3."""
    return np.multiply(np.multiply(x, x), x)


@wide
def add_scaled(x: Any, y: Any, scale: float) -> Any:
    """x + scale * y."""
    return np.add(x, np.multiply(y, scale))


# -- comparison, logic, bits -----------------------------------------------------------------------

eq = np.equal
ne = np.not_equal
lt = quiet(np.less)
le = quiet(np.less_equal)
gt = quiet(np.greater)
ge = quiet(np.greater_equal)
logical_and = np.logical_and
logical_or = np.logical_or
logical_xor = np.logical_xor
logical_not = np.logical_not


def _bits(name: str, function: Any) -> Any:
    def kernel(x: Any, *y: Any) -> Any:
        if x.dtype.kind not in "biu":
            raise unsupported(name, x)
        return function(x, *y)

    kernel.__name__ = function.__name__
    kernel.__doc__ = f"{function.__name__} of integers or bools."
    return kernel


bitwise_and = _bits("bitwise_and_cpu", np.bitwise_and)
bitwise_or = _bits("bitwise_or_cpu", np.bitwise_or)
bitwise_xor = _bits("bitwise_xor_cpu", np.bitwise_xor)
bitwise_not = _bits("bitwise_not_cpu", np.invert)


def left_shift(x: Any, y: Any) -> Any:
    """x << y; 0 where y is not a number of bits that x has."""
    if x.dtype.kind not in "iu":
        raise unsupported("lshift_cpu", x)
    bits = 8 * x.dtype.itemsize
    fits = (y >= 0) & (y < bits)
    return np.where(fits, np.left_shift(x, np.where(fits, y, 0).astype(y.dtype)), x.dtype.type(0))


def right_shift(x: Any, y: Any) -> Any:
    """x >> y; only the sign is left where y is not a number of bits that x has."""
    if x.dtype.kind not in "iu":
        raise unsupported("rshift_cpu", x)
    last = 8 * x.dtype.itemsize - (x.dtype.kind == "i")
    fits = (y >= 0) & (y < last)
    shifted = np.right_shift(x, np.where(fits, y, 0).astype(y.dtype))
    # A signed number keeps its sign bit, an unsigned one keeps nothing.
    sign = np.minimum(x, 0) >> last if x.dtype.kind == "i" else np.zeros_like(x)
    return np.where(fits, shifted, sign)


def isnan(x: Any) -> Any:
    """Whether x is NaN."""
    return np.not_equal(x, x)


def isinf(x: Any) -> Any:
    """Whether x is infinite."""
    return np.isinf(x) if x.dtype.kind in "fV" else np.zeros_like(x, np.bool_, order="C")


def isfinite(x: Any) -> Any:
    """Whether x is neither infinite nor NaN."""
    return np.isfinite(x) if x.dtype.kind in "fV" else np.ones_like(x, np.bool_, order="C")


def isposinf(x: Any) -> Any:
    """Whether x is plus infinity."""
    return np.equal(x, math.inf)


def isneginf(x: Any) -> Any:
    """Whether x is minus infinity."""
    return np.equal(x, -math.inf)


def isreal(x: Any) -> Any:
    """True: there are no complex arrays."""
    return np.ones_like(x, np.bool_, order="C")


# -- one operand -----------------------------------------------------------------------------------

exp = quiet(np.exp)
exp2 = quiet(np.exp2)
expm1 = quiet(np.expm1)
log = quiet(np.log)
log2 = quiet(np.log2)
log10 = quiet(np.log10)
log1p = quiet(np.log1p)
sqrt = quiet(np.sqrt)
square = quiet(np.square)
reciprocal = quiet(np.reciprocal)
sin = quiet(np.sin)
cos = quiet(np.cos)
tan = quiet(np.tan)
asin = quiet(np.arcsin)
acos = quiet(np.arccos)
atan = quiet(np.arctan)
sinh = quiet(np.sinh)
cosh = quiet(np.cosh)
tanh = quiet(np.tanh)
asinh = quiet(np.arcsinh)
acosh = quiet(np.arccosh)
atanh = quiet(np.arctanh)


def neg(x: Any) -> Any:
    """-x; unsigned integers wrap around."""
    if x.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return np.negative(x)


def abs(x: Any) -> Any:
    """|x|."""
    if x.dtype.kind == "b":
        raise unsupported("abs_cpu", x)
    return np.absolute(x)


@wide
def rsqrt(x: Any) -> Any:
    """1 / sqrt(x)."""
    return np.reciprocal(np.sqrt(x))


def sign(x: Any) -> Any:
    """-1, 0 or 1; 0 for NaN, as in PyTorch."""
    if x.dtype.kind == "b":
        return x.copy()
    if x.dtype.kind in "fV":
        return np.where(x != x, x.dtype.type(0), np.sign(x))
    return np.sign(x)


def signbit(x: Any) -> Any:
    """Whether the sign is negative (-0.0 included)."""
    return np.signbit(x) if x.dtype.kind in "fV" else x < 0


def _rounding(name: str, function: Any) -> Any:
    def kernel(x: Any) -> Any:
        if x.dtype.kind in "fV":
            return function(x)
        if x.dtype.kind == "b":
            raise unsupported(name, x)
        return x.copy()

    kernel.__name__ = function.__name__
    kernel.__doc__ = f"{function.__name__}(x); integers as they are."
    return kernel


floor = _rounding("floor_vml_cpu", np.floor)
ceil = _rounding("ceil_vml_cpu", np.ceil)
round = _rounding("round_vml_cpu", np.rint)
trunc = _rounding("trunc_vml_cpu", np.trunc)


@wide
def round_decimals(x: Any, decimals: int) -> Any:
    """x rounded to 10^-decimals, by the same scaling as PyTorch."""
    if x.dtype.kind not in "fV":
        raise unsupported("round_cpu" if decimals else "round_vml_cpu", x)
    scale = x.dtype.type(10.0 ** (decimals if decimals > 0 else -decimals))
    return np.rint(x * scale) / scale if decimals >= 0 else np.rint(x / scale) * scale


@quiet
def frac(x: Any) -> Any:
    """x - trunc(x)."""
    if x.dtype.kind not in "fV":
        raise unsupported("frac_cpu", x)
    return x - np.trunc(x)


@wide
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    t = np.negative(x, out=np.empty(x.shape, x.dtype))
    np.exp(t, out=t)
    t += 1
    return np.reciprocal(t, out=t)


@wide
def logit(x: Any) -> Any:
    """log(x / (1 - x))."""
    return np.log(x / (1 - x))


@wide
def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0."""
    y = x * x.dtype.type(math.pi)
    return np.where(y == 0, x.dtype.type(1), np.sin(y) / y)


@wide
def deg2rad(x: Any) -> Any:
    """Degrees to radians."""
    return x * x.dtype.type(math.pi / 180)


@wide
def rad2deg(x: Any) -> Any:
    """Radians to degrees."""
    return x * x.dtype.type(180 / math.pi)


@quiet
def clamp(x: Any, low: Any, high: Any) -> Any:
    """min(max(x, low), high) for numbers (None: no limit); NaN stays NaN."""
    if low is not None:
        x = np.maximum(x, np.asarray(low).astype(x.dtype))
    return x if high is None else np.minimum(x, np.asarray(high).astype(x.dtype))


@quiet
def within(x: Any, low: Any, high: Any) -> Any:
    """Whether low <= x <= high for numbers (None: no limit)."""
    result = np.ones(x.shape, np.bool_)
    if low is not None:
        result &= np.greater_equal(x, np.asarray(low).astype(x.dtype))
    if high is not None:
        result &= np.less_equal(x, np.asarray(high).astype(x.dtype))
    return result


@quiet
def where(mask: Any, x: Any, y: Any) -> Any:
    """x where the bool array is set, else y; a float takes the other operand's type."""
    dtype = getattr(x, "dtype", None) or y.dtype
    x, y = (v if hasattr(v, "dtype") else np.asarray(v).astype(dtype) for v in (x, y))
    return np.where(mask, x, y)


def nan_to_num(x: Any, nan: float, posinf: float, neginf: float) -> Any:
    """A copy in which NaN and infinities are replaced."""
    result = x.copy()
    if x.dtype.kind in "fV":
        result[np.isnan(x)] = nan
        result[x == math.inf] = posinf
        result[x == -math.inf] = neginf
    return result
