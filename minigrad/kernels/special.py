"""Special functions in NumPy: error and gamma functions, computed in float64, block by block.

The coefficients are interpolations at Chebyshev nodes computed with 50 digits. Relative errors in
float64: erf, erfc, erfinv within 4 units in the last place, lgamma and digamma within 1e-14
(absolute next to zeros on the negative axis, where the reflection formula cancels).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._quiet import quiet

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "ndtri", "polygamma"]

_BLOCK = 16384  # elements: the temporaries of a block stay in the L2 cache
_DOUBLE = np.dtype(np.float64)

# erf(x) / x in powers of x^2, for |x| <= 1.
_ERF = (
    1.1283791670955126, -0.37612638903183754, 0.1128379167095512, -0.02686617064512984,
    0.0052239776254232985, -0.000854832702193483, 0.00012055332902888736, -1.4925647567519332e-05,
    1.6462045441468418e-06, -1.6364642158167616e-07, 1.4792401209404813e-08,
    -1.216456005728345e-09, 8.709045129053106e-11, -4.230945824295338e-12,
)  # fmt: skip
# The same to float32's precision.
_ERF_SHORT = (
    1.1283791670615435, -0.3761263846802871, 0.11283782495236845, -0.026865430727670243,
    0.005221031807858023, -0.0008484080405535107, 0.00011265959025606609, -9.667044571486996e-06,
)  # fmt: skip
# The same to float32's precision up to 3.95, a quotient (weighted least squares, reweighted).
_ERF_P = (
    1.1283791065216064, 0.191511869430542, 0.05286959186196327, 0.0038063020911067724,
    0.00028461150941438973, 2.0257587038940983e-06,
)  # fmt: skip
_ERF_Q = (
    1.0, 0.5030556917190552, 0.11454303562641144, 0.015051391907036304, 0.0011702105402946472,
    3.7826248444616795e-05,
)  # fmt: skip
# (1 + 2x) exp(x^2) erfc(x) in powers of t = (x - 3.75) / (x + 3.75), for x >= 0.
ERFC = (
    1.2375126308378275, -0.14024059858554702, 0.003585415485463656, 0.08227673849015103,
    -0.10880393014170556, 0.09230432116019804, -0.05869339859058929, 0.028362277421519668,
    -0.009746579547145438, 0.0017556258323895534, 0.000293713591593492, -0.0002901539791322486,
    5.1649421745236465e-05, 2.2383911531916976e-05, -1.144508983794941e-05,
    -9.728484952656482e-07, 1.7535246298697825e-06, -5.826439766695699e-08,
    -2.6125820988901525e-07, 2.429131177189471e-08, 4.107398937332565e-08, -4.390251943140879e-09,
    -6.606829477916605e-09, 5.460657473630792e-10, 9.234867707529155e-10, -3.7587308035623257e-11,
    -7.666209795998097e-11,
)  # fmt: skip
# The same to float32's precision.
_ERFC_SHORT = (
    1.2375126300030113, -0.1402405987127234, 0.0035854974289632052, 0.08227675095346368,
    -0.10880525203898243, 0.09230412174644181, -0.05868533658608146, 0.028363473790408853,
    -0.009770286714565772, 0.001752209498690462, 0.00033034420935822574, -0.0002851543388991308,
    2.1987965983870166e-05, 1.8780736285192822e-05,
)  # fmt: skip
# lgamma(2 + z) / z in powers of z, for |z| <= 1/2.
_LGAMMA = (
    0.42278433509846713, 0.3224670334241132, -0.06735230105319809, 0.020580808427784546,
    -0.0073855510286741114, 0.0028905103307415836, -0.0011927539116954181, 0.0005096695247392805,
    -0.00022315475870367355, 9.945751290176889e-05, -4.492623209360517e-05, 2.05072105479096e-05,
    -9.439541921024715e-06, 4.374892520636031e-06, -2.0388192484564222e-06, 9.549510392959532e-07,
    -4.511181191016309e-07, 2.129692727315228e-07, -9.501416425423385e-08, 4.509983567521808e-08,
    -3.1314285360886705e-08, 1.4963573191192003e-08,
)  # fmt: skip
# B_2k / (2k (2k - 1)): the asymptotic series of lgamma in odd powers of 1/x.
STIRLING = (
    0.08333333333333333, -0.002777777777777778, 0.0007936507936507937, -0.0005952380952380953,
    0.0008417508417508417, -0.0019175269175269176, 0.00641025641025641, -0.029550653594771242,
    0.17964437236883057, -1.3924322169059011,
)  # fmt: skip
# B_2k / 2k: the asymptotic series of digamma in powers of 1/x^2.
_DIGAMMA = (
    0.08333333333333333, -0.008333333333333333, 0.003968253968253968, -0.004166666666666667,
    0.007575757575757576, -0.021092796092796094, 0.08333333333333333, -0.4432598039215686,
    3.0539543302701198, -26.456212121212122,
)  # fmt: skip
# B_2k / (2k)!: the Euler-Maclaurin tail of the zeta function.
ZETA = (
    0.08333333333333333, -0.001388888888888889, 3.306878306878307e-05, -8.267195767195768e-07,
    2.08767569878681e-08, -5.284190138687493e-10, 1.3382536530684679e-11, -3.3896802963225827e-13,
    8.586062056277845e-15, -2.174868698558062e-16, 5.5090028283602295e-18,
    -1.3954464685812522e-19,
)  # fmt: skip
# The inverse of the normal distribution function: M. J. Wichura, "Algorithm AS 241" (PPND16),
# Applied Statistics 37 (1988).
_CENTRE_P = (
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946,
    45921.95393154987, 67265.7709270087, 33430.57558358813, 2509.0809287301227,
)  # fmt: skip
_CENTRE_Q = (
    1.0, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597,
    39307.89580009271, 28729.085735721943, 5226.495278852546,
)  # fmt: skip
_NEAR_P = (
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045,
    1.2704582524523684, 0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
)  # fmt: skip
_NEAR_Q = (
    1.0, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008,
    0.015198666563616457, 0.0005475938084995345, 1.0507500716444169e-09,
)  # fmt: skip
_FAR_P = (
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487,
    0.026532189526576124, 0.0012426609473880784, 2.7115555687434876e-05, 2.0103343992922881e-07,
)  # fmt: skip
_FAR_Q = (
    1.0, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133,
    1.8463183175100548e-05, 1.421511758316446e-07, 2.0442631033899397e-15,
)  # fmt: skip


def blocked(function: Callable, wide: Any = np.float64) -> Callable:
    """`function(block, short, *args)` on blocks of type `wide`; `short`: float32's precision."""

    @functools.wraps(function)
    def call(x: Any, *args: Any) -> Any:
        short = x.dtype != _DOUBLE
        flat = x.reshape(-1)
        out = np.empty(flat.size, x.dtype)
        for i in range(0, flat.size, _BLOCK):
            block = flat[i : i + _BLOCK].astype(wide)
            out[i : i + _BLOCK] = function(block, short, *args)
        return out.reshape(x.shape)

    return quiet(call)


