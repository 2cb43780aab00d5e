"""Boxes and masks drawn on images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..autograd import no_grad
from ..autograd.variable import Variable
from ..creation import tensor
from ..dtypes import bool_, int64, uint8
from ._extra import need
from .transforms import functional as F


def _colours(colors: Any, count: int, floats: bool = False) -> list[tuple]:
    """(red, green, blue) for each object, of names, "#..." and triples; a palette for None."""
    if colors is None:
        steps = (2**25 - 1, 2**15 - 1, 2**21 - 1)
        colors = [tuple(i * step % 255 for step in steps) for i in range(count)]
    elif isinstance(colors, list):
        if len(colors) < count:
            raise ValueError(
                "Number of colors must be equal or larger than the number of objects, but got "
                f"{len(colors)} < {count}."
            )
    elif not isinstance(colors, (tuple, str)):
        raise ValueError(
            f"colors must be a tuple or a string, or a list thereof, but got {colors}."
        )
    elif isinstance(colors, tuple) and len(colors) != 3:
        raise ValueError(f"If passed as tuple, colors should be an RGB triplet, but got {colors}.")
    else:
        colors = [colors] * count
    by_name = need("PIL.ImageColor", "Pillow").getrgb
    made = [by_name(c) if isinstance(c, str) else tuple(c) for c in colors]
    return [tuple(v / 255 for v in c) for c in made] if floats else made


def _need_image(image: Any) -> None:
    if not isinstance(image, Variable):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if image.dtype != uint8 and not image.is_floating_point():
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")


@no_grad()
def draw_bounding_boxes(
    image: Any,
    boxes: Any,
    labels: Sequence[str | None] | None = None,
    colors: Any = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Any = None,
    label_background_colors: Any = None,
    fill_labels: bool = False,
) -> Any:
    """An image (1 or 3, H, W) with boxes (N, 4), each (x, y, x, y), as an image of three channels.

    `fill` covers them with their colour at 100 of 255; `font` is a TrueType file for `labels`.
    ValueError for boxes whose corners are in another order.
    """
    _need_image(image)
    if image.size(0) not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")
    if boxes.shape[-1] != 4:
        raise NotImplementedError("draw_bounding_boxes: boxes of 4 numbers are needed")
    if ((boxes[:, 0] > boxes[:, 2]) | (boxes[:, 1] > boxes[:, 3])).any():
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format. Use torchvision.ops.box_convert "
            "to convert them"
        )
    count = boxes.shape[0]
    if count == 0:
        warnings.warn("boxes doesn't contain any box. No box was drawn", stacklevel=2)
        return image
    texts = [None] * count if labels is None else list(labels)
    if len(texts) != count:
        raise ValueError(
            f"Number of boxes ({count}) and labels ({len(texts)}) mismatch. Please specify labels "
            "for each box."
        )
    lines = _colours(colors, count)
    inks = _colours(label_colors or "black", count) if label_colors or fill_labels else lines
    grounds = lines
    if fill_labels and label_background_colors:
        grounds = _colours(label_background_colors, count)
    fonts = need("PIL.ImageFont", "Pillow")
    if font is None and font_size is not None:
        warnings.warn("Argument 'font_size' will be ignored since 'font' is not set.", stacklevel=2)
    letters = fonts.load_default() if font is None else fonts.truetype(font, font_size or 10)
    dtype = image.dtype
    if image.size(0) == 1:
        image = ops.cat((image, image, image), 0)
    canvas = F.to_pil_image(F.convert_image_dtype(image, uint8))
    draw = need("PIL.ImageDraw", "Pillow").Draw(canvas, "RGBA" if fill else None)
    for i, box in enumerate(boxes.to(int64).tolist()):
        inside = (*lines[i], 100) if fill else None
        draw.rectangle(box, width=width, outline=lines[i], fill=inside)
        if texts[i] is not None:
            at = (box[0] + width + 1, box[1] + width + 1)
            if fill_labels:
                left, top, right, bottom = draw.textbbox(at, texts[i], font=letters)
                draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=grounds[i])
            draw.text(at, texts[i], fill=inks[i], font=letters)
    return F.convert_image_dtype(F.pil_to_tensor(canvas), dtype)


@no_grad()
def draw_segmentation_masks(image: Any, masks: Any, alpha: float = 0.8, colors: Any = None) -> Any:
    """An image (3, H, W) under masks (N, H, W) or (H, W) of bool; black where two meet.

    `alpha`: 0 leaves the image, 1 hides it.
    """
    _need_image(image)
    if image.size(0) != 3:
        raise ValueError("Pass an RGB image. Other Image formats are not supported")
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W)")
    if masks.dtype != bool_:
        raise ValueError(f"The masks must be of dtype bool. Got {masks.dtype}")
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("The image and the masks must have the same height and width")
    if len(masks) == 0:
        warnings.warn("masks doesn't contain any mask. No mask was drawn", stacklevel=2)
        return image
    dtype = image.dtype
    painted = image.detach().clone()
    for mask, colour in zip(masks, _colours(colors, len(masks), dtype.is_floating_point)):
        painted = ops.where(mask, tensor(colour, dtype=dtype).reshape(3, 1, 1), painted)
    painted = painted.masked_fill(masks.sum(0) > 1, 0)
    return (image * (1 - alpha) + painted * alpha).to(dtype)
