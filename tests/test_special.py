"""`minigrad.special` beside mpmath's values, its gradients, edge values and errors.

Values, dtypes and `out=` stand beside PyTorch's in test_operator_samples.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import special
from minigrad.autograd import gradcheck, gradgradcheck

INF, NAN = math.inf, math.nan


def tensor(*values: Any) -> Any:
    return mg.tensor(values, dtype=mg.float64)


def points(low: float, high: float, n: int = 120) -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = rng.uniform(low, high, n)
    if low <= 0:
        return spread
    return np.concatenate([spread, np.exp(rng.uniform(math.log(low), math.log(high), n))])


# name: (mpmath's function, limits, error relative to the larger of the value and `floor`, floor)
ONE: dict[str, tuple[Callable, tuple[float, float], float, float]] = {
    "airy_ai": (lambda m, x: m.airyai(x), (-2, 12), 2e-14, 0),
    "airy_ai waves": (lambda m, x: m.airyai(x), (-60, -2), 2e-14, 1),
    "bessel_j0": (lambda m, x: m.besselj(0, x), (-300, 300), 2e-15, 1),
    "bessel_j1": (lambda m, x: m.besselj(1, x), (-300, 300), 2e-15, 1),
    "bessel_y0": (lambda m, x: m.bessely(0, x), (1e-6, 300), 3e-15, 1),
    "bessel_y1": (lambda m, x: m.bessely(1, x), (1e-6, 300), 3e-15, 1),
    "i0": (lambda m, x: m.besseli(0, x), (-700, 700), 2e-15, 0),
    "i0e": (lambda m, x: m.exp(-abs(x)) * m.besseli(0, x), (-300, 300), 2e-15, 0),
    "i1": (lambda m, x: m.besseli(1, x), (-700, 700), 4e-15, 0),
    "i1e": (lambda m, x: m.exp(-abs(x)) * m.besseli(1, x), (-300, 300), 4e-15, 0),
    "modified_bessel_k0": (lambda m, x: m.besselk(0, x), (1e-6, 600), 4e-15, 0),
    "modified_bessel_k1": (lambda m, x: m.besselk(1, x), (1e-6, 600), 4e-15, 0),
    "scaled_modified_bessel_k0": (
        lambda m, x: m.exp(x) * m.besselk(0, x),
        (1e-6, 600),
        4e-15,
        0,
    ),
    "scaled_modified_bessel_k1": (
        lambda m, x: m.exp(x) * m.besselk(1, x),
        (1e-6, 600),
        4e-15,
        0,
    ),
    "spherical_bessel_j0": (lambda m, x: m.sinc(x), (-50, 50), 2e-15, 1),
    "erfcx": (lambda m, x: m.exp(x * x) * m.erfc(x), (-26, 200), 2e-15, 0),
    "ndtr": (lambda m, x: m.erfc(-x / m.sqrt(2)) / 2, (-37, 8), 3e-13, 0),
    "log_ndtr": (lambda m, x: m.log(m.erfc(-x / m.sqrt(2)) / 2), (-100, 8), 2e-14, 0),
    "entr": (lambda m, x: -x * m.log(x), (1e-6, 300), 1e-15, 1e-3),
    "erfinv": (lambda m, x: m.erfinv(x), (-0.99, 0.99), 2e-15, 0),
    "gammaln": (lambda m, x: m.log(abs(m.gamma(x))), (-20.5, 150), 3e-15, 1),
    "psi": (lambda m, x: m.digamma(x), (-20.5, 150), 3e-15, 1),
}


@pytest.mark.parametrize("name", ONE)
def test_values_of_one_operand(name: str) -> None:
    mpmath = pytest.importorskip("mpmath")
    function, limits, tolerance, floor = ONE[name]
    x = points(*limits)
    f = getattr(special, name.split()[0])
    got = f(mg.tensor(x)).numpy()
    with mpmath.workdps(40):
        want = np.array([float(function(mpmath, mpmath.mpf(float(v)))) for v in x])
    error = np.abs(got - want) / np.maximum(np.abs(want), floor)
    assert error.max() <= tolerance, x[error.argmax()]
    single = f(mg.tensor(x, dtype=mg.float32))
    rounded = f(mg.tensor(x.astype(np.float32)).double())
    assert single.dtype == mg.float32
    np.testing.assert_allclose(single.numpy(), rounded.numpy().astype(np.float32), 5e-7, 1e-30)


def test_inverse_of_the_normal_distribution() -> None:
    p = np.concatenate([points(1e-300, 1e-3), points(0.001, 0.999)])
    x = special.ndtri(mg.tensor(p))
    np.testing.assert_allclose(special.log_ndtr(x).numpy(), np.log(p), rtol=3e-15, atol=5e-15)


@pytest.mark.parametrize("scale", [0.3, 5.0, 80.0, 1e4])
def test_incomplete_gamma_functions(scale: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    a = scale * rng.uniform(0.1, 2, 40)
    x = np.maximum(a + np.sqrt(a) * rng.normal(size=40) * 3, 1e-3)
    with mpmath.workdps(40):
        lower = np.array([
            float(mpmath.gammainc(mpmath.mpf(float(s)), 0, mpmath.mpf(float(v)), regularized=True))
            for s, v in zip(a, x, strict=True)
        ])  # fmt: skip
        upper = np.array([
            float(mpmath.gammainc(mpmath.mpf(float(s)), mpmath.mpf(float(v)), regularized=True))
            for s, v in zip(a, x, strict=True)
        ])  # fmt: skip
    for function, want in ((special.gammainc, lower), (special.gammaincc, upper)):
        got = function(mg.tensor(a), mg.tensor(x)).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-300)


def test_zeta() -> None:
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(0)
    s, q = rng.uniform(1.01, 80, 60), rng.uniform(0.01, 40, 60)
    with mpmath.workdps(140):
        want = [float(mpmath.zeta(float(a), float(b))) for a, b in zip(s, q, strict=True)]
    np.testing.assert_allclose(special.zeta(mg.tensor(s), mg.tensor(q)).numpy(), want, rtol=2e-14)
    got = special.zeta(tensor(1, 0.5, 2, 2, 2.5, 3), tensor(2, 2, 0, -1, -0.5, INF))
    np.testing.assert_array_equal(got.numpy(), [INF, NAN, INF, INF, NAN, 0])


EDGES = {
    "i0": ((0, INF, -INF, NAN), (1, NAN, NAN, NAN)),
    "i1": ((0, INF, -INF, NAN), (0, NAN, NAN, NAN)),
    "i0e": ((0, INF, NAN), (1, 0, NAN)),
    "i1e": ((0, INF, NAN), (0, 0, NAN)),
    "bessel_j0": ((0, INF, -INF, NAN), (1, 0, 0, NAN)),
    "bessel_j1": ((0, INF, NAN), (0, 0, NAN)),
    "bessel_y0": ((0, -1, INF, NAN), (-INF, NAN, 0, NAN)),
    "bessel_y1": ((0, -1, INF, NAN), (-INF, NAN, 0, NAN)),
    "modified_bessel_k0": ((0, -1, INF, NAN), (INF, NAN, 0, NAN)),
    "modified_bessel_k1": ((0, -1, INF, NAN), (INF, NAN, 0, NAN)),
    "spherical_bessel_j0": ((0, INF, NAN), (1, 0, NAN)),
    "airy_ai": ((INF, NAN), (NAN, NAN)),
    "entr": ((0, -1, 1, INF, NAN), (0, -INF, 0, -INF, NAN)),
    "erfcx": ((0, INF, -INF, -30, NAN), (1, 0, INF, INF, NAN)),
    "ndtr": ((0, INF, -INF, NAN), (0.5, 1, 0, NAN)),
    "log_ndtr": ((INF, -INF, NAN), (0, -INF, NAN)),
    "ndtri": ((0, 1, 0.5, -1, 2, NAN), (-INF, INF, 0, NAN, NAN, NAN)),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name: str) -> None:
    given, want = EDGES[name]
    np.testing.assert_array_equal(getattr(special, name)(tensor(*given)).numpy(), want)


X = tensor(0.3, 1.7, 2.6, 9.5).requires_grad_()
SIGNED = tensor(-3.2, -0.4, 0.0, 0.7, 9.1).requires_grad_()
GRADIENTS: dict[str, tuple[Callable, tuple]] = {
    **{
        name: (getattr(special, name), (SIGNED,))
        for name in (
            "bessel_j0", "bessel_j1", "i0", "i1", "log_ndtr", "ndtr", "spherical_bessel_j0",
        )
    },
    **{
        name: (getattr(special, name), (X,))
        for name in (
            "bessel_y0", "bessel_y1", "entr", "erfcx", "gammaln", "i0e", "i1e",
            "modified_bessel_k0", "modified_bessel_k1", "psi", "scaled_modified_bessel_k0",
            "scaled_modified_bessel_k1",
        )
    },
    "ndtri": (special.ndtri, (tensor(0.01, 0.3, 0.8).requires_grad_(),)),
    "gammainc": (lambda x: special.gammainc(tensor(0.4, 2, 3, 8), x), (X,)),
    "gammaincc": (lambda x: special.gammaincc(tensor(0.4, 2, 3, 8), x), (X,)),
    "zeta": (lambda x: special.zeta(tensor(1.5, 2, 3, 8), x), (X,)),
    "xlog1py": (special.xlog1py, (SIGNED, tensor(0.5, 2, 1, 3, 4).requires_grad_())),
    "multigammaln": (lambda x: special.multigammaln(x + 2, 3), (X,)),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    f, inputs = GRADIENTS[name]
    gradcheck(f, inputs)
    if name == "bessel_j1" or name == "i1" or name == "spherical_bessel_j0":
        inputs = (SIGNED.detach()[[0, 1, 3, 4]].requires_grad_(),)  # the formula's 0 / 0 aside
    gradgradcheck(f, inputs)


@pytest.mark.parametrize(
    ("f", "error", "pattern"),
    [
        (lambda: special.i0(3), TypeError, "must be Tensor, not int"),
        (lambda: special.zeta(2, 3), TypeError, "at least one Tensor"),
        (lambda: mg.igamma(X, 1.0), TypeError, "must be Tensor, not float"),
        (lambda: special.multigammaln(X, 0), RuntimeError, "greater than or equal to 1"),
        (lambda: special.hermite_polynomial_h(1.0, 2), TypeError, "at least one Tensor"),
        (lambda: special.airy_ai(X).sum().backward(), NotImplementedError, "airy_ai"),
        (lambda: mg.igamma(X, X).sum().backward(), NotImplementedError, "igamma: input"),
        (lambda: special.zeta(X, 2.0).sum().backward(), NotImplementedError, "zeta: self"),
    ],
)
def test_bad_calls(f: Callable, error: type, pattern: str) -> None:
    with pytest.raises(error, match=pattern):
        f()


def test_names_in_torch_and_methods() -> None:
    x = tensor(0.5, 2.0)
    assert mg.i0(x).tolist() == x.i0().tolist() == special.i0(x).tolist()
    assert mg.igamma(x, x).tolist() == x.igamma(x).tolist() == special.gammainc(x, x).tolist()
    assert mg.mvlgamma(x + 2, 3).tolist() == (x + 2).mvlgamma(3).tolist()
    y = x.clone()
    assert y.i0_() is y and y.tolist() == special.i0(x).tolist()
    degrees = mg.arange(4).double()
    assert special.legendre_polynomial_p(x[0], degrees).tolist() == [1, 0.5, -0.125, -0.4375]


def test_gradients_beside_numbers_and_near_zero():
    torch = pytest.importorskip("torch")
    for lib in (mg, torch):
        x = lib.tensor([0.0, 1.0, -2.0], requires_grad=True)
        lib.special.xlog1py(x, 3.5).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), np.full(3, np.log1p(3.5)), rtol=1e-6)
        for name in ("i1", "i1e"):
            y = lib.tensor([0.0, 1e-45, 1e-30], requires_grad=True)
            getattr(lib.special, name)(y).sum().backward()
            np.testing.assert_allclose(y.grad.numpy(), np.full(3, 0.5), rtol=1e-6)