def paired(function: Callable) -> Callable:
    """`function(x, y)` of two float64 vectors for arrays or numbers that are broadcast."""

    @functools.wraps(function)
    def call(x: Any, y: Any) -> Any:
        dtype = x.dtype if isinstance(x, np.ndarray) else y.dtype
        x, y = np.broadcast_arrays(np.asarray(x, _DOUBLE), np.asarray(y, _DOUBLE))
        out = np.empty(x.shape, dtype)
        flat, a, b = out.reshape(-1), x.reshape(-1), y.reshape(-1)
        for i in range(0, flat.size, _BLOCK):
            flat[i : i + _BLOCK] = function(a[i : i + _BLOCK], b[i : i + _BLOCK])
        return out

    return quiet(call)


def polynomial(coefficients: tuple, x: Any) -> Any:
    """Horner's scheme; coefficients from the constant upwards."""
    result = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        result *= x
        result += c
    return result


def _erf_small(x: Any, short: bool) -> Any:
    return x * polynomial(_ERF_SHORT if short else _ERF, x * x)


def _erfc_positive(x: Any, short: bool) -> Any:
    """erfc for x >= 0. exp(-x^2) is split so that the rounding of x^2 does no harm."""
    x = np.minimum(x, 40.0)  # erfc is 0 from 27.3 on
    p = polynomial(_ERFC_SHORT if short else ERFC, (x - 3.75) / (x + 3.75)) / (1 + 2 * x)
    if short:
        return p * np.exp(-x * x)
    high = x.astype(np.float32).astype(_DOUBLE)  # 24 bits: its square is exact
    return p * np.exp((high - x) * (high + x)) * np.exp(-high * high)


