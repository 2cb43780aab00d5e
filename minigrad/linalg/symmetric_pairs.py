"""The iteration of LOBPCG on arrays: locally optimal block preconditioned conjugate gradients."""

from __future__ import annotations

from typing import Any

import numpy as np


def _ritz(basis: Any, a: Any, b: Any, largest: bool, count: int) -> tuple:
    """The best `count` pairs within the span of `basis`: (values, coefficients of the basis)."""
    gram = basis.T @ (basis if b is None else b @ basis)
    scale = 1 / np.sqrt(np.diag(gram))
    sizes, turn = np.linalg.eigh(gram * scale * scale[:, None])
    kept = sizes > 10 * len(sizes) * np.finfo(a.dtype).eps  # nearly dependent directions go
    white = scale[:, None] * turn[:, kept] / np.sqrt(sizes[kept])
    values, vectors = np.linalg.eigh(white.T @ (basis.T @ (a @ basis)) @ white)
    order = np.argsort(-values if largest else values, kind="stable")[:count]
    return values[order], white @ vectors[:, order]


def largest_pairs(
    a: Any, b: Any, x: Any, preconditioner: Any, niter: int, tol: float, largest: bool, count: int
) -> tuple:
    """(values (count,), vectors (m, count)) of the symmetric pair a, b (None: the identity).

    `x` (m, n) is the guess; up to `niter` steps (1000 if negative) until every residual is below
    tol * (|a| + |value| |b|) * |vector|.
    """
    n = x.shape[1]
    a_norm = np.linalg.norm(a)
    b_norm = 1.0 if b is None else np.linalg.norm(b)
    values, mix = _ritz(x, a, b, largest, n)
    x = x @ mix
    step = np.zeros((len(x), 0), x.dtype, like=x)
    for _ in range(niter if niter >= 0 else 1000):
        residual = a @ x - (x if b is None else b @ x) * values
        size = np.linalg.norm(residual, axis=0)
        limit = tol * (a_norm + np.abs(values) * b_norm) * np.linalg.norm(x, axis=0)
        active = size > limit
        if not active[:count].any():
            break
        search = residual[:, active]
        if preconditioner is not None:
            search = preconditioner @ search
        basis = np.concatenate((x, search, step), 1)
        values, mix = _ritz(basis, a, b, largest, n)
        step = basis[:, n:] @ mix[n:]
        step = step[:, np.linalg.norm(step, axis=0) > 0]
        x = basis @ mix
    return values[:count], np.ascontiguousarray(x[:, :count])
