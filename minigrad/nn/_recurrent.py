"""What recurrent layers and cells share."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..autograd.naming import named
from ..ops._nn import torch_name
from ..ops.recurrent import recurrent
from . import functional as F


def need_one_dtype(x: Any, states: tuple, weights: tuple) -> None:
    """RuntimeError, as PyTorch's of its products, unless all tensors have one dtype."""
    dtype = weights[0]._array.dtype
    for one in (x, *states, *weights):
        if one is not None and one._array.dtype != dtype:
            raise RuntimeError(
                "mat1 and mat2 must have the same dtype, but got "
                f"{torch_name(one._array)} and {torch_name(weights[0]._array)}"
            )


def run(
    mode: str,
    cell: bool,
    reverse: bool,
    sizes: Any,
    x: Any,
    h: Any,
    c: Any,
    weights: tuple,
) -> Any:
    """`ops.recurrent`, whose operands must have one dtype: of a layer, or one step of a cell."""
    need_one_dtype(x, (h, c), weights)
    return recurrent(mode, reverse, sizes, x, h, c, weights)


def walk(
    mode: str,
    x: Any,
    sizes: Any,
    h: Any,
    c: Any,
    weights: list[tuple],
    directions: int,
    dropout: float,
) -> tuple[Any, tuple]:
    """All layers over x (rows, inputs), `sizes[t]` rows for step t: (outputs, states).

    `h` and `c` (layers * directions, N, ...) or None for zeros; `weights` holds w_ih, w_hh, b_ih,
    b_hh, w_hr of each layer and direction. The states are the last h, and c of an LSTM.
    """
    last: list[tuple] = []
    layers = len(weights) // directions
    for layer in range(layers):
        outs = []
        for direction in range(directions):
            place = layer * directions + direction
            h0 = None if h is None else ops.select(h, 0, place)
            c0 = None if c is None else ops.select(c, 0, place)
            back = direction == 1
            out, *state = run(mode, False, back, sizes, x, h0, c0, weights[place])
            outs.append(out)
            last.append(tuple(state))
        x = outs[0] if directions == 1 else ops.cat(outs, 1)
        if dropout and layer < layers - 1:
            x = F.dropout(x, dropout, True)
    states = [
        named("StackBackward0", s[0].unsqueeze(0)) if len(s) == 1 else ops.stack(s)
        for s in zip(*last, strict=True)
    ]
    return x, tuple(states)
