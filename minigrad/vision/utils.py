"""Batches of images as one image; what is drawn on images."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..autograd import no_grad
from ..autograd.variable import Variable
from ..dtypes import uint8
from ._drawing import draw_bounding_boxes as draw_bounding_boxes
from ._drawing import draw_segmentation_masks as draw_segmentation_masks
from ._extra import pil_image


@no_grad()
def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Any:
    """Images (N, C, H, W), or a list of them, in rows of `nrow` as one image (3, H', W').

    `normalize` maps `value_range`, or what the images span (each for itself with `scale_each`), to
    [0, 1]. TypeError for anything but tensors, ValueError for a range that is no tuple.
    """
    if isinstance(tensor, list):
        if not all(isinstance(t, Variable) for t in tensor):
            raise TypeError("tensor or list of tensors expected, got a list with others")
        tensor = ops.stack(tensor, 0)
    if not isinstance(tensor, Variable):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        if tensor.size(0) == 1:
            tensor = ops.cat((tensor, tensor, tensor), 0)
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 4 and tensor.size(1) == 1:
        tensor = ops.cat((tensor, tensor, tensor), 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified")
        tensor = _normalized(tensor.clone(), value_range, scale_each)
    if tensor.size(0) == 1:
        return tensor.squeeze(0)
    count, channels = tensor.shape[:2]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = tensor.size(2) + padding, tensor.size(3) + padding
    grid = tensor.new_full(
        (channels, height * rows + padding, width * columns + padding), pad_value
    )
    for k in range(count):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = tensor[k]
    return grid


def _normalized(images: Any, value_range: Any, scale_each: bool) -> Any:
    def scale(t: Any) -> Any:
        low, high = value_range or (float(t.min()), float(t.max()))
        return (t.clamp(min=low, max=high) - low) / max(high - low, 1e-5)

    return ops.stack([scale(t) for t in images], 0) if scale_each else scale(images)


@no_grad()
def save_image(tensor: Any, fp: Any, format: str | None = None, **kwargs: Any) -> None:
    """Writes images as one, arranged by `make_grid`; `format` where the name does not say it."""
    grid = make_grid(tensor, **kwargs)
    pixels = (grid * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).to(uint8).numpy()
    pil_image().fromarray(pixels).save(fp, format=format)