def _erf_double(x: Any, short: bool) -> Any:
    """x P(x^2) up to 1, 1 - erfc(x) beyond."""
    size = np.abs(x)
    small = size <= 1
    if small.all():
        return _erf_small(x, short)
    result = np.copysign(1 - _erfc_positive(size, short), x)
    if small.any():
        result[small] = _erf_small(x[small], short)
    return result


def _erf_single(x: Any, short: bool) -> Any:
    """x P(x^2) / Q(x^2); 1 from 3.95 on."""
    np.clip(x, -3.95, 3.95, out=x)
    square = x * x
    x *= polynomial(_ERF_P, square)
    x /= polynomial(_ERF_Q, square)
    return np.clip(x, -1, 1, out=x)


_erf_of_double = blocked(_erf_double)
_erf_of_single = blocked(_erf_single, np.float32)


def erf(x: Any) -> Any:
    """The error function."""
    return _erf_of_double(x) if x.dtype == _DOUBLE else _erf_of_single(x)


@blocked
def erfc(x: Any, short: bool) -> Any:
    """1 - erf(x), accurate where it is small."""
    result = _erfc_positive(np.abs(x), short)
    np.subtract(2, result, out=result, where=x < 0)
    small = np.abs(x) <= 0.5
    if small.any():
        result[small] = 1 - _erf_small(x[small], short)
    return result


@blocked
def erfinv(x: Any, short: bool) -> Any:
    """The inverse of erf: a guess within 2e-3, then three steps of Halley's method."""
    size = np.abs(x)
    half_log = 0.5 * np.log((1 - size) * (1 + size))
    c = 2 / (math.pi * 0.147) + half_log
    y = np.sqrt(np.sqrt(c * c - 2 * half_log / 0.147) - c)
    tail = size > 0.5
    for _ in range(3):
        error = np.empty_like(y)
        error[~tail] = _erf_any(y[~tail], short) - size[~tail]
        error[tail] = (1 - size[tail]) - _erfc_positive(y[tail], short)
        step = error * np.exp(y * y) * (math.sqrt(math.pi) / 2)
        y -= step / (1 + y * step)
    y[size == 1] = np.inf
    return np.copysign(y, x)


def _erf_any(y: Any, short: bool) -> Any:
    return np.where(y <= 1, _erf_small(np.minimum(y, 1), short), 1 - _erfc_positive(y, short))


@blocked
def ndtri(x: Any, short: bool) -> Any:
    """The inverse of ndtr: infinite at 0 and 1, NaN outside."""
    q = x - 0.5
    r = 0.180625 - q * q
    result = q * (polynomial(_CENTRE_P, r) / polynomial(_CENTRE_Q, r))
    tail = ~(np.abs(q) <= 0.425)
    if tail.any():
        side = q[tail]
        r = np.sqrt(-np.log(np.where(side < 0, x[tail], 1 - x[tail])))
        near, far = np.minimum(r, 5.0) - 1.6, np.clip(r, 5.0, 1e3) - 5.0
        y = polynomial(_NEAR_P, near) / polynomial(_NEAR_Q, near)
        y = np.where(r > 5, polynomial(_FAR_P, far) / polynomial(_FAR_Q, far), y)
        result[tail] = np.copysign(np.where(np.isinf(r), r, y), side)
    return result


