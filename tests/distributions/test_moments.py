"""Samples against the distributions' own moments, and samplers against exact derivatives."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from cases import CASES, IDS, build

import minigrad as mg
from minigrad import samplers
from minigrad.kernels import cpu


@pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)
def test_moments(case: int) -> None:
    """The means of many samples lie within five standard errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p, _ = build(mg, case)
    try:
        mean, variance = p.mean.detach().numpy(), p.variance.detach().numpy()
    except NotImplementedError:
        pytest.skip("has no moments")
    if CASES[case][0] == "VonMises" or not np.isfinite(variance).all():
        pytest.skip("has no moments")
    n = 20000
    mg.manual_seed(11)
    x = p.sample((n,)).numpy()
    assert (np.abs(x.mean(0) - mean) <= 5 * np.sqrt(variance / n) + 1e-12).all()
    # The fourth moment need not exist: the spread is only checked roughly.
    if CASES[case][0] not in ("Pareto", "InverseGamma", "StudentT", "FisherSnedecor"):
        np.testing.assert_allclose(x.var(0), variance, rtol=0.2, atol=1e-12)


def _quantile_slope(sample, a: np.ndarray, step: float = 1e-6) -> np.ndarray:
    return (sample(a * (1 + step)) - sample(a * (1 - step))) / (2 * step * a)


def test_implicit_gradients_are_slopes_of_quantiles() -> None:
    special = pytest.importorskip("scipy.special")
    a = np.repeat([0.05, 0.5, 1.0, 3.0, 30.0, 1000.0], 5)
    u = np.tile([0.01, 0.2, 0.5, 0.9, 0.999], 6)
    x = special.gammaincinv(a, u)
    out = np.empty_like(a)
    cpu.gamma_slope(a, x, out)
    keep = x > 1e-200
    slope = _quantile_slope(lambda c: special.gammaincinv(c, u), a)
    np.testing.assert_allclose(out[keep], slope[keep], rtol=1e-5)
    b = np.tile([0.3, 2.0, 7.0], 10)
    x = special.betaincinv(a, b, u)
    cpu.beta_slope(x, a, b, out)
    slope = _quantile_slope(lambda c: special.betaincinv(c, b, u), a)
    keep = (x > 1e-200) & (x < 1 - 1e-6)
    np.testing.assert_allclose((out * (1 - x))[keep], slope[keep], rtol=1e-4)


def test_slopes_at_the_edges() -> None:
    a, x, out = np.array([1.0, 2.0, -1.0, np.nan]), np.array([0.0, -1.0, 1.0, 1.0]), np.empty(4)
    cpu.gamma_slope(a, x, out)
    assert out[0] == 0 and np.isnan(out[1:]).all()
    cpu.beta_slope(np.array([0.0, 2.0]), np.ones(2), np.ones(2), out[:2])
    assert out[0] == 0 and np.isnan(out[1])


def test_kernels_refuse_what_does_not_fit() -> None:
    state = np.zeros(625, np.uint32)
    three, two = np.ones(3), np.ones(2)
    for call in (
        lambda: cpu.sample_gamma(state[:5], two, three, three),
        lambda: cpu.sample_gamma(state, three, three, three),
        lambda: cpu.sample_poisson(state, three, two),
        lambda: cpu.sample_binomial(state, three, two, three),
        lambda: cpu.gamma_slope(three, three, two),
        lambda: cpu.beta_slope(three, three, two, three),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(TypeError):
        cpu.gamma_slope(np.ones(3, np.float32), three, three)


def test_second_gradients_say_that_they_are_missing() -> None:
    a = mg.tensor([1.0, 2.0]).requires_grad_()
    for draw in (samplers._standard_gamma, samplers._sample_dirichlet):
        with pytest.raises(NotImplementedError, match="grad"):
            mg.autograd.grad(draw(a).pow(2).sum(), a, create_graph=True)


def test_samplers_errors() -> None:
    with pytest.raises(RuntimeError, match="non-negative"):
        mg.poisson(mg.tensor([-1.0]))
    with pytest.raises(NotImplementedError):
        mg.poisson(mg.tensor([1]))
    assert mg.binomial(mg.tensor([5.0, -1.0]), mg.tensor([1.5, 0.5])).tolist() == [5.0, 0.0]
    inf, nan = float("inf"), float("nan")
    unbounded = mg.binomial(mg.tensor([inf, nan, 3.0]), mg.tensor([0.5, 0.5, nan])).tolist()
    assert unbounded[0] == inf and all(x != x for x in unbounded[1:])
    with pytest.raises(RuntimeError, match="dtype"):
        mg.binomial(mg.tensor([1.0]), mg.tensor([0.5], dtype=mg.float64))
    assert mg.poisson(mg.zeros(0)).shape == (0,)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samplers_beside_pytorch(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    n = [3.0, 20.0, 100.0, 1000.0] * 25
    p = [0.125, 0.5, 0.875, 0.25, 0.75, 0.0, 1.0, 0.5, 0.25, 0.5] * 10
    a = [0.25, 1.0, 2.5, 100.0] * 25
    results = []
    for lib in (torch, mg):
        lib.manual_seed(5)
        kind = getattr(lib, dtype)
        count, prob, rate = (lib.tensor(v, dtype=kind) for v in (n, p, a))
        drawn = [
            lib.binomial(count, prob),
            lib.poisson(rate),
            lib.rand(3),
            lib.poisson(rate.half()),
        ]
        drawn += [lib._standard_gamma(rate), lib._sample_dirichlet(rate.view(25, 4)), lib.randn(3)]
        results.append([t.to(lib.float64).numpy() for t in drawn])
    for theirs, ours in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6 if dtype == "float32" else 1e-14)
