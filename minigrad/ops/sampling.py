"""Images read at given points: `grid_sample`, and the points of an affine map."""

from __future__ import annotations

import functools
import itertools
import warnings
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import device_of, move
from ..kernels import cpu, sampling
from ..kernels._quiet import quiet
from ._nn import composed_grads, need_tensor, torch_name
from ._operands import to_dtype
from ._reduction import constant
from ._shape import array_of, expand
from .arith import mul, rsub, sub
from .gathered import gathered_sums
from .join import stack
from .linalg import matmul
from .movement import reshape
from .permutation import transpose
from .slices import select

__all__ = ["affine_grid", "affine_grid_generator", "grid_sample"]

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = sampling.PADDINGS


class GridSample(Node):
    """Planes (N, C, H, W) read at points (N, P, Q, 2): `cpu.grid_sample`.

    `how` are the arguments of `_composed`, `terms` those of the kernels.
    """

    saves = (0, 1)
    fresh = True

    def forward(self, x: Any, grid: Any, how: tuple, terms: tuple) -> Any:
        self.how, self.terms = how, terms
        return cpu.grid_sample(x, grid, terms)

    def backward(self, grad: Any) -> tuple:
        """Each grad times its weights, at the neighbours; and the sum over channels for points."""
        x, grid = self.saved
        if isinstance(grad, Variable):
            first, second = composed_grads(lambda x, g: _composed(x, g, *self.how), (x, grid), grad)
            return first, second
        a, b = self.next
        return (
            None if a is None else cpu.grid_sample_planes(grad, grid, x.shape[2:], self.terms),
            None if b is None else cpu.grid_sample_points(grad, x, grid, self.terms),
        )

    def name(self) -> str:
        return "GridSampler2DBackward0"


class Placed(Node):
    """Coordinates in the image for coordinates in the grid: a piecewise linear function."""

    fresh = True

    def forward(self, grid: Any, value: Any, slope: Any) -> Any:
        self.slope = slope
        return value

    def backward(self, grad: Any) -> Any:
        """grad times the slope."""
        return mul(grad, constant(grad, np.asarray(self.slope, array_of(grad).dtype)))


def _unnormalized(g: Any, size: int, align: bool) -> tuple[Any, float]:
    """The image coordinate of grid values (-1 and 1 are the edges), and its slope."""
    if align:
        slope = (size - 1) / 2
        return (g + 1) * g.dtype.type(slope), slope
    return ((g + 1) * size - 1) / 2, size / 2


def _reflected(at: Any, low: float, high: float) -> tuple[Any, Any]:
    """Coordinates folded back between two mirrors, and 1 or -1 for each by the turns taken."""
    span = at.dtype.type(high - low)
    if span <= 0:
        return np.zeros_like(at), np.zeros_like(at)
    distance = np.abs(at - low)
    turns = np.floor(distance / span)
    rest = np.fmod(distance, span)
    back = turns % 2 == 1
    sign = np.where((at < low) != back, -1, 1).astype(at.dtype)
    return np.where(back, span - rest, rest) + at.dtype.type(low), sign


def _padded(at: Any, size: int, padding: str, align: bool) -> tuple[Any, Any]:
    """Coordinates brought into the image, and the slope of that."""
    if padding == "zeros":
        return at, 1
    slope: Any = 1
    if padding == "reflection":
        mirrors = (0.0, size - 1.0) if align else (-0.5, size - 0.5)
        at, slope = _reflected(at, *mirrors)
    inside = (at > 0) & (at < size - 1)
    return np.clip(np.nan_to_num(at, nan=0.0), 0, size - 1), inside * slope


def _in_image(index: Any, size: int) -> tuple[Any, Any]:
    """Whole coordinates as places that exist, and which of them did."""
    inside = (index >= 0) & (index <= size - 1)
    return np.where(inside, index, 0).astype(np.int64), inside


def _linear_taps(at: Any, size: int) -> tuple[list, list]:
    """The two neighbours of coordinates (N, P), a tensor: places, and their weights."""
    base = np.floor(at._array)
    part = sub(at, _v.wrap(base))
    places, weights = [], []
    for offset, weight in ((0, rsub(part, 1)), (1, part)):
        place, inside = _in_image(base + offset, size)
        places.append(place)
        if not inside.all():
            weight = mul(_v.wrap(inside.astype(at._array.dtype)), weight)
        weights.append(weight)
    return places, weights


