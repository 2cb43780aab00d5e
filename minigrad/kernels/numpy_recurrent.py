"""Recurrent layers in NumPy, one direction of one layer: fallback and oracle of the compiled form.

Sequences lie step after step in rows of one matrix: step t has `sizes[t]` rows, never more than the
step before, and row b of a step continues row b of its neighbours. Gates are kept as (rows, G H):
LSTM i, f, g, o; GRU n, r, z and the hidden part of n; RNN none (its output is enough).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import quiet

TANH, RELU, LSTM, GRU = range(4)


def plan(sizes: Any, reverse: bool) -> list[tuple[int, int, int, int]]:
    """(first row, rows, first row of the step before, rows that continue it), as steps run.

    The rows beyond those that continue start from the initial state.
    """
    starts = np.concatenate(([0], np.cumsum(sizes)))
    order = range(len(sizes))[::-1] if reverse else range(len(sizes))
    steps = []
    before = None
    for t in order:
        rows = int(sizes[t])
        if before is None:
            steps.append((int(starts[t]), rows, 0, 0))
        else:
            steps.append((int(starts[t]), rows, int(starts[before]), min(rows, int(sizes[before]))))
        before = t
    return steps


def _sigmoid(x: Any) -> Any:
    return (1 / (1 + np.exp(-x))).astype(x.dtype, copy=False)


def _earlier(steps: list, values: Any, initial: Any) -> Any:
    """The state that each row starts from: `values` of the step before, or the initial state."""
    result = np.empty_like(values)
    for start, rows, before, continued in steps:
        result[start : start + continued] = values[before : before + continued]
        fresh = result[start + continued : start + rows]
        fresh[...] = 0 if initial is None else initial[continued:rows]
    return result


def _turned(weight: Any, hidden: int) -> Any:
    """Rows of a GRU's r, z, n in the order n, r, z."""
    return np.concatenate((weight[2 * hidden :], weight[: 2 * hidden]))


def _turned_back(weight: Any, hidden: int) -> Any:
    return np.concatenate((weight[hidden:], weight[:hidden]))


def _projected(mode: int, x: Any, w_ih: Any, b_ih: Any, b_hh: Any, hidden: int) -> Any:
    """The gates of all steps before the hidden state takes part."""
    if mode != GRU:
        gates = x @ w_ih.T
        return gates if b_ih is None else gates + (b_ih + b_hh)
    gates = np.zeros((len(x), 4 * hidden), x.dtype)
    gates[:, : 3 * hidden] = x @ _turned(w_ih, hidden).T
    if b_ih is not None:
        gates[:, : 3 * hidden] += _turned(b_ih, hidden)
        gates[:, hidden:] += b_hh
    return gates


@quiet
def recurrent(
    mode: int,
    reverse: bool,
    sizes: Any,
    x: Any,
    h0: Any,
    c0: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    w_hr: Any,
) -> tuple:
    """One direction of a layer over x (rows, inputs): (out, h_n, c_n, gates, cells, inner).

    `inner`: the hidden states of an LSTM before their projection by w_hr; c_n, gates, cells and
    inner are None where there are none.
    """
    hidden, batch = w_hh.shape[0] // (4, 3)[mode == GRU] if mode >= LSTM else len(w_hh), sizes[0]
    gates = _projected(mode, x, w_ih, b_ih, b_hh, hidden)
    out = np.empty((len(x), w_hh.shape[1]), x.dtype)
    cells: Any = np.empty((len(x), hidden), x.dtype) if mode == LSTM else None
    inner: Any = np.empty((len(x), hidden), x.dtype) if w_hr is not None else None
    h = np.zeros((batch, out.shape[1]), x.dtype) if h0 is None else h0.copy()
    c = np.zeros((batch, hidden), x.dtype) if c0 is None else c0.copy()
    own = slice(hidden if mode == GRU else 0, None)  # what the hidden state takes part in
    for start, rows, _, _ in plan(sizes, reverse):
        here = slice(start, start + rows)
        a = gates[here]
        a[:, own] += h[:rows] @ w_hh.T
        if mode == LSTM:
            a[:] = np.concatenate(
                (
                    _sigmoid(a[:, : 2 * hidden]),
                    np.tanh(a[:, 2 * hidden : 3 * hidden]),
                    _sigmoid(a[:, 3 * hidden :]),
                ),
                1,
            )
            i, f, g, o = np.split(a, 4, 1)
            c[:rows] = cells[here] = f * c[:rows] + i * g
            value = o * np.tanh(c[:rows])
            if inner is not None:
                inner[here] = value
                value = value @ w_hr.T
        elif mode == GRU:
            n, r, z, own_part = np.split(a, 4, 1)
            r[:] = _sigmoid(r)
            z[:] = _sigmoid(z)
            n[:] = np.tanh(n + r * own_part)
            value = n + z * (h[:rows] - n)
        else:
            value = np.tanh(a) if mode == TANH else np.maximum(a, 0)
        out[here] = h[:rows] = value
    return out, h, c if mode == LSTM else None, gates if mode >= LSTM else None, cells, inner


