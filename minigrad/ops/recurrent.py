"""Recurrent layers: one direction of one layer over whole sequences as one operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..kernels import recurrent as kernels
from ..kernels.numpy_recurrent import plan
from ..kernels.recurrent import GRU, LSTM, RELU, TANH
from ._nn import composed_grads, wanted
from .arith import add, mul, sub
from .join import cat
from .linalg import linear
from .movement import reshape
from .rectifiers import relu
from .slices import narrow
from .special import sigmoid
from .splits import gradients, split
from .trigonometric import tanh

# What PyTorch's cells do last.
_LAST_STEPS = {TANH: "TanhBackward0", RELU: "ReluBackward0", LSTM: "MulBackward0",
               GRU: "AddBackward0"}  # fmt: skip

MODES = {"RNN_TANH": TANH, "RNN_RELU": RELU, "LSTM": LSTM, "GRU": GRU}


class Recurrent(Node):
    """RNN, LSTM or GRU over the steps of x, forwards or backwards."""

    saves = (0, 1, 2, 3, 4, 5, 6, 7, 8)
    saves_output = (0,)
    fresh = True

    def forward(
        self,
        x: Any,
        h0: Any,
        c0: Any,
        w_ih: Any,
        w_hh: Any,
        b_ih: Any,
        b_hh: Any,
        w_hr: Any,
        kept: list,
        mode: int,
        reverse: bool,
        sizes: Any,
    ) -> Any:
        self.mode, self.reverse, self.sizes = mode, reverse, sizes
        operands = (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
        out, h, c, *kept[:] = kernels.recurrent(mode, reverse, sizes, *operands)
        outs = (out, h) if c is None else (out, h, c)
        self.like = [(a.shape, a.dtype) for a in outs]
        return outs

    def name(self) -> str:
        if len(self.sizes) == 1:  # a cell
            return _LAST_STEPS[self.mode]
        return "CatBackward0"

    def backward(self, grads: Any) -> Any:
        """Back through the steps; see `numpy_recurrent.recurrent_backward` for the formulas."""
        *operands, kept, out = self.saved
        if any(isinstance(g, Variable) for g in grads):
            flat = [reshape(g, (-1,)) for g in gradients(grads, self.like)]
            return *composed_grads(self.formula, tuple(operands), cat(flat)), None
        x, h0, c0, w_ih, w_hh, _, _, w_hr = operands
        given = (x, h0, c0, w_ih, w_hh, w_hr, out, *kept)
        dh, dc = grads[1], grads[2] if self.mode == LSTM else None
        found = kernels.recurrent_backward(
            self.mode, self.reverse, self.sizes, (grads[0], dh, dc), *given, wanted(self)[:8]
        )
        return *found, None

    def formula(
        self, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any
    ) -> Any:
        """All outputs, flat and joined, in differentiable ops."""
        batch, width = int(self.sizes[0]), w_hh._array.shape[1]
        hidden = w_ih._array.shape[0] // (1, 1, 4, 3)[self.mode]
        dtype = x._array.dtype
        h = _v.wrap(np.zeros((batch, width), dtype, like=x._array)) if h0 is None else h0
        c = _v.wrap(np.zeros((batch, hidden), dtype, like=x._array)) if c0 is None else c0
        pieces = {}
        for start, rows, _, _ in plan(self.sizes, self.reverse):
            given = linear(narrow(x, 0, start, rows), w_ih, b_ih)
            own = linear(narrow(h, 0, 0, rows), w_hh, b_hh)
            state, cell = self.step(given, own, narrow(h, 0, 0, rows), narrow(c, 0, 0, rows))
            if w_hr is not None:
                state = linear(state, w_hr)
            pieces[start] = state
            h, c = _first_rows(h, state), _first_rows(c, cell)
        outs = [cat([pieces[start] for start in sorted(pieces)]), h, c]
        return cat([reshape(a, (-1,)) for a in outs[: len(self.like)]])

    def step(self, given: Any, own: Any, h: Any, c: Any) -> tuple[Any, Any]:
        """The next hidden and cell state from the gates' two parts and the last states."""
        if self.mode == LSTM:
            i, f, g, o = split(add(given, own), c._array.shape[1], 1)
            c = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)))
            return mul(sigmoid(o), tanh(c)), c
        if self.mode == GRU:
            hidden = h._array.shape[1]
            r, z, n = split(given, hidden, 1)
            own_r, own_z, own_n = split(own, hidden, 1)
            n = tanh(add(n, mul(sigmoid(add(r, own_r)), own_n)))
            return add(n, mul(sigmoid(add(z, own_z)), sub(h, n))), c
        total = add(given, own)
        return (tanh if self.mode == TANH else relu)(total), c


def _first_rows(state: Any, rows: Any) -> Any:
    """`state` with `rows` in the place of its first ones."""
    given, all_rows = rows._array.shape[0], state._array.shape[0]
    return rows if given == all_rows else cat([rows, narrow(state, 0, given, all_rows - given)])


def recurrent(
    mode: str, reverse: bool, sizes: Any, x: Any, h0: Any, c0: Any, weights: tuple
) -> tuple:
    """One direction of a recurrent layer: (out, h_n), or (out, h_n, c_n) for an LSTM.

    `mode` is "RNN_TANH", "RNN_RELU", "LSTM" or "GRU". x (rows, inputs) holds step after step,
    `sizes[t]` rows each, not increasing (int64, NumPy). h0 (batch, width) and c0 (batch, hidden) or
    None for zeros. `weights`: w_ih (gates, inputs), w_hh (gates, width), b_ih, b_hh (gates,) or
    None, w_hr (width, hidden) or None. The caller has checked shapes.
    """
    kept: list = []  # what forward leaves for backward: freed with what the node saves
    return apply(Recurrent, (x, h0, c0, *weights, kept), MODES[mode], reverse, sizes)