def _nearest_taps(at: Any, size: int) -> tuple[list, list]:
    """The nearest neighbour; its weight depends on the coordinate with a gradient of 0."""
    x = at._array
    place, inside = _in_image(np.rint(x), size)
    return [place], [apply(Placed, (at,), inside.astype(x.dtype), np.zeros((), x.dtype, like=x))]


def _polynomial(part: Any) -> list:
    """`cubic_weights` of a tensor, with gradients."""
    a = -0.75
    weights = []
    for x, near in ((part + 1, False), (part, True), (rsub(part, 1), True), (rsub(part, 2), False)):
        if near:
            weights.append(((a + 2) * x - (a + 3)) * x * x + 1)
        else:
            weights.append(((a * x - 5 * a) * x + 8 * a) * x - 4 * a)
    return weights


def _cubic_taps(at: Any, size: int, padding: str, align: bool) -> tuple[list, list]:
    """The four neighbours; the padding is applied to each of them, not to the coordinate."""
    base = np.floor(at._array)
    weights = _polynomial(sub(at, _v.wrap(base)))
    places = []
    for k, offset in enumerate(range(-1, 3)):
        index, _ = _padded(base + offset, size, padding, align)
        place, inside = _in_image(np.rint(index), size)
        places.append(place)
        if not inside.all():
            weights[k] = mul(_v.wrap(inside.astype(at._array.dtype)), weights[k])
    return places, weights


@quiet
def _taps(grid: Any, size: int, mode: str, padding: str, align: bool) -> tuple[list, list]:
    """Places and weights along one dimension of the image, for grid coordinates (N, P)."""
    value, scale = _unnormalized(grid._array, size, align)
    more: Any = 1
    if mode != "bicubic":
        value, more = _padded(value, size, padding, align)
    slope = np.broadcast_to(np.asarray(scale * more, value.dtype), value.shape)
    at = apply(Placed, (grid,), value, slope)
    if mode == "bicubic":
        return _cubic_taps(at, size, padding, align)
    return (_linear_taps if mode == "bilinear" else _nearest_taps)(at, size)


def _check(x: Any, grid: Any, mode: str, padding: str) -> None:
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding}'"
        )
    shapes = f"input with sizes {list(x.shape)} and grid with sizes {list(grid.shape)}"
    if x.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{torch_name(x)} and grid has {torch_name(grid)}"
        )
    if x.ndim not in (4, 5) or x.ndim != grid.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got {shapes}"
        )
    if x.shape[0] != grid.shape[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got {shapes}"
        )
    if grid.shape[-1] != x.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {x.ndim - 2} in last dimension, but got "
            f"grid with sizes {list(grid.shape)}"
        )
    if 0 in x.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(x.shape)}"
        )
    if mode == "bicubic" and x.ndim == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if x.dtype.kind not in "fV":
        raise NotImplementedError(f"\"grid_sampler\" not implemented for '{torch_name(x)}'")


def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Any:
    """`input` (N, C, H, W) read at the points of `grid` (N, P, Q, 2): (N, C, P, Q).

    Also (N, C, D, H, W) with (N, O, P, Q, 3). A point is (x, y) or (x, y, z), where -1 and 1 are
    the image's edges, or the centres of its outermost elements with `align_corners`. `mode`:
    "bilinear", "nearest" or "bicubic" (4-d). `padding_mode`, for points outside: "zeros",
    "border" or "reflection". ValueError for other modes; RuntimeError for shapes that do not fit.
    """
    x, g = need_tensor("grid_sample", "input", input), need_tensor("grid_sample", "grid", grid)
    if mode in _MODES and padding_mode in _PADDINGS and align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=2,
        )
    _check(x, g, mode, padding_mode)
    dtype = x.dtype
    if dtype.itemsize == 2:
        wide = np.dtype(np.float32)
        input, grid = to_dtype(input, wide), to_dtype(grid, wide)
    how = mode, padding_mode, bool(align_corners)
    if x.ndim == 4 and mode != "bicubic" and sampling.takes(x):
        terms = _PADDINGS.index(padding_mode), mode == "nearest", how[2]
        result = apply(GridSample, (input, grid), how, terms)
    else:
        result = _composed(input, grid, *how)
    return result if dtype.itemsize > 2 else to_dtype(result, dtype)


