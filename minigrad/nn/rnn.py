"""Recurrent layers over sequences: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

import numpy as np

from .. import ops
from ..autograd.naming import named
from ..autograd.precision import state as autocast
from ..creation import empty
from ..dtypes import float32
from . import init
from ._recurrent import walk
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: parameters, checks, and the walk over layers and directions.

    Layer k has weight_ih_l{k} (gates, inputs), weight_hh_l{k} (gates, hidden), with `bias`
    bias_ih_l{k} and bias_hh_l{k}, with `proj_size` weight_hr_l{k} (proj_size, hidden), and the same
    with the suffix "_reverse" if `bidirectional`; all start uniform in +-1 / sqrt(hidden_size).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        gates = _GATES[mode] * hidden_size
        width = proj_size or hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            inputs = width * (2 if bidirectional else 1) if layer else input_size
            for suffix in ("", "_reverse") if bidirectional else ("",):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (gates, inputs),
                    "weight_hh": (gates, width),
                }
                if bias:
                    shapes["bias_ih"] = shapes["bias_hh"] = (gates,)
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = []
                for name, shape in shapes.items():
                    names.append(f"{name}_l{layer}{suffix}")
                    setattr(self, names[-1], Parameter(empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    def _check_options(self, dropout: Any) -> None:
        number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=3,
            )
        kinds: dict[str, Any] = {
            "bias": bool,
            "batch_first": bool,
            "input_size": int,
            "hidden_size": int,
        }
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                )
            if kind is int and value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Does nothing: the parameters need not lie together in memory."""

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    # -- checks ----------------------------------------------------------------------------------

    def check_input(self, input: Any, batch_sizes: Any) -> None:
        """ValueError for another dtype than the weights', RuntimeError for a shape that misfits."""
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != dtype and not autocast.active:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). "
                f"Convert input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.ndim != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.ndim}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def _state_size(self, input: Any, batch_sizes: Any, width: int) -> tuple[int, int, int]:
        if batch_sizes is not None:
            batch = int(batch_sizes[0])
        else:
            batch = input.shape[0 if self.batch_first else 1]
        return self.num_layers * (2 if self.bidirectional else 1), batch, width

    def get_expected_hidden_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """The shape that an initial hidden state must have."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(
        self,
        hx: Any,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """RuntimeError for a state of another shape."""
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        """`check_input`, and the shape of the hidden state if one is given."""
        self.check_input(input, batch_sizes)
        if hidden is not None:
            self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        """The state with its sequences in another order."""
        if hx is None or permutation is None:
            return hx
        return ops.index_select(hx, 1, permutation)

    # -- forward ---------------------------------------------------------------------------------

    def _batched(self, input: Any, hx: Any) -> tuple[Any, Any, bool]:
        """Input and state with a dimension for the batch, and whether they had it."""
        ndim = input.ndim
        if ndim not in (2, 3):
            kind = self.mode[:3] if self.mode.startswith("RNN") else self.mode
            tensor = " tensor" if kind == "RNN" else ""
            raise ValueError(f"{kind}: Expected input to be 2D or 3D, got {ndim}D{tensor} instead")
        self._check_state_dims(hx, ndim)
        if ndim == 3:
            return input, hx, True
        return input.unsqueeze(0 if self.batch_first else 1), self._each(hx, "unsqueeze"), False

    def _check_state_dims(self, hx: Any, ndim: int) -> None:
        if hx is not None and hx.ndim != ndim:
            kind = "batched" if ndim == 3 else "unbatched"
            raise RuntimeError(
                f"For {kind} {ndim}-D input, hx should also be {ndim}-D but got {hx.ndim}-D tensor"
            )

    def _each(self, hx: Any, method: str) -> Any:
        """`squeeze(1)` or `unsqueeze(1)` of a state."""
        return None if hx is None else getattr(hx, method)(1)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """(output, state): of all steps, and after the last step. `hx` defaults to zeros.

        Input (L, N, in), (N, L, in) with `batch_first`, (L, in), or a PackedSequence, which gives
        a PackedSequence. States are (layers * directions, N, hidden), without N for (L, in); the
        state of an LSTM is the pair (h, c).
        """
        if isinstance(input, PackedSequence):
            data, batch_sizes, order, back = input
            hx = self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, batch_sizes)
            out, hidden = self._run(data, batch_sizes.numpy(), hx)
            return PackedSequence(out, batch_sizes, order, back), self.permute_hidden(hidden, back)
        input, hx, batched = self._batched(input, hx)
        self.check_forward_args(input, hx, None)
        x = input.transpose(0, 1) if self.batch_first else input
        steps, batch, inputs = x.shape
        if steps == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        rows = x.reshape(steps * batch, inputs)
        out, hidden = self._run(rows, np.full(steps, batch, np.int64), hx)
        out = self._named(out.reshape(steps, batch, out.shape[1]))
        if self.batch_first:
            out = out.transpose(0, 1)
            if self.mode != "LSTM":
                named("TransposeBackward1", out)
        if not batched:
            out = out.squeeze(0 if self.batch_first else 1)
            hidden = self._each(hidden, "squeeze")
        return out, hidden

    def _named(self, out: Any) -> Any:
        """The output, whose node bears the name that PyTorch's has."""
        if self.bidirectional:
            return named("CatBackward0", out)
        one_call = self.mode == "LSTM" and not self.proj_size and out.dtype is float32
        return named("MkldnnRnnLayerBackward0" if one_call else "StackBackward0", out)

    def _run(self, x: Any, sizes: Any, hx: Any) -> tuple[Any, Any]:
        """All layers over x (rows, inputs), `sizes[t]` rows for step t."""
        h, c = hx if isinstance(hx, (tuple, list)) else (hx, None)
        directions = 2 if self.bidirectional else 1
        weights = [self._weights(place) for place in range(self.num_layers * directions)]
        dropout = self.dropout if self.training else 0.0
        x, states = walk(self.mode, x, sizes, h, c, weights, directions, dropout)
        return x, states if self.mode == "LSTM" else states[0]

    def _weights(self, place: int) -> tuple:
        """w_ih, w_hh, b_ih, b_hh, w_hr of a layer and direction; None for what it has not."""
        own = [getattr(self, name) for name in self._all_weights[place]]
        biases = own[2:4] if self.bias else (None, None)
        return (*own[:2], *biases, own[-1] if self.proj_size else None)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        usual = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
            "bidirectional": False,
        }  # fmt: skip
        for name, default in usual.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


