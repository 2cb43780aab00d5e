"""Recurrent cells, which make one step: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..creation import empty
from . import init
from ._recurrent import run
from .module import Module
from .parameter import Parameter

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


class RNNCellBase(Module):
    """What the cells share: weight_ih, weight_hh, bias_ih and bias_hh of `num_chunks` gates.

    All start uniform in +-1 / sqrt(hidden_size).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size

        def parameter(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        self.weight_ih = parameter(gates, input_size)
        self.weight_hh = parameter(gates, hidden_size)
        self.register_parameter("bias_ih", parameter(gates) if bias else None)
        self.register_parameter("bias_hh", parameter(gates) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"

    def _need_dims(self, what: str, value: Any) -> None:
        if value.ndim not in (1, 2):
            name = self.__class__.__name__
            raise ValueError(f"{name}: Expected {what} to be 1D or 2D, got {value.ndim}D instead")

    def _step(self, mode: str, input: Any, *states: Any) -> list[Any]:
        """The next states, of one or of a batch of inputs; a state of None is zeros."""
        batched = input.ndim == 2
        if not batched:
            input = input.unsqueeze(0)
            states = tuple([None if t is None else t.unsqueeze(0) for t in states])
        shape = input.shape
        if shape[1] != self.weight_ih.shape[1]:
            raise RuntimeError(
                f"input has inconsistent input_size: got {shape[1]} expected "
                f"{self.weight_ih.shape[1]}"
            )
        for i, state in enumerate(states):
            if state is not None:
                self._check_state(shape[0], state, i)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None)
        h, c = states if len(states) == 2 else (states[0], None)
        sizes = np.array((shape[0],), np.int64)
        _, *after = run(mode, True, False, sizes, input, h, c, weights)
        return after if batched else [state.squeeze(0) for state in after]

    def _check_state(self, batch: int, state: Any, i: int) -> None:
        rows = state.size(0)
        if rows != batch:
            raise RuntimeError(
                f"Input batch size {batch} doesn't match hidden{i} batch size {rows}"
            )
        width = state.size(1)
        if width != self.hidden_size or state.ndim != 2:
            raise RuntimeError(
                f"hidden{i} has inconsistent hidden_size: got {width}, expected {self.hidden_size}"
            )


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu; x (N, in) or (in,), h (N, hidden)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        self._need_dims("input", input)
        if hx is not None:
            self._need_dims("hidden", hx)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        mode = "RNN_TANH" if self.nonlinearity == "tanh" else "RNN_RELU"
        return self._step(mode, input, hx)[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: (h', c') from x (N, in) or (in,) and the pair (h, c) of (N, hidden)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        self._need_dims("input", input)
        if hx is None:
            h, c = self._step("LSTM", input, None, None)
            return h, c
        for i, state in enumerate(hx):
            self._need_dims(f"hx[{i}]", state)
        if not isinstance(hx, (tuple, list)):
            raise TypeError(
                "lstm_cell(): argument 'hx' (position 2) must be tuple of Tensors, not Tensor"
            )
        h, c = self._step("LSTM", input, hx[0], hx[1])
        return h, c


class GRUCell(RNNCellBase):
    """One step of a GRU: h' from x (N, in) or (in,) and h (N, hidden)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input: Any, hx: Any = None) -> Any:
        self._need_dims("input", input)
        if hx is not None:
            self._need_dims("hidden", hx)
        return self._step("GRU", input, hx)[0]
