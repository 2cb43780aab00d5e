"""Images as the columns of their patches, and back: `nn.functional.unfold` and `fold`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.record import apply
from ..autograd.variable import Node
from ..kernels import cpu
from ..kernels.numpy_patches import blocks_of
from ._nn import need_tensor, torch_name
from .movement import reshape

__all__ = ["col2im", "im2col"]

Pair = tuple[int, int]


class Im2col(Node):
    """The patches of an image as columns: (N, C, H, W) to (N, C * R * S, P * Q)."""

    torch_name = "Im2ColBackward0"
    fresh = True

    def forward(self, x: Any, kernel: Pair, geometry: tuple) -> Any:
        self.terms = (x.shape[2:], kernel, geometry)
        return cpu.im2col(x, kernel, geometry)

    def backward(self, grad: Any) -> Any:
        """Each element of grad, added where it was taken from."""
        return apply(Col2im, (grad,), *self.terms)


class Col2im(Node):
    """The image in which the elements of patches are added up."""

    fresh = True

    def forward(self, x: Any, size: Pair, kernel: Pair, geometry: tuple) -> Any:
        self.terms = (kernel, geometry)
        return cpu.col2im(x, size, kernel, geometry)

    def backward(self, grad: Any) -> Any:
        """The patches of grad."""
        return apply(Im2col, (grad,), *self.terms)


def _pair(name: str, argument: str, value: Any, least: int) -> Pair:
    """Two whole numbers. RuntimeError for another number of them, or smaller ones."""
    if value.__class__ is int and value >= least:
        return value, value
    if isinstance(value, (tuple, list)):
        pair = tuple(value) * 2 if len(value) == 1 else tuple(value)
    else:
        pair = (value, value)
    if len(pair) != 2 or not all(isinstance(n, (int, np.integer)) for n in pair):
        if all(isinstance(n, (int, np.integer)) for n in pair):
            raise RuntimeError(
                f"{name}: expected {argument} to be 2 numbers or one, got {list(pair)}"
            )
        raise TypeError(f"{name}(): argument '{argument}' must be tuple of ints, not {value!r}")
    if min(pair) < least:
        more = "greater than zero" if least else "non-negative"
        raise RuntimeError(f"{argument} should be {more}, but got {list(pair)}")
    return int(pair[0]), int(pair[1])


def _geometry(
    name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[Pair, tuple]:
    kernel = _pair(name, "kernel_size", kernel_size, 1)
    steps = _pair(name, "dilation", dilation, 1)
    pads = _pair(name, "padding", padding, 0)
    return kernel, (_pair(name, "stride", stride, 1), pads, steps)


def im2col(
    input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """The patches of images (N, C, H, W) or (C, H, W) as columns: (N, C * R * S, blocks).

    A column holds the R x S elements of a patch of every channel; patches follow row by row.
    RuntimeError for other numbers of dimensions, and where no patch fits.
    """
    x = need_tensor("im2col", "input", input)
    kernel, geometry = _geometry("im2col", kernel_size, dilation, padding, stride)
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(x.shape)}"
        )
    if x.dtype.kind in "iu":
        raise NotImplementedError(f"\"im2col_out_cpu\" not implemented for '{torch_name(x)}'")
    blocks = blocks_of(x.shape[-2:], kernel, geometry)
    if min(blocks) < 1:
        raise RuntimeError(
            f"Given input with spatial size {x.shape[-2:]}, kernel_size={kernel}, "
            f"dilation={geometry[2]}, padding={geometry[1]}, stride={geometry[0]}, calculated "
            f"shape of the array of sliding blocks as {blocks}, but its components must be at "
            "least one."
        )
    batch = input if x.ndim == 4 else reshape(input, (1, *x.shape))
    columns = apply(Im2col, (batch,), kernel, geometry)
    if x.ndim == 4:
        return columns
    return reshape(columns, (x.shape[0] * kernel[0] * kernel[1], blocks[0] * blocks[1]))


def col2im(
    input: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Images (N, C, H, W) of size `output_size` in which patches are added up.

    `input` (N, C * R * S, blocks), or without N, holds the patches as `im2col` gives them.
    RuntimeError where their number or size does not fit.
    """
    x = need_tensor("col2im", "input", input)
    size = _pair("col2im", "output_size", output_size, 1)
    kernel, geometry = _geometry("col2im", kernel_size, dilation, padding, stride)
    if x.ndim not in (2, 3) or 0 in x.shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(x.shape)}"
        )
    area = kernel[0] * kernel[1]
    if x.shape[-2] % area:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={x.shape[-2]} and kernel_size={kernel}."
        )
    blocks = blocks_of(size, kernel, geometry)
    if min(blocks) < 1 or x.shape[-1] != blocks[0] * blocks[1]:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={geometry[2]}, "
            f"padding={geometry[1]}, stride={geometry[0]}, expected size of input's dimension 2 "
            f"to match the calculated number of sliding blocks {blocks[0]} * {blocks[1]} = "
            f"{blocks[0] * blocks[1]}, but got input.size(2)={x.shape[-1]}."
        )
    if x.dtype.kind in "iu":
        raise NotImplementedError(f"\"col2im_out_cpu\" not implemented for '{torch_name(x)}'")
    batch = input if x.ndim == 3 else reshape(input, (1, *x.shape))
    images = apply(Col2im, (batch,), size, kernel, geometry)
    return images if x.ndim == 3 else reshape(images, (x.shape[0] // area, *size))
