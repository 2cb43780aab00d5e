"""`Tensor` methods of arithmetic, powers, rounding and so on: each *is* an op function."""

from __future__ import annotations

from .. import ops
from ..ops._inplace import (
    in_place,
    in_place_arithmetic,
    in_place_clamp,
    in_place_function,
    in_place_lerp,
    in_place_sum,
)
from ..ops._operators import (
    float_power_in_place,
    polygamma_method,
    reflected,
    reflected_as,
    repeated_or_multiplied,
)
from ..ops.arith import Div, Rdiv, Rsub, Sub


class Pointwise:
    """Operations on one element at a time."""

    __slots__ = ()

    # -- arith -------------------------------------------------------------------------------------

    add = __add__ = __radd__ = ops.add
    sub = subtract = __sub__ = ops.sub
    mul = multiply = __mul__ = ops.mul
    __rmul__ = repeated_or_multiplied
    div = divide = true_divide = __truediv__ = __div__ = ops.div
    floor_divide = __floordiv__ = ops.floor_divide
    remainder = __mod__ = ops.remainder
    fmod = ops.fmod
    neg = negative = __neg__ = ops.neg
    positive = __pos__ = ops.positive
    __rsub__ = reflected_as(ops.sub, Sub, Rsub)
    __rtruediv__ = __rdiv__ = reflected_as(ops.div, Div, Rdiv)
    __rfloordiv__ = reflected(ops.floor_divide)
    __rmod__ = reflected(ops.remainder)
    add_ = __iadd__ = in_place_arithmetic(ops.add)
    sub_ = subtract_ = __isub__ = in_place_arithmetic(ops.sub)
    mul_ = multiply_ = __imul__ = in_place_arithmetic(ops.mul)
    div_ = divide_ = true_divide_ = __itruediv__ = __idiv__ = in_place_arithmetic(ops.div)
    floor_divide_ = __ifloordiv__ = in_place(ops.floor_divide)
    remainder_ = __imod__ = in_place(ops.remainder)
    fmod_ = in_place(ops.fmod)
    neg_ = negative_ = in_place_function(ops.neg)
    addcmul, addcmul_ = ops.addcmul, in_place_sum(ops.addcmul)
    addcdiv, addcdiv_ = ops.addcdiv, in_place_sum(ops.addcdiv)
    lerp, lerp_ = ops.lerp, in_place_lerp(ops.lerp)

    # -- power, pairs, extrema ---------------------------------------------------------------------

    pow = __pow__ = ops.pow
    pow_ = __ipow__ = in_place(ops.pow)
    __rpow__ = reflected(ops.pow)
    float_power, float_power_ = ops.float_power, float_power_in_place
    square, square_ = ops.square, in_place(ops.square)
    copysign, copysign_ = ops.copysign, in_place(ops.copysign)
    gcd, gcd_ = ops.gcd, in_place(ops.gcd)
    heaviside, heaviside_ = ops.heaviside, in_place(ops.heaviside)
    hypot, hypot_ = ops.hypot, in_place(ops.hypot)
    lcm, lcm_ = ops.lcm, in_place(ops.lcm)
    ldexp, ldexp_ = ops.ldexp, in_place(ops.ldexp)
    logaddexp = ops.logaddexp
    logaddexp2 = ops.logaddexp2
    nextafter, nextafter_ = ops.nextafter, in_place(ops.nextafter)
    xlogy, xlogy_ = ops.xlogy, in_place(ops.xlogy)
    clamp_max, clamp_max_ = ops.clamp_max, in_place(ops.clamp_max)
    clamp_min, clamp_min_ = ops.clamp_min, in_place(ops.clamp_min)
    fmax = ops.fmax
    fmin = ops.fmin
    maximum = ops.maximum
    minimum = ops.minimum
    nan_to_num, nan_to_num_ = ops.nan_to_num, in_place(ops.nan_to_num)
    atan2 = arctan2 = ops.atan2
    atan2_ = arctan2_ = in_place(ops.atan2)
    clamp = clip = ops.clamp
    clamp_ = clip_ = in_place_clamp(ops.clamp)

    # -- unary, rounding, trigonometric, special ---------------------------------------------------

    exp, exp_ = ops.exp, in_place_function(ops.exp)
    exp2, exp2_ = ops.exp2, in_place_function(ops.exp2)
    expm1, expm1_ = ops.expm1, in_place_function(ops.expm1)
    log, log_ = ops.log, in_place_function(ops.log)
    log10, log10_ = ops.log10, in_place_function(ops.log10)
    log1p, log1p_ = ops.log1p, in_place_function(ops.log1p)
    log2, log2_ = ops.log2, in_place_function(ops.log2)
    reciprocal, reciprocal_ = ops.reciprocal, in_place_function(ops.reciprocal)
    rsqrt, rsqrt_ = ops.rsqrt, in_place_function(ops.rsqrt)
    sqrt, sqrt_ = ops.sqrt, in_place_function(ops.sqrt)
    abs = absolute = __abs__ = ops.abs
    abs_ = absolute_ = in_place_function(ops.abs)
    ceil, ceil_ = ops.ceil, in_place_function(ops.ceil)
    floor, floor_ = ops.floor, in_place_function(ops.floor)
    frac, frac_ = ops.frac, in_place(ops.frac)
    round, round_ = ops.round, in_place_function(ops.round)
    frexp = ops.frexp
    angle = ops.angle
    sgn, sgn_ = ops.sgn, in_place(ops.sgn)
    sign, sign_ = ops.sign, in_place_function(ops.sign)
    trunc = fix = ops.trunc
    trunc_ = fix_ = in_place_function(ops.trunc)
    sin, sin_ = ops.sin, in_place_function(ops.sin)
    cos, cos_ = ops.cos, in_place_function(ops.cos)
    tan, tan_ = ops.tan, in_place(ops.tan)
    asin = arcsin = ops.asin
    asin_ = arcsin_ = in_place(ops.asin)
    acos = arccos = ops.acos
    acos_ = arccos_ = in_place(ops.acos)
    atan = arctan = ops.atan
    atan_ = arctan_ = in_place(ops.atan)
    sinh, sinh_ = ops.sinh, in_place(ops.sinh)
    cosh, cosh_ = ops.cosh, in_place(ops.cosh)
    tanh, tanh_ = ops.tanh, in_place_function(ops.tanh)
    asinh = arcsinh = ops.asinh
    asinh_ = arcsinh_ = in_place(ops.asinh)
    acosh = arccosh = ops.acosh
    acosh_ = arccosh_ = in_place(ops.acosh)
    atanh = arctanh = ops.atanh
    atanh_ = arctanh_ = in_place(ops.atanh)
    sinc, sinc_ = ops.sinc, in_place(ops.sinc)
    deg2rad, deg2rad_ = ops.deg2rad, in_place(ops.deg2rad)
    rad2deg, rad2deg_ = ops.rad2deg, in_place(ops.rad2deg)
    digamma, digamma_ = ops.digamma, in_place_function(ops.digamma)
    erf, erf_ = ops.erf, in_place_function(ops.erf)
    erfc, erfc_ = ops.erfc, in_place_function(ops.erfc)
    erfinv, erfinv_ = ops.erfinv, in_place_function(ops.erfinv)
    lgamma, lgamma_ = ops.lgamma, in_place_function(ops.lgamma)
    logit, logit_ = ops.logit, in_place(ops.logit)
    sigmoid, sigmoid_ = ops.sigmoid, in_place_function(ops.sigmoid)
    relu, relu_ = ops.relu, in_place_function(ops.relu)
    prelu = ops.prelu
    hardshrink = ops.hardshrink
    polygamma, polygamma_ = polygamma_method, in_place(polygamma_method, "polygamma_")
