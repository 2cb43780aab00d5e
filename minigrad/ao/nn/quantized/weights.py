"""What layers of integers share: a weight of bytes with its grid, and a real bias, as buffers.

`state_dict` has plain tensors, where PyTorch has a packed object: `weight_values` (int8),
`weight_scale` (float32) and `weight_zero_point` (int32), one for each output or a single one, and
`bias_values` (float32).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import nn
from ....creation import from_numpy, tensor, zeros
from ....dtypes import int8, int32, qint8
from ....quantized.functional import PackedWeight
from ....quantized.tensor import QuantizedTensor, make, quantize_per_channel, quantize_per_tensor

__all__ = ["ConvShape", "OnGrid", "Weighted", "quantized_weight"]


def quantized_weight(weight: Any, observer: Any) -> QuantizedTensor:
    """A float weight on the grid that its observer chose. ValueError unless that is qint8's."""
    if observer.dtype is not qint8:
        raise ValueError(f"a weight observer for {observer.dtype!r} was given; needed: qint8")
    scale, zero_point = observer.calculate_qparams()
    x = weight.detach().float()
    if scale.numel() > 1 or getattr(observer, "ch_axis", -1) >= 0:
        return quantize_per_channel(x, scale, zero_point, max(observer.ch_axis, 0), qint8)
    return quantize_per_tensor(x, float(scale), int(zero_point), qint8)


class OnGrid(nn.Module):
    """A module with a `scale` and a `zero_point`, numbers that its state keeps as tensors."""

    scale: float
    zero_point: int

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "scale"] = tensor(self.scale)
        destination[prefix + "zero_point"] = tensor(self.zero_point)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: list,
        unexpected_keys: list, error_msgs: list,
    ) -> None:  # fmt: skip
        rest = dict(state_dict)
        for name in ("scale", "zero_point"):
            if prefix + name in rest:
                setattr(self, name, rest.pop(prefix + name).item())
            elif strict:
                missing_keys.append(prefix + name)
        super()._load_from_state_dict(
            rest, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class Weighted(nn.Module):
    """A weight of `shape` and a bias; `window` is a convolution's stride, padding, dilation."""

    weight_values: Any
    weight_scale: Any
    weight_zero_point: Any
    bias_values: Any
    window: tuple = ()
    groups = 1

    def _set_up(self, shape: tuple, bias: bool) -> None:
        self.register_buffer("weight_values", zeros(shape, dtype=int8))
        self.register_buffer("weight_scale", tensor([1.0]))
        self.register_buffer("weight_zero_point", zeros(1, dtype=int32))
        self.register_buffer("bias_values", zeros(shape[0]) if bias else None)
        self._packed: PackedWeight | None = None

    def weight(self) -> QuantizedTensor:
        """The weight as a qint8 tensor."""
        q, scale = self.weight_values.numpy(), self.weight_scale.numpy()
        zero = self.weight_zero_point.numpy()
        if scale.ndim == 1 and scale.size == q.shape[0] and scale.size > 1:
            return make(q, (scale.astype(np.float64), zero.astype(np.int64), 0))
        return make(q, (float(scale[0]), int(zero[0])))

    def bias(self) -> Any:
        """The bias, float32, or None."""
        return self.bias_values

    def set_weight_bias(self, w: QuantizedTensor, b: Any) -> None:
        """Takes a qint8 weight and a real bias or None."""
        if w.integers.shape != tuple(self.weight_values.shape):
            raise ValueError(
                f"{type(self).__name__}: a weight of {tuple(w.shape)} was given; needed: "
                f"{tuple(self.weight_values.shape)}"
            )
        scale, zero = w.grid[:2]
        self.weight_values = from_numpy(np.ascontiguousarray(w.integers))
        self.weight_scale = from_numpy(np.atleast_1d(scale).astype(np.float32))
        self.weight_zero_point = from_numpy(np.atleast_1d(zero).astype(np.int32))
        self.bias_values = None if b is None else b.detach().float().clone()
        self._packed = None

    def packed(self) -> PackedWeight:
        """The weight as the kernels take it, made at the first call."""
        if self._packed is None:
            self._packed = PackedWeight(self.weight(), self.bias(), self.window, self.groups)
        return self._packed

    def stored_parameters(self) -> list[Any]:
        """The tensors that stand for a float layer's parameters."""
        return [t for t in (self.weight_values, self.bias_values) if t is not None]

    def multiplications(self, out: Any) -> int:
        """How many a call made whose result is `out`."""
        return out.numel() * (self.weight_values.numel() // max(self.weight_values.shape[0], 1))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """A weight by channels may stand where a single grid was, and the other way round."""
        for name in ("weight_scale", "weight_zero_point"):
            if prefix + name in state_dict:
                shape = state_dict[prefix + name].shape
                setattr(self, name, zeros(shape, dtype=getattr(self, name).dtype))
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._packed = None

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_packed": None}


class ConvShape:
    """The arguments of a convolution, checked: zeros around, the same number on both sides."""

    def __init__(self, layer: Any, n: int):
        name = type(layer).__name__
        if layer.padding_mode != "zeros":
            raise NotImplementedError(
                f"{name}: padding_mode {layer.padding_mode!r} was given; layers of integers have "
                "'zeros' only"
            )
        sides = layer._reversed_padding_repeated_twice
        pairs = [(sides[2 * i], sides[2 * i + 1]) for i in range(n)][::-1]
        if any(a != b for a, b in pairs):
            raise NotImplementedError(f"{name}: padding that differs by side was given")
        self.window = (tuple(layer.stride), tuple(a for a, _ in pairs), tuple(layer.dilation))
