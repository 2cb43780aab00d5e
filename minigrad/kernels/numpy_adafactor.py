"""Adafactor's step in plain NumPy."""

from __future__ import annotations

import numpy as np

from .numpy_optim import Arrays, _gradient, _lerp, _wide

__all__ = ["adafactor_step"]


def _rms(x: np.ndarray) -> float:
    return float(np.linalg.norm(x.ravel())) / x.size**0.5 if x.size else 0.0


def adafactor_step(
    params: Arrays,
    grads: Arrays,
    rows: Arrays,
    columns: list[np.ndarray | None],
    steps: Arrays,
    lr: float,
    beta2_decay: float,
    eps1: float,
    eps2: float,
    d: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Adafactor (Shazeer and Stern, 2018), with PyTorch's use of lr and eps1.

    `rows` (..., R, 1) and `columns` (..., 1, C) average the squares of matrices (..., R, C); where
    a column is None, the row is the average of the squares itself.
    """
    for param, grad, row, column, step in zip(params, grads, rows, columns, steps, strict=True):
        step += 1
        t = float(step)
        share = t**beta2_decay
        if param.size == 0:
            continue
        with _wide(param, row, column) as (p, r, c):
            scalar = p.dtype.type
            g = _gradient(grad, p, 0.0, maximize)
            rate = max(eps2, _rms(p)) * min(lr, 1 / t**0.5)
            if weight_decay != 0:
                p *= scalar(1 - lr * weight_decay)
            if c is None:
                _lerp(r, g * g, share)
                estimate = r
            else:
                _lerp(r, np.mean(g * g, -1, keepdims=True), share)
                _lerp(c, np.mean(g * g, -2, keepdims=True), share)
                estimate = r * c / np.maximum(r.mean(-2, keepdims=True), scalar(eps1))
            update = g / np.sqrt(np.maximum(estimate, scalar(eps1 * eps1)))
            p += scalar(-rate / max(1.0, _rms(update) / d)) * update