def _no_projection(kwargs: dict) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """Elman RNN: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.

    Arguments: input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True,
    batch_first=False, dropout=0.0, bidirectional=False, device=None, dtype=None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        self.nonlinearity = nonlinearity
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__("RNN_" + nonlinearity.upper(), *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent unit: r, z = sigmoid(...), n = tanh(x part + r * h part), and
    h' = (1 - z) n + z h.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None. (Cho et al. 2014.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory: i, f, o = sigmoid(...), g = tanh(...), c' = f c + i g and
    h' = o tanh(c'), which `proj_size` projects.

    Arguments: input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0, device=None, dtype=None. (Hochreiter, Schmidhuber 1997; Sak
    et al. 2014.)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Any, batch_sizes: Any) -> tuple[int, int, int]:
        """The shape that an initial cell state must have."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Any, hidden: Any, batch_sizes: Any) -> None:
        self.check_input(input, batch_sizes)
        if hidden is None:
            return
        h_size = self.get_expected_hidden_size(input, batch_sizes)
        c_size = self.get_expected_cell_size(input, batch_sizes)
        self.check_hidden_size(hidden[0], h_size, "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(hidden[1], c_size, "Expected hidden[1] size {}, got {}")

    def permute_hidden(self, hx: Any, permutation: Any) -> Any:
        if hx is None or permutation is None:
            return hx
        return ops.index_select(hx[0], 1, permutation), ops.index_select(hx[1], 1, permutation)

    def _check_state_dims(self, hx: Any, ndim: int) -> None:
        if hx is not None and (hx[0].ndim != ndim or hx[1].ndim != ndim):
            kind = "batched" if ndim == 3 else "unbatched"
            raise RuntimeError(
                f"For {kind} {ndim}-D input, hx and cx should also be {ndim}-D but got "
                f"({hx[0].ndim}-D, {hx[1].ndim}-D) tensors"
            )

    def _each(self, hx: Any, method: str) -> Any:
        return None if hx is None else (getattr(hx[0], method)(1), getattr(hx[1], method)(1))
