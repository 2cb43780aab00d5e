"""Distributions for the tests: a name, the parameters as lists, and what is no tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

TRIL = [[1.5, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.2, 0.4, 1.1]]
SPD = (np.array(TRIL) @ np.array(TRIL).T).tolist()
SPD = [[round(x, 6) for x in row] for row in SPD]

# (class, tensors by name, other arguments)
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Normal", {"loc": [0.5, -1.0, 2.0], "scale": [0.3, 1.0, 2.5]}, {}),
    ("Normal", {"loc": 0.0}, {"scale": 2.0}),
    ("Normal", {}, {"loc": 0.5, "scale": 2}),
    ("Uniform", {"low": [0.0, -1.0], "high": [1.0, 3.0]}, {}),
    ("Laplace", {"loc": [0.0, 2.0], "scale": [1.0, 0.4]}, {}),
    ("Cauchy", {"loc": [0.0, 2.0], "scale": [1.0, 0.4]}, {}),
    ("Exponential", {"rate": [0.5, 3.0]}, {}),
    ("Exponential", {}, {"rate": 1.5}),
    ("Gamma", {"concentration": [0.4, 1.0, 7.5], "rate": [1.0, 0.5, 3.0]}, {}),
    ("Chi2", {"df": [1.0, 4.5]}, {}),
    ("Beta", {"concentration1": [0.5, 2.0, 5.0], "concentration0": [0.7, 2.0, 1.5]}, {}),
    ("Beta", {}, {"concentration1": 2.0, "concentration0": 3.0}),
    ("Dirichlet", {"concentration": [[0.5, 1.5, 3.0], [2.0, 0.2, 1.0]]}, {}),
    ("StudentT", {"df": [2.5, 5.0], "loc": [0.0, 1.0], "scale": [1.0, 2.0]}, {}),
    ("FisherSnedecor", {"df1": [3.0, 7.0], "df2": [5.0, 9.0]}, {}),
    ("Gumbel", {"loc": [0.0, 2.0], "scale": [1.0, 0.4]}, {}),
    ("LogNormal", {"loc": [0.0, 0.5], "scale": [1.0, 0.4]}, {}),
    ("HalfNormal", {"scale": [1.0, 0.4]}, {}),
    ("HalfCauchy", {"scale": [1.0, 0.4]}, {}),
    ("Pareto", {"scale": [1.0, 0.4], "alpha": [3.0, 2.5]}, {}),
    ("Weibull", {"scale": [1.0, 0.4], "concentration": [1.5, 3.0]}, {}),
    ("Kumaraswamy", {"concentration1": [0.8, 2.0], "concentration0": [1.5, 3.0]}, {}),
    ("InverseGamma", {"concentration": [3.5, 2.5], "rate": [1.0, 0.4]}, {}),
    (
        "GeneralizedPareto",
        {"loc": [0.0, 1.0, 0.0], "scale": [1.0, 2.0, 1.0], "concentration": [0.3, -0.4, 0.0]},
        {},
    ),
    ("VonMises", {"loc": [0.0, 1.0, 2.0], "concentration": [0.5, 3.0, 20.0]}, {}),
    ("LogisticNormal", {"loc": [0.2, -0.3], "scale": [1.0, 0.5]}, {}),
    ("Bernoulli", {"probs": [0.2, 0.5, 0.9]}, {}),
    ("Bernoulli", {"logits": [-1.0, 0.0, 3.0]}, {}),
    ("Bernoulli", {}, {"probs": 0.3}),
    ("ContinuousBernoulli", {"probs": [0.2, 0.5, 0.9]}, {}),
    ("ContinuousBernoulli", {"logits": [-1.0, 0.001, 3.0]}, {}),
    ("Geometric", {"probs": [0.2, 0.5, 0.9]}, {}),
    ("Geometric", {"logits": [-1.0, 0.5]}, {}),
    ("Binomial", {"probs": [0.2, 0.5, 0.9]}, {"total_count": 7}),
    ("Binomial", {"total_count": [30.0, 100.0], "logits": [-1.0, 0.3]}, {}),
    ("NegativeBinomial", {"total_count": [2.0, 5.5], "probs": [0.3, 0.6]}, {}),
    ("NegativeBinomial", {"logits": [-1.0, 0.3]}, {"total_count": 4}),
    ("Poisson", {"rate": [0.5, 4.0, 30.0]}, {}),
    ("Categorical", {"probs": [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]}, {}),
    ("Categorical", {"logits": [0.2, -1.0, 0.5, 2.0]}, {}),
    ("OneHotCategorical", {"probs": [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]}, {}),
    ("OneHotCategoricalStraightThrough", {"logits": [0.2, -1.0, 0.5, 2.0]}, {}),
    ("Multinomial", {"probs": [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]}, {"total_count": 6}),
    ("RelaxedBernoulli", {"temperature": 0.7, "probs": [0.2, 0.6]}, {}),
    ("RelaxedOneHotCategorical", {"temperature": 0.7, "logits": [0.2, -1.0, 0.5]}, {}),
    ("MultivariateNormal", {"loc": [0.5, -1.0, 2.0], "scale_tril": TRIL}, {}),
    ("MultivariateNormal", {"loc": [[0.5, -1.0, 2.0]] * 2, "covariance_matrix": SPD}, {}),
    ("MultivariateNormal", {"loc": [0.5, -1.0, 2.0], "precision_matrix": [SPD, SPD]}, {}),
    (
        "LowRankMultivariateNormal",
        {
            "loc": [0.5, -1.0, 2.0],
            "cov_factor": [[1.0, 0.2], [-0.5, 0.3], [0.1, 2.0]],
            "cov_diag": [0.5, 1.5, 0.8],
        },
        {},
    ),
    ("LKJCholesky", {"concentration": [0.5, 2.0]}, {"dim": 3}),
    ("Wishart", {"df": 5.0, "covariance_matrix": SPD}, {}),
    ("Wishart", {"df": [4.5, 6.0], "scale_tril": TRIL}, {}),
]

IDS = [f"{name}-{'-'.join((*tensors, *others))}" for name, tensors, others in CASES]


def build(lib: Any, index: int, dtype: str = "float64", **more: Any) -> tuple[Any, list]:
    """The distribution of a case in a library, and its parameters as leaves."""
    name, tensors, others = CASES[index]
    leaves = {
        key: lib.tensor(value, dtype=getattr(lib, dtype)).requires_grad_()
        for key, value in tensors.items()
    }
    return getattr(lib.distributions, name)(**leaves, **others, **more), list(leaves.values())
