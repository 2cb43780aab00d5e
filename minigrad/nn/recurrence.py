"""Recurrent layers and cells as functions of their weights: `torch.lstm`, `gru_cell`, ….

The modules `LSTM`, `GRU`, `RNN` and their cells are what programs usually call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops._shape import array_of, need_tensor
from ._recurrent import run, walk

__all__ = [
    "gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh",
    "rnn_tanh_cell",
]  # fmt: skip


def _grouped(name: str, params: Any, biases: bool, projected: bool, count: int) -> list[tuple]:
    """w_ih, w_hh, b_ih, b_hh, w_hr for each layer and direction, from one flat list."""
    step = 2 + 2 * biases + projected
    if len(params) != step * count:
        raise RuntimeError(
            f"{name}: got an incorrect number of RNN parameters: {len(params)}; needed: "
            f"{step * count}"
        )
    result = []
    for k in range(0, len(params), step):
        own = tuple(params[k : k + step])
        middle = own[2:4] if biases else (None, None)
        result.append((*own[:2], *middle, own[-1] if projected else None))
    return result


def _layers(name: str, mode: str, args: tuple) -> tuple:
    """Runs one of the two forms of a layer function: padded (9 arguments) or packed."""
    if len(args) != 9:
        raise TypeError(f"{name}() takes 9 positional arguments, but {len(args)} were given")
    packed = not isinstance(args[1], (tuple, list)) and isinstance(args[3], (tuple, list))
    if packed:
        x, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional = args
        batch_first = False
    else:
        x, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first = args
    need_tensor(name, x, 1, "data" if packed else "input")
    if mode == "LSTM":
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            raise RuntimeError("lstm expects two hidden states")
        h, c = hx
    else:
        h, c = need_tensor(name, hx, 2, "hx"), None
    directions = 2 if bidirectional else 1
    projected = c is not None and array_of(h).shape[-1] != array_of(c).shape[-1]
    weights = _grouped(name, params, bool(has_biases), projected, num_layers * directions)
    rate = float(dropout) if train else 0.0
    if packed:
        sizes = need_tensor(name, batch_sizes, 2, "batch_sizes")._array
        out, states = walk(mode, x, sizes, h, c, weights, directions, rate)
        return (out, *states)
    if batch_first:
        x = x.transpose(0, 1)
    steps, batch, inputs = x.shape
    if steps == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    rows, sizes = x.reshape(steps * batch, inputs), np.full(steps, batch, np.int64)
    out, states = walk(mode, rows, sizes, h, c, weights, directions, rate)
    out = out.reshape(steps, batch, out.shape[1])
    return (out.transpose(0, 1) if batch_first else out, *states)


def _layer_function(name: str, mode: str, states: str, what: str) -> Callable:
    def function(*args: Any) -> tuple:
        return _layers(name, mode, args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{what} over sequences: (output, {states}).

    Forms: (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    for x (L, N, in), and (data, batch_sizes, hx, params, has_biases, num_layers, dropout, train,
    bidirectional) for the data of a packed sequence. `params` lists the weights of each layer and
    direction. RuntimeError for a wrong number of them.
    """
    return function


lstm = _layer_function("lstm", "LSTM", "h, c", "LSTM layers")
gru = _layer_function("gru", "GRU", "h", "GRU layers")
rnn_tanh = _layer_function("rnn_tanh", "RNN_TANH", "h", "Elman layers with tanh")
rnn_relu = _layer_function("rnn_relu", "RNN_RELU", "h", "Elman layers with relu")


def _step(
    name: str, mode: str, input: Any, states: tuple, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any
) -> list[Any]:
    """One step of a batch; RuntimeError for shapes that do not fit."""
    x = need_tensor(name, input)._array
    inputs, hidden = need_tensor(name, w_ih, 3, "w_ih")._array.shape[1], w_hh._array.shape[1]
    if x.ndim != 2 or x.shape[1] != inputs:
        raise RuntimeError(
            f"input has inconsistent input_size: got {x.shape[-1] if x.ndim else 0} expected "
            f"{inputs}"
        )
    for i, state in enumerate(states):
        s = need_tensor(name, state, 2, "hx")._array
        if s.shape[0] != x.shape[0]:
            raise RuntimeError(
                f"Input batch size {x.shape[0]} doesn't match hidden{i} batch size {s.shape[0]}"
            )
        if s.ndim != 2 or s.shape[1] != hidden:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {s.shape[-1]}, expected {hidden}"
            )
    weights = (w_ih, w_hh, b_ih, b_hh, None)
    h, c = (*states, None)[:2]
    sizes = np.array((x.shape[0],), np.int64)
    _, *after = run(mode, True, False, sizes, input, h, c, weights)
    return after


def lstm_cell(
    input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> tuple[Any, Any]:
    """One step of an LSTM: (h', c') from x (N, in) and hx = (h, c), each (N, hidden)."""
    if not isinstance(hx, (tuple, list)):
        raise TypeError(
            "lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not "
            f"{hx.__class__.__name__}"
        )
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    h, c = _step("lstm_cell", "LSTM", input, tuple(hx), w_ih, w_hh, b_ih, b_hh)
    return h, c


def _cell_function(name: str, mode: str, what: str) -> Callable:
    def function(
        input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
    ) -> Any:
        return _step(name, mode, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"One step of {what}: h' (N, hidden) from x (N, in) and hx (N, hidden)."
    return function


gru_cell = _cell_function("gru_cell", "GRU", "a GRU")
rnn_tanh_cell = _cell_function("rnn_tanh_cell", "RNN_TANH", "an Elman RNN with tanh")
rnn_relu_cell = _cell_function("rnn_relu_cell", "RNN_RELU", "an Elman RNN with relu")
