"""The stream of random numbers in NumPy: the fallback and oracle of the compiled kernels.

The engine is MT19937. Its state is one uint32 array of 625: the 624 words and how many of them are
used. `draw32` fills an array with the next outputs; everything else is arithmetic on those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

WORDS = 624
_M24 = np.uint32((1 << 24) - 1)
_M53 = np.uint64((1 << 53) - 1)
_SHIFT = np.uint64(32)


def mt_seed(state: np.ndarray, seed: int) -> None:
    """Knuth's initialisation from the low 32 bits of a seed."""
    x = seed & 0xFFFFFFFF
    words = [x]
    for i in range(1, WORDS):
        x = (1812433253 * (x ^ (x >> 30)) + i) & 0xFFFFFFFF
        words.append(x)
    state[:WORDS] = words
    state[WORDS] = WORDS


def draw32(state: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` (uint32, contiguous) with the engine's next outputs."""
    if not out.size:
        return
    import numpy.random  # NumPy itself loads it late

    engine = numpy.random.MT19937(0)
    place = {"key": state[:WORDS], "pos": min(int(state[WORDS]), WORDS)}
    engine.state = {"bit_generator": "MT19937", "state": place}  # type: ignore[typeddict-item]
    out[...] = engine.random_raw(out.size).reshape(out.shape)
    after: Any = engine.state["state"]
    state[:WORDS] = after["key"]
    state[WORDS] = after["pos"]


def draw64(state: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` (uint64): two outputs for each, the first one in the high half."""
    pairs = np.empty((out.size, 2), np.uint32)
    draw32(state, pairs)
    high = pairs[:, 0].astype(np.uint64)
    out[...] = ((high << _SHIFT) | pairs[:, 1]).reshape(out.shape)


def uniform32(state: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` (float32) with multiples of 2**-24 in [0, 1), one output for each."""
    raw = np.empty(out.shape, np.uint32)
    draw32(state, raw)
    np.multiply(raw & _M24, np.float32(2.0**-24), out=out, casting="unsafe")


def uniform64(state: np.ndarray, out: np.ndarray) -> None:
    """Fills `out` (float64) with multiples of 2**-53 in [0, 1), two outputs for each."""
    raw = np.empty(out.shape, np.uint64)
    draw64(state, raw)
    np.multiply(raw & _M53, 2.0**-53, out=out)


def _fma(a: Any, b: Any, c: Any) -> np.ndarray:
    """a * b + c of float32 in one rounding: the product is exact in float64."""
    result: Any = np.float64(a) * np.float64(b) + np.float64(c)
    return result.astype(np.float32)


def fused(x: np.ndarray, y: Any, z: Any) -> np.ndarray:
    """x * y + z with one rounding, by Dekker's exact product and Knuth's exact sum."""
    if x.dtype == np.float32:
        return _fma(x, y, z)
    split = 134217729.0  # 2**27 + 1
    product = x * y
    t = split * x
    high_x = t - (t - x)
    low_x = x - high_x
    s = split * y
    high_y = s - (s - y)
    low_y = y - high_y
    error = ((high_x * high_y - product) + high_x * low_y + low_x * high_y) + low_x * low_y
    total = product + z
    back = total - product
    return total + ((product - (total - back)) + (z - back) + error)


def _polynomial(x: np.ndarray, coefficients: tuple) -> np.ndarray:
    y = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        y = _fma(y, x, np.float32(c))
    return y


# The single-precision approximations of S. Moshier's Cephes library. PyTorch's vectorised normals
# use them with fused multiply-adds; so do these, to give the same bits.
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_F = np.float32


def _log(x: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(x)
    small = mantissa < _F(0.707106781186547524)
    e = exponent.astype(_F) - small
    x = np.where(small, mantissa + mantissa, mantissa) - _F(1)
    z = x * x
    y = _polynomial(x, _LOG) * x
    y = _fma(y, z, e.astype(_F) * _F(-2.12194440e-4))
    return _fma(e, _F(0.693359375), x + _fma(z, _F(-0.5), y))


def _sin_cos(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    octant = (x * _F(1.27323954473516)).astype(np.int32)
    octant = (octant + 1) & ~1
    y = octant.astype(_F)
    for part in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8):
        x = _fma(y, _F(part), x)  # minus y * pi / 4, in three parts
    z = x * x
    cos = _fma(_polynomial(z, _COS) * z, z, z * _F(-0.5)) + _F(1)
    sin = _fma(_polynomial(z, _SIN) * z, x, x)
    swap = octant & 2 != 0
    s, c = np.where(swap, cos, sin), np.where(swap, sin, cos)
    return np.where(octant & 4 != 0, -s, s), np.where((octant - 2) & 4 == 0, -c, c)


def _each(function: Callable, x: np.ndarray) -> np.ndarray:
    """The C library's function of each element: NumPy's own may differ in the last bit."""
    return np.array([function(v) for v in x.ravel().tolist()], np.float64).reshape(x.shape)


def normal_blocks(u: np.ndarray) -> np.ndarray:
    """Box and Muller's transform of uniforms of shape (n, 16): normals of the same shape."""
    angle = u.dtype.type(2 * np.pi) * u[:, 8:]
    if u.dtype == np.float32:
        radius = np.sqrt(_F(-2) * _log(1 - u[:, :8]))
        sin, cos = _sin_cos(angle)
    else:
        radius = np.sqrt(-2 * _each(math.log, 1 - u[:, :8]))
        sin, cos = _each(math.sin, angle), _each(math.cos, angle)
    return np.concatenate((radius * cos, radius * sin), axis=1)


def uniform_fill(state: np.ndarray, out: np.ndarray, low: float, high: float) -> None:
    """Fills `out` with low + u * (high - low), u uniform; what rounds to `high` becomes `low`."""
    (uniform32 if out.dtype == np.float32 else uniform64)(state, out)
    if low != 0 or high != 1:
        a, b = out.dtype.type(low), out.dtype.type(high)
        values = fused(out, b - a, a)
        out[...] = np.where(values == b, a, values)


def normal_fill(state: np.ndarray, out: np.ndarray, mean: float, std: float) -> None:
    """Fills `out`, of 16 elements or more, with normals; the last 16 are drawn anew if need be."""
    draw = uniform32 if out.dtype == np.float32 else uniform64
    draw(state, out)
    flat, kind = out.reshape(-1), out.dtype.type
    full = flat[: flat.size // 16 * 16].reshape(-1, 16)
    full[...] = fused(normal_blocks(full), kind(std), kind(mean))
    if flat.size % 16:
        last = np.empty((1, 16), out.dtype)
        draw(state, last)
        flat[-16:] = fused(normal_blocks(last), kind(std), kind(mean))[0]


def integers(state: np.ndarray, out: np.ndarray, low: int, span: int) -> None:
    """Fills `out` (int64) with low + output % span."""
    raw = np.empty(out.shape, np.uint32)
    draw32(state, raw)
    np.add((raw % np.uint32(span)).astype(np.int64), low, out=out)


def normal_pairs(u: np.ndarray) -> np.ndarray:
    """The transform for pairs of float64 uniforms, shape (n, 2): 2 n normals in order."""
    radius = np.sqrt(-2 * _each(math.log1p, -u[:, 1]))
    angle = 2 * np.pi * u[:, 0]
    return np.stack((radius * _each(math.cos, angle), radius * _each(math.sin, angle)), 1).ravel()


def shuffle(state: np.ndarray, out: np.ndarray) -> None:
    """Permutes `out` (1-d): for each i but the last, swaps it with i + draw % (n - i)."""
    n = out.size
    if n < 2:
        return
    raw = np.empty(n - 1, np.uint32)
    draw32(state, raw)
    index = np.arange(n - 1)
    partners = (index + raw.astype(np.int64) % (n - index)).tolist()
    values = out.tolist()
    for i, j in enumerate(partners):
        values[i], values[j] = values[j], values[i]
    out[...] = values
