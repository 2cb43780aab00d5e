"""Window functions under SciPy's names: symmetric unless `sym=False`, float32 or float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..backend import strided
from ..creation import windows as _formulas
from ..creation._common import finish, typed
from ..ops._shape import whole

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _make(name: str, M: Any, formula: Callable[[int], Any], options: dict) -> Any:
    """A window of `M` points. ValueError for a negative length, other types, sparse layouts."""
    count = whole(f"{name}(): M", M)
    if count < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    layout, dtype = options["layout"], options["dtype"]
    if layout is not None and layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout!r}")
    wanted = typed(name, dtype, options["device"])
    if wanted not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype!r}")
    values = formula(count) if count else np.empty(0)
    return finish(np.asarray(values, wanted), options["requires_grad"])


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """exp(-|k - center| / tau) for k from 0 to M - 1. `center` only with `sym=False`.

    `sym=False`: the first points of a symmetric window that is one longer. ValueError for a
    negative M, for tau <= 0 and for types other than float32 and float64.
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def formula(n: int) -> np.ndarray:
        middle = (n if not sym and n > 1 else n - 1) / 2 if center is None else center
        return _formulas.exponential(n, middle, tau)

    return _make("exponential", M, formula, locals())


def cosine(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """sin(pi (k + 1/2) / M): half a wave; else as `exponential`."""
    return _make("cosine", M, lambda n: _formulas.sine(n, not sym), locals())


def gaussian(
    M: int, *, std: float = 1.0, sym: bool = True, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """exp(-x^2 / (2 std^2)) with x counted from the middle; else as `exponential`."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _make("gaussian", M, lambda n: _formulas.gaussian(n, not sym, std), locals())


def kaiser(
    M: int, *, beta: float = 12.0, sym: bool = True, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Any:  # fmt: skip
    """i0(beta sqrt(1 - x^2)) / i0(beta) for x from -1 to 1; else as `exponential`."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _make("kaiser", M, lambda n: _formulas.kaiser(n, not sym, beta), locals())


def bartlett(
    M: int, *, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """A triangle from 0 to 1 and back to 0; else as `exponential`."""
    return _make("bartlett", M, lambda n: _formulas.triangle(n, not sym), locals())


def general_cosine(
    M: int, *, a: Any, sym: bool = True, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """The sum of (-1)^i a[i] cos(2 pi i k / (M - 1)); else as `exponential`.

    TypeError unless `a` is a sequence, ValueError if it is empty.
    """

    def formula(n: int) -> np.ndarray:
        if n > 1 and not isinstance(a, Iterable):
            raise TypeError("Coefficients must be a list/tuple")
        if n > 1 and not a:
            raise ValueError("Coefficients cannot be empty")
        return _formulas.cosines(n, not sym, a)

    return _make("general_cosine", M, formula, locals())


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Any:
    """alpha - (1 - alpha) cos(2 pi k / (M - 1)); options as of `exponential`."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Any:
    """0.54 - 0.46 cos(2 pi k / (M - 1)); options as of `exponential`."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Any:
    """0.5 - 0.5 cos(2 pi k / (M - 1)); options as of `exponential`."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Any:
    """`general_cosine` with the weights 0.42, 0.5, 0.08; options as of `exponential`."""
    return general_cosine(M, a=_formulas.BLACKMAN, sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Any:
    """`general_cosine` with the weights of Nuttall (1981); options as of `exponential`."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), sym=sym, **options)
