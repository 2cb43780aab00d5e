"""Functional transforms that move points by other than an affine map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...autograd.variable import Variable
from ...creation import arange, linspace, ones, tensor
from ...dtypes import float32
from .._extra import is_pil
from . import _pil, _tensor
from ._conversion import pil_to_tensor, to_pil_image
from ._images import PILLOW, InterpolationMode, mode_name, need_image


def _coefficients(startpoints: Sequence, endpoints: Sequence) -> list[float]:
    """a to h of (x, y) -> ((a x + b y + c) / (g x + h y + 1), (d x + e y + f) / (g x + h y + 1)).

    The map takes the four `endpoints` to the `startpoints`: from output to input.
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and "
            f"{len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    target = np.asarray(startpoints, dtype=np.float64).reshape(8)
    solved = np.linalg.lstsq(np.asarray(rows, dtype=np.float64), target, rcond=None)[0]
    return solved.astype(np.float32).tolist()


def perspective(
    img: Any,
    startpoints: Sequence,
    endpoints: Sequence,
    interpolation: Any = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """The image seen so that four points (x, y) of it lie at four others.

    The corners are given in the order top left, top right, bottom right, bottom left.
    """
    coefficients = _coefficients(startpoints, endpoints)
    mode = mode_name(interpolation)
    if need_image(img):
        return _pil.perspective(img, coefficients, PILLOW[mode], fill)
    _tensor.is_image(img)
    height, width = img.shape[-2:]
    dtype = img.dtype if img.dtype.is_floating_point else float32
    points = ops.stack(
        [
            (arange(width, dtype=dtype) + 0.5).expand((height, width)),
            (arange(height, dtype=dtype) + 0.5)[:, None].expand((height, width)),
            ones((height, width), dtype=dtype),
        ],
        -1,
    ).reshape(-1, 3)
    a, b, c, d, e, f, g, h = coefficients
    above = tensor([[a, b, c], [d, e, f]], dtype=dtype).mT
    above = above / tensor([0.5 * width, 0.5 * height], dtype=dtype)
    below = tensor([[g, h, 1.0]], dtype=dtype).mT
    grid = (points @ above) / (points @ below) - 1.0
    return _tensor.sample(img, grid.reshape(1, height, width, 2), mode, fill)


def elastic_transform(
    img: Any,
    displacement: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Each point read from where `displacement` (1, H, W, 2) says, in halves of the size.

    PIL images go through tensors. TypeError for another displacement than a tensor, ValueError for
    one of another shape.
    """
    mode = mode_name(interpolation)
    if not isinstance(displacement, Variable):
        raise TypeError("Argument displacement should be a Tensor")
    if not isinstance(img, Variable) and not is_pil(img):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    pixels = img if isinstance(img, Variable) else pil_to_tensor(img)
    height, width = pixels.shape[-2:]
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            f"Argument displacement shape should be {(1, height, width, 2)}, but given "
            f"{displacement.shape}"
        )
    lines = [linspace((1 - n) / n, (n - 1) / n, n) for n in (width, height)]
    points = ops.broadcast_tensors(lines[0][None, :], lines[1][:, None])
    grid = ops.stack(list(points), -1)[None] + displacement
    made = _tensor.sample(pixels, grid, mode, fill)
    return made if isinstance(img, Variable) else to_pil_image(made, mode=img.mode)