@quiet
def recurrent_backward(
    mode: int,
    reverse: bool,
    sizes: Any,
    grads: tuple,
    x: Any,
    h0: Any,
    c0: Any,
    w_ih: Any,
    w_hh: Any,
    w_hr: Any,
    out: Any,
    gates: Any,
    cells: Any,
    inner: Any,
    want: tuple[bool, ...],
) -> tuple:
    """Gradients of (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr), None where not wanted.

    `grads`: those of out, h_n and c_n, each of which may be None.
    """
    steps = plan(sizes, reverse)
    batch, hidden = sizes[0], w_ih.shape[0] // (1, 1, 4, 3)[mode]
    grad_out, dh, dc = grads
    dh = np.zeros((batch, out.shape[1]), x.dtype) if dh is None else dh.copy()
    dc = np.zeros((batch, hidden), x.dtype) if dc is None else dc.copy()
    earlier = _earlier(steps, out, h0)
    earlier_cells: Any = _earlier(steps, cells, c0) if mode == LSTM else None
    dgates = np.empty((len(x), (1, 1, 4, 4)[mode] * hidden), x.dtype)
    dinner: Any = np.empty_like(out) if w_hr is not None else None
    own = slice(hidden if mode == GRU else 0, None)
    for start, rows, _, _ in steps[::-1]:
        here = slice(start, start + rows)
        d = dh[:rows] if grad_out is None else dh[:rows] + grad_out[here]
        if dinner is not None:
            dinner[here] = d
            d = d @ w_hr
        carried: Any = 0
        if mode == LSTM:
            i, f, g, o = np.split(gates[here], 4, 1)
            t = np.tanh(cells[here])
            dcell = dc[:rows] + d * o * (1 - t * t)
            parts = (
                dcell * g * i * (1 - i),
                dcell * earlier_cells[here] * f * (1 - f),
                dcell * i * (1 - g * g),
                d * t * o * (1 - o),
            )
            dgates[here] = np.concatenate(parts, 1)
            dc[:rows] = dcell * f
        elif mode == GRU:
            n, r, z, own_part = np.split(gates[here], 4, 1)
            dn = d * (1 - z) * (1 - n * n)
            parts = (
                dn,
                dn * own_part * r * (1 - r),
                d * (earlier[here] - n) * z * (1 - z),
                dn * r,
            )
            dgates[here] = np.concatenate(parts, 1)
            carried = d * z
        else:
            y = out[here]
            dgates[here] = d * (1 - y * y) if mode == TANH else np.where(y <= 0, 0, d)
        dh[:rows] = dgates[here][:, own] @ w_hh + carried
    inputs = dgates[:, : 3 * hidden] if mode == GRU else dgates
    turned = mode == GRU
    dx = dw_ih = dw_hh = db_ih = db_hh = dw_hr = None
    if want[0]:
        dx = inputs @ (_turned(w_ih, hidden) if turned else w_ih)
    if want[3]:
        dw_ih = inputs.T @ x
    if want[4]:
        dw_hh = dgates[:, own].T @ earlier
    if want[5]:
        db_ih = inputs.sum(0)
    if want[6]:
        db_hh = dgates[:, own].sum(0)
    if turned:
        dw_ih = None if dw_ih is None else _turned_back(dw_ih, hidden)
        db_ih = None if db_ih is None else _turned_back(db_ih, hidden)
    if want[7]:
        dw_hr = dinner.T @ inner
    dh0, dc0 = dh if want[1] else None, dc if want[2] else None
    return dx, dh0, dc0, dw_ih, dw_hh, db_ih, db_hh, dw_hr
