"""Convolutions under other names: of as many dimensions as the weight has, and along time."""

from __future__ import annotations

from typing import Any

from . import conv
from ._shape import array_arg
from .arith import add
from .permutation import permute

__all__ = ["conv_tbc", "convolution"]

_CONVOLUTIONS = {
    False: (conv.conv1d, conv.conv2d, conv.conv3d),
    True: (conv.conv_transpose1d, conv.conv_transpose2d, conv.conv_transpose3d),
}


def convolution(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    """`conv1d`, `conv2d`, `conv3d` or, if `transposed`, the transposed one; the weight tells which.

    `input` is batched; the steps are lists of one number or one for each dimension. RuntimeError
    for shapes that do not fit together and for more than three dimensions.
    """
    x, w = array_arg("convolution", input), array_arg("convolution", weight, 2, "weight")
    named = (("stride", stride), ("padding", padding), ("dilation", dilation))
    for i, (role, value) in enumerate((*named, ("output_padding", output_padding))):
        if not isinstance(value, (tuple, list)):
            raise TypeError(
                f"convolution(): argument '{role}' (position {i + 4 + (i > 2)}) must be tuple of "
                f"ints, not {value.__class__.__name__}"
            )
    if w.ndim < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if x.ndim != w.ndim:
        raise RuntimeError(
            f"Expected {w.ndim}-dimensional input for {w.ndim}-dimensional weight "
            f"{list(w.shape)}, but got {x.ndim}-dimensional input of size {list(x.shape)} instead"
        )
    if w.ndim > 5:
        raise RuntimeError(
            f"convolution: given a weight of {w.ndim - 2} spatial dimensions; needed: 1, 2 or 3"
        )
    run = _CONVOLUTIONS[bool(transposed)][w.ndim - 3]
    if transposed:
        return run(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return run(input, weight, bias, stride, padding, dilation, groups)


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """Convolution over time of `input` (T, N, C) with `weight` (R, C, K) and `bias` (K).

    Gives (T + 2 pad - R + 1, N, K). RuntimeError for shapes that do not fit together.
    """
    x, w = array_arg("conv_tbc", input), array_arg("conv_tbc", weight, 2, "weight")
    b = array_arg("conv_tbc", bias, 3, "bias")
    if x.ndim != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if w.ndim != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if b.ndim != 1:
        raise RuntimeError("Bias must be 1-D")
    if x.shape[2] != w.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if w.shape[2] != b.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    rows = permute(input, (1, 2, 0))
    result = conv.conv1d(rows, permute(weight, (2, 1, 0)), None, 1, pad)
    return add(permute(result, (2, 0, 1)), bias)