def _composed(input: Any, grid: Any, mode: str, padding_mode: str, align: bool) -> Any:
    """`grid_sample` of checked tensors, in differentiable operations."""
    n, c, *spatial = input._array.shape
    target = grid._array.shape[1:-1]
    points = int(np.prod(target))
    rows = reshape(grid, (n, points, len(spatial)))
    # The grid's last coordinate belongs to the image's first dimension.
    each = [
        _taps(select(rows, 2, len(spatial) - 1 - d), size, mode, padding_mode, align)
        for d, size in enumerate(spatial)
    ]
    index, weight = _combined(each, spatial)
    planes = reshape(input, (n, c, int(np.prod(spatial))))
    return reshape(gathered_sums(planes, weight, index), (n, c, *target))


def _combined(each: list, spatial: list[int]) -> tuple[Any, Any]:
    """Places in the plane and weights (N, K, P) from those along each dimension."""
    places, weights = [], []
    for combination in itertools.product(*[zip(*taps, strict=True) for taps in each]):
        index = combination[0][0]
        for (more, _), size in zip(combination[1:], spatial[1:], strict=True):
            index = index * size + more
        places.append(index)
        weights.append(functools.reduce(mul, [w for _, w in combination]))
    return np.stack(places, 1).astype(np.int32), stack(weights, 1)


def _base(size: int, align: bool, dtype: Any) -> Any:
    """Positions from -1 to 1: of the elements' centres, or (`align`) edge to edge.

    PyTorch's to the last bit: under the identity map points lie on elements, where the gradient
    of `grid_sample` jumps with the sign of a rounding error.
    """
    if size <= 1:
        return np.zeros(size, dtype)
    real, wide = dtype.type, np.longdouble if dtype.itemsize == 8 else np.float64
    up = (wide(real(2) / real(size - 1)) * np.arange(size) - 1).astype(dtype)
    line = np.where(np.arange(size) < size // 2, up, -up[::-1])
    return line if align else line * real(size - 1) / real(size)


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The points for `grid_sample` of affine maps `theta`: (N, 2, 3) to (N, H, W, 2).

    `size` is (N, C, H, W); with theta (N, 3, 4) and (N, C, D, H, W) the result is (N, D, H, W, 3).
    ValueError or NotImplementedError for shapes that do not fit.
    """
    t = need_tensor("affine_grid", "theta", theta)
    size = tuple(int(n) for n in size)
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
            "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
            "documentation of grid_sample for details.",
            stacklevel=2,
        )
    if t.dtype.kind not in "fV":
        raise ValueError(
            f"Expected theta to have floating point type, but got torch.{t.dtype.name}"
        )
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}"
        )
    d = len(size) - 2
    if t.ndim != 3 or t.shape[1:] != (d, d + 1):
        raise ValueError(
            f"Expected a batch of {d}D affine matrices of shape Nx{d}x{d + 1} for size "
            f"{list(size)}. Got {list(t.shape)}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {list(size)}")
    if t.shape[0] != size[0]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {d + 1}] "
            f"but got: [{t.shape[0]}, {d + 1}]."
        )
    dtype = np.dtype(np.float32) if t.dtype.itemsize == 2 else t.dtype
    lines = [_base(n, bool(align_corners), dtype) for n in size[2:]]
    axes = [*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(size[2:], dtype)]
    points = np.stack([a.reshape(-1) for a in axes], 1).astype(t.dtype)
    base = expand(_v.wrap(move(points, device_of(t))), (size[0], *points.shape))
    return reshape(matmul(base, transpose(theta, 1, 2)), (size[0], *size[2:], d))


def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """`affine_grid`, under the name and with the arguments of PyTorch's own operation."""
    return affine_grid(theta, size, bool(align_corners))
