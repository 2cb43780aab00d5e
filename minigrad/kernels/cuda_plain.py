"""Kernels that cannot decline (they write into arrays given), by their forms in plain NumPy.

Each has the arguments of the function of `_C` of that name. A compiled kernel takes its place where
there is one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cuda
from .cuda_compiled import define, define_as

forms = cuda.forms


def _pairs(numbers: tuple, dims: int = 2) -> list[tuple]:
    """Numbers for each spatial dimension, in groups."""
    return [numbers[i : i + dims] for i in range(0, len(numbers), dims)]


def _add_rows(out: Any, index: Any, rows: Any) -> None:
    """Adds rows[i] to out[index[i]]; 16-bit floats are summed in float32."""
    if out.dtype.itemsize > 2 or out.dtype.kind not in "fV":
        np.add.at(out, index, rows)
        return
    wide = out.astype(np.float32)
    np.add.at(wide, index, rows.astype(np.float32))
    out[...] = wide


def _enter() -> None:
    forms.indexing.add_rows = _add_rows
    for dims in (2, 3):
        for kind in ("", "_input", "_weight"):
            define_as(f"conv{dims}d{kind}", _conv(dims, kind))
    for name in ("adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "adaptive_max_pool2d"):
        define_as(name, getattr(forms.numpy_pool, name))
    define_as("scatter_planes", forms.numpy_pool.scatter_planes)
    forms.sampling.takes = lambda x: False  # operations then sample
    forms.sparse._COMPILED = ()
    define_as("bag_sums", lambda *args: None)


def _conv(dims: int, kind: str) -> Any:
    def conv(out: Any, a: Any, b: Any, *rest: Any) -> None:
        bias, numbers = (rest[:1], rest[1:]) if kind != "_weight" else ((), rest)
        *steps, groups = numbers
        form = getattr(forms.numpy_conv, "conv" + kind)
        form(out, a, b, *bias, *_pairs(tuple(steps), dims), groups)

    return conv


@define
def isa() -> str:
    """No instruction set of the CPU's, by which forms are chosen there."""
    return "cuda"


@define
def max_pool2d(out: Any, where: Any, x: Any, *numbers: int) -> None:
    """Maxima of windows, and where they stood."""
    forms.numpy_pool.max_pool2d(out, where, x, *_pairs(numbers))


@define
def avg_pool2d(out: Any, x: Any, *numbers: Any) -> None:
    """Averages of windows."""
    *pairs, pad, divisor = numbers
    forms.numpy_pool.avg_pool2d(out, x, *_pairs(tuple(pairs)), pad, divisor)


@define
def avg_pool2d_backward(out: Any, grad: Any, *numbers: Any) -> None:
    """The gradient of `avg_pool2d`."""
    *pairs, pad, divisor = numbers
    forms.numpy_pool.avg_pool2d_backward(out, grad, *_pairs(tuple(pairs)), pad, divisor)


@define
def im2col(x: Any, kernel: tuple, *geometry: tuple) -> Any:
    """Patches of images."""
    return forms.numpy_patches.im2col(x, kernel, geometry)


@define
def col2im(columns: Any, size: tuple, kernel: tuple, *geometry: tuple) -> Any:
    """Images of added patches."""
    return forms.numpy_patches.col2im(columns, size, kernel, geometry)


@define
def resample(out: Any, x: Any, index: Any, weight: Any) -> None:
    """Weighted sums along dimension 1."""
    out[...] = forms.numpy_resample.resample(x, 1, index, weight)


@define
def row_distances(a: Any, b: Any, p: float) -> Any:
    """(b, n, m): p-norms of the differences of rows, one column of them at a time."""
    out = np.zeros((a.shape[0], a.shape[1], b.shape[1]), a.dtype, like=a)
    for i in range(a.shape[2]):
        gap = np.abs(a[:, :, None, i] - b[:, None, :, i])
        if p == 0:
            out += (gap != 0).astype(a.dtype)
        elif p == np.inf:
            np.maximum(out, gap, out=out)
        else:
            out += gap if p == 1 else gap**p
    return out if p in (0, 1, np.inf) else out ** (1 / p)


@define
def row_distances_backward(a: Any, b: Any, grad: Any, distance: Any, p: float, turned: bool) -> Any:
    """The gradient of a for `row_distances`; if `turned`, a was the second operand."""
    if turned:
        grad, distance = grad.swapaxes(1, 2), distance.swapaxes(1, 2)
    none = distance == 0
    whole = np.where(none, 1, distance).astype(a.dtype)
    out = np.zeros_like(a, order="C")
    for i in range(a.shape[2]):
        gap = a[:, :, None, i] - b[:, None, :, i]
        if p == np.inf:
            slope = np.sign(gap) * (np.abs(gap) == distance)
        elif p == 1:
            slope = np.sign(gap)
        else:
            size = np.abs(gap)
            ratio = np.where(size == 0, 0, size / whole).astype(a.dtype)
            slope = np.sign(gap) * np.where(ratio == 0, 0, ratio ** (p - 1))
        out[:, :, i] = np.where(none, 0, slope * grad).sum(2)
    return out


@define
def euclidean_finish(x: Any, y: Any, out: Any) -> None:
    """sqrt(max(|x|^2 + |y|^2 - 2 out, 0)), in place."""
    squares = (x * x).sum(2)[:, :, None] + (y * y).sum(2)[:, None, :]
    out[...] = np.sqrt(np.maximum(squares - 2 * out, 0))


@define
def euclidean_weights(grad: Any, distance: Any) -> Any:
    """grad / distance, 0 where that is 0."""
    none = distance == 0
    return np.where(none, 0, grad / np.where(none, 1, distance)).astype(grad.dtype)


_enter()
