"""Weighted sums of chosen elements of each plane, in NumPy: one trilinear form.

It ties planes x (N, C, S), weights w (N, K, P) and sums g (N, C, P) through places index (N, K, P):

    g[n, c, p] = sum over k of w[n, k, p] * x[n, c, index[n, k, p]]

Each function computes one of the three from the other two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._quiet import quiet

__all__ = ["gathered_planes", "gathered_sums", "gathered_weights"]


@quiet
def gathered_sums(x: Any, w: Any, index: Any) -> Any:
    """g from x and w, as a new array."""
    out = np.zeros((x.shape[0], x.shape[1], index.shape[2]), x.dtype)
    for plane, total, weights, places in zip(x, out, w, index, strict=True):
        for weight, place in zip(weights, places, strict=True):
            part = plane[:, place]
            part *= weight
            total += part
    return out


@quiet
def gathered_weights(g: Any, x: Any, index: Any) -> Any:
    """The gradient to w: the sum over channels of g times the element."""
    out = np.empty(index.shape, x.dtype)
    for plane, grad, result, places in zip(x, g, out, index, strict=True):
        for k, place in enumerate(places):
            np.einsum("cp,cp->p", grad, plane[:, place], out=result[k])
    return out


@quiet
def gathered_planes(g: Any, w: Any, index: Any, size: int) -> Any:
    """The gradient to x: each g times its weight, added up at its place."""
    n, c = g.shape[:2]
    out = np.zeros((n, c, size), g.dtype)
    for planes, grad, weights, places in zip(out, g, w, index, strict=True):
        flat = places.reshape(-1)
        for plane, row in zip(planes, grad, strict=True):
            plane += np.bincount(flat, (weights * row).reshape(-1), minlength=size)
    return out