@blocked
def lgamma(x: Any, short: bool) -> Any:
    """log |gamma(x)|: a polynomial around 2 moved by the recurrence, Stirling's series from 8."""
    size = np.abs(x)
    result = _lgamma_below_8(np.minimum(size, 8.0))
    large = size >= 8
    if large.any():
        y = size[large]
        log = np.log(y)
        series = polynomial(STIRLING, 1 / (y * y)) / y
        result[large] = y * (log - 1) - 0.5 * log + (0.5 * math.log(2 * math.pi) + series)
    negative = x < 0
    if negative.any():
        y = size[negative]
        sine = np.abs(np.sin(math.pi * (y - np.round(y))))
        mirrored = math.log(math.pi) - np.log(y) - np.log(sine) - result[negative]
        result[negative] = np.where(sine == 0, np.inf, mirrored)
    result[np.isinf(x)] = np.inf
    return result


def _lgamma_below_8(y: Any) -> Any:
    """lgamma for 0 <= y <= 8, from the polynomial for |z| <= 1/2 around 2."""
    steps = np.ceil(y - 2.5)
    z = np.where(y < 0.5, y, np.where(y < 1.5, y - 1, y - np.maximum(steps, 0) - 2))
    result = z * polynomial(_LGAMMA, z)
    product = np.ones_like(y)
    for k in range(1, 7):
        np.multiply(product, y - k, out=product, where=steps >= k)
    result += np.log(product)
    np.subtract(result, np.log1p(z), out=result, where=y < 1.5)
    return np.subtract(result, np.log(y), out=result, where=y < 0.5)


@blocked
def digamma(x: Any, short: bool) -> Any:
    """The derivative of lgamma: the recurrence up to 10, then the asymptotic series."""
    negative = x < 0
    y = np.where(negative, 1 - x, x)
    result = np.zeros_like(x)
    for _ in range(10):
        below = y < 10
        if not below.any():
            break
        np.subtract(result, 1 / y, out=result, where=below)
        y += below
    square = 1 / (y * y)
    result += np.log(y) - 0.5 / y - square * polynomial(_DIGAMMA, square)
    if negative.any():
        part = x[negative] - np.round(x[negative])
        mirrored = result[negative] - math.pi / np.tan(math.pi * part)
        result[negative] = np.where(part == 0, np.nan, mirrored)
    return np.where(x == 0, np.copysign(np.inf, -x), result)


def _zeta_positive(s: int, q: Any) -> Any:
    """The sum of 1 / (q + k)^s over k >= 0, for q > 0: terms, then Euler and Maclaurin."""
    q = q.copy()
    result = np.zeros_like(q)
    enough = 10 + min(s, 60)  # later terms are nothing to the first one
    while True:
        below = q < enough
        if not below.any():
            break
        np.add(result, q**-s, out=result, where=below)
        q += below
    power = q**-s
    result += q * power / (s - 1) + 0.5 * power
    term = s * power / q
    for k, b in enumerate(ZETA):
        result += b * term
        term *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q)
    return np.where(np.isinf(q), 0.0, result)


@blocked
def polygamma(x: Any, short: bool, n: int) -> Any:
    """The n-th derivative of digamma, n >= 1: (-1)^(n+1) n! zeta(n + 1, x)."""
    s = n + 1
    result = _zeta_positive(s, np.where(x > 0, x, 1.0))
    rest = ~(x > 0)
    if rest.any():
        # The sum over all integers depends on the fraction of x only; take away what is not asked.
        y = x[rest]
        part = y - np.floor(y)
        safe = np.where(part > 0, part, 0.5)
        other = _zeta_positive(s, 1 - safe) - _zeta_positive(s, 1 - y)
        total = _zeta_positive(s, safe) + (-1) ** s * other
        total[part == 0] = np.inf
        total[np.isnan(y) | np.isinf(y)] = np.nan
        result[rest] = total
    return (-1) ** (n + 1) * math.gamma(n + 1) * result
