"""KL divergences beside PyTorch's, for every pair of families that it has."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from cases import SPD, TRIL

import minigrad as mg

torch = pytest.importorskip("torch")
from torch.distributions.kl import _KL_REGISTRY  # noqa: E402

# Two sets of parameters for each family; the second ones as q.
A = [0.3, 0.6, 1.7]
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "Bernoulli": [{"probs": [0.2, 0.0, 1.0]}, {"probs": [0.7, 0.4, 0.0]}],
    "Beta": [
        {"concentration1": [0.5, 2.0, 3.0], "concentration0": [1.5, 2.5, 0.7]},
        {"concentration1": [1.5, 2.0, 0.4], "concentration0": [0.6, 2.5, 1.7]},
    ],
    "Binomial": [{"probs": [0.2, 0.6, 0.5]}, {"probs": [0.7, 0.4, 0.9]}],
    "Categorical": [
        {"probs": [[0.2, 0.3, 0.5], [0.0, 0.4, 0.6]]},
        {"probs": [[0.5, 0.5, 0.0], [0.1, 0.4, 0.5]]},
    ],
    "Cauchy": [{"loc": A, "scale": [1.0, 2.0, 0.4]}, {"loc": [0.0, 1.0, 2.0], "scale": A}],
    "ContinuousBernoulli": [{"probs": [0.2, 0.5, 0.9]}, {"probs": [0.7, 0.4, 0.5]}],
    "Dirichlet": [
        {"concentration": [[0.5, 1.5, 3.0], [2.0, 0.2, 1.0]]},
        {"concentration": [[1.5, 0.5, 1.0], [2.0, 0.7, 3.0]]},
    ],
    "Exponential": [{"rate": A}, {"rate": [1.0, 0.5, 1.7]}],
    "Gamma": [
        {"concentration": [0.7, 2.0, 5.0], "rate": A},
        {"concentration": [1.7, 1.0, 5.0], "rate": [1.0, 0.5, 1.7]},
    ],
    "Geometric": [{"probs": [0.2, 0.6, 0.5]}, {"probs": [0.7, 0.4, 0.9]}],
    "Gumbel": [{"loc": A, "scale": [1.0, 2.0, 0.4]}, {"loc": [0.0, 1.0, 2.0], "scale": A}],
    "HalfNormal": [{"scale": A}, {"scale": [1.0, 0.5, 1.7]}],
    "Laplace": [{"loc": A, "scale": [1.0, 2.0, 0.4]}, {"loc": [0.0, 1.0, 2.0], "scale": A}],
    "Normal": [{"loc": A, "scale": [1.0, 2.0, 0.4]}, {"loc": [0.0, 1.0, 2.0], "scale": A}],
    "OneHotCategorical": [{"probs": [[0.2, 0.3, 0.5]]}, {"probs": [[0.5, 0.5, 0.0]]}],
    "Pareto": [
        {"scale": [1.0, 0.5, 2.0], "alpha": [2.5, 1.5, 0.8]},
        {"scale": [0.5, 0.5, 3.0], "alpha": [1.5, 2.5, 3.0]},
    ],
    "Poisson": [{"rate": A}, {"rate": [1.0, 0.5, 1.7]}],
    "Uniform": [
        {"low": [0.1, 0.3, -1.0], "high": [0.9, 1.0, 2.0]},
        {"low": [-1.0, 0.0, 0.0], "high": [2.0, 1.0, 0.5]},
    ],
    "MultivariateNormal": [
        {"loc": [0.5, -1.0, 2.0], "scale_tril": TRIL},
        {"loc": [[0.0, -1.0, 1.0]] * 2, "covariance_matrix": SPD},
    ],
    "LowRankMultivariateNormal": [
        {
            "loc": [0.5, -1.0, 2.0],
            "cov_factor": [[1.0, 0.2], [-0.5, 0.3], [0.1, 2.0]],
            "cov_diag": [0.5, 1.5, 0.8],
        },
        {
            "loc": [[0.0, -1.0, 1.0]] * 2,
            "cov_factor": [[0.3], [-0.5], [0.7]],
            "cov_diag": [1.5, 0.5, 0.9],
        },
    ],
}
PAIRS = sorted(
    (p.__name__, q.__name__)
    for p, q in _KL_REGISTRY
    if p.__name__ in PARAMETERS and q.__name__ in PARAMETERS
)


def make(lib: Any, name: str, which: int) -> tuple[Any, list]:
    leaves = {
        key: lib.tensor(value, dtype=lib.float64).requires_grad_()
        for key, value in PARAMETERS[name][which].items()
    }
    others = {"total_count": 3} if name == "Binomial" else {}
    return getattr(lib.distributions, name)(**leaves, **others), list(leaves.values())


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_beside_pytorch(first: str, second: str) -> None:
    results = []
    for lib in (torch, mg):
        p, a = make(lib, first, 0)
        q, b = make(lib, second, 1)
        kl = lib.distributions.kl_divergence(p, q)
        finite = kl[lib.isfinite(kl)]
        if finite.requires_grad and finite.numel():
            finite.sum().backward()
        results.append((kl, [t.grad for t in (*a, *b)]))
    (s, grads), (t, ours) = results
    np.testing.assert_allclose(t.detach().numpy(), s.detach().numpy(), rtol=1e-9, atol=1e-9)
    for g, h in zip(grads, ours):
        if g is None or not np.isfinite(g.numpy()).all():
            continue  # PyTorch's own gradient of a masked term
        np.testing.assert_allclose(h.numpy(), g.numpy(), rtol=1e-7, atol=1e-8)


def test_all_pairs_are_there() -> None:
    from minigrad.distributions.kl import _KL_REGISTRY as ours

    names = {(p.__name__, q.__name__) for p, q in ours}
    assert names == {(p.__name__, q.__name__) for p, q in _KL_REGISTRY}
    assert len(PAIRS) > 80


@pytest.mark.parametrize("lib", [torch, mg], ids=["torch", "minigrad"])
def test_composed(lib: Any) -> None:
    d = lib.distributions
    loc, scale = lib.zeros(2, 3), lib.ones(2, 3)
    p = d.Independent(d.Normal(loc, scale), 1)
    q = d.Independent(d.Normal(loc + 1, scale), 1)
    np.testing.assert_allclose(d.kl_divergence(p, q).numpy(), [1.5, 1.5], rtol=1e-6)
    a, b = d.LogNormal(loc, scale), d.LogNormal(loc + 1, scale)
    np.testing.assert_allclose(d.kl_divergence(a, b).numpy(), np.full((2, 3), 0.5), rtol=1e-6)
    with pytest.raises(NotImplementedError):
        d.kl_divergence(a, d.HalfNormal(scale))
    with pytest.raises(NotImplementedError):
        d.kl_divergence(p, d.Normal(loc, scale))


@pytest.mark.parametrize("lib", [torch, mg], ids=["torch", "minigrad"])
def test_register(lib: Any) -> None:
    d = lib.distributions

    class P(d.Normal):
        pass

    class Q(P):
        pass

    assert (d.kl_divergence(Q(0.0, 1.0), P(0.0, 1.0)) == 0).all()
    d.register_kl(P, d.Normal)(lambda p, q: "left")
    assert d.kl_divergence(Q(0.0, 1.0), d.Normal(0.0, 1.0)) == "left"
    d.register_kl(d.Normal, P)(lambda p, q: "right")
    with pytest.warns(RuntimeWarning, match="Ambiguous"):
        assert d.kl_divergence(P(0.0, 1.0), Q(0.0, 1.0)) == "left"
    d.register_kl(P, P)(lambda p, q: "both")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert d.kl_divergence(Q(0.0, 1.0), Q(0.0, 1.0)) == "both"
    registry = lib.distributions.kl
    for key in ((P, d.Normal), (d.Normal, P), (P, P)):
        del registry._KL_REGISTRY[key]
    registry._KL_MEMOIZE.clear()
    if lib is mg:  # PyTorch's own check never fails
        with pytest.raises(TypeError):
            d.register_kl(int, d.Normal)
