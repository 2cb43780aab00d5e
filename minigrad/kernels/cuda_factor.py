"""Cholesky and LU factors and triangular systems on a GPU, by array functions: as those of `_C`.

A column is one step of a few launches for the whole batch; what lies beyond a panel of columns is
brought up to date by a matrix product. Nothing waits for the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cuda_compiled import define

_PANEL = 32


def _first(info: Any, at_fault: Any, number: int) -> Any:
    """Infos with a number where something is at fault and nothing was before."""
    return np.where((info == 0) & at_fault, number, info).astype(np.int32)


@define
def cholesky(factor: Any, info: Any, x: Any, upper: bool) -> None:
    """L of matrices (b, n, n), written transposed; the lower triangle is read (`upper`: of x^T)."""
    a = np.tril(x.swapaxes(1, 2) if upper else x)
    info[...] = 0
    n = a.shape[-1]
    for start in range(0, n, _PANEL):
        stop = min(start + _PANEL, n)
        for j in range(start, stop):
            pivot = a[:, j, j]
            info[...] = _first(info, ~(pivot > 0), j + 1)
            a[:, j:, j] = a[:, j:, j] / np.sqrt(pivot)[:, None]
            column, row = a[:, j + 1 :, j, None], a[:, None, j + 1 : stop, j]
            a[:, j + 1 :, j + 1 : stop] -= column * row
        panel = a[:, stop:, start:stop]
        a[:, stop:, stop:] -= panel @ panel.swapaxes(1, 2)
    factor[...] = np.tril(a).swapaxes(1, 2)


@define
def lu_factor(a: Any, pivots: Any, info: Any, pivot: bool) -> None:
    """LU of matrices (b, m, n), in place, with pivots (b, min(m, n)) from 1."""
    m, n = a.shape[1:]
    each = np.arange(len(a), like=a)
    info[...] = 0
    for start in range(0, min(m, n), _PANEL):
        stop = min(start + _PANEL, m, n)
        for j in range(start, stop):
            if pivot:
                found = np.argmax(np.abs(a[:, j:, j]), axis=1) + j
                rows = a[each, found]
                a[each, found] = a[:, j].copy()
                a[:, j] = rows
                pivots[:, j] = found + 1
            else:
                pivots[:, j] = j + 1
            diagonal = a[:, j, j]
            zero = diagonal == 0
            info[...] = _first(info, zero, j + 1)
            below = a[:, j + 1 :, j] / np.where(zero, 1, diagonal).astype(a.dtype)[:, None]
            a[:, j + 1 :, j] = below
            a[:, j + 1 :, j + 1 : stop] -= below[:, :, None] * a[:, j, None, j + 1 : stop]
        top = a[:, start:stop, stop:].copy()
        _solve(top, a[:, start:stop, start:stop], False, True)
        a[:, start:stop, stop:] = top
        a[:, stop:, stop:] -= a[:, stop:, start:stop] @ top


@define
def solve_triangular(x: Any, a: Any, upper: bool, unit: bool, transposed: bool) -> None:
    """x = triangle(a)^-1 @ x, in place: x (b, n, k), a (b or 1, n, n), given `transposed`."""
    _solve(x, a.swapaxes(1, 2) if transposed else a, upper, unit)


def _solve(x: Any, a: Any, upper: bool, unit: bool) -> None:
    """One half after the other, with a matrix product in between."""
    n = a.shape[1]
    if n == 1:
        if not unit:
            x[...] = x / a
        return
    if not x.size:
        return
    first, second = slice(None, n // 2), slice(n // 2, None)
    if upper:
        first, second = second, first
    _solve(x[:, first], a[:, first, first], upper, unit)
    x[:, second] -= a[:, second, first] @ x[:, first]
    _solve(x[:, second], a[:, second, second], upper, unit)
