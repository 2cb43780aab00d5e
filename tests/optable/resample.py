"""Rows of `ops/resample.py`, `ops/sampling.py` and `ops/patches.py`."""

from .row import FLOATS, HALVES, A, Row, functional

NUMBERS = (*HALVES, *FLOATS)
_LINE, _IMAGE, _BOX = A((2, 3, 7)), A((2, 3, 5, 6)), A((2, 1, 3, 4, 5))
_POINTS, _SPACE = A((2, 3, 2, 2), lo=-1.3, hi=1.3), A((2, 2, 3, 2, 3), lo=-1.3, hi=1.3)


def _size(x: A, size: object, mode: str, label: str = "", **more: object) -> Row:
    f = functional("interpolate")
    empty = (A((0, *x.shape[1:])), size)
    types = FLOATS if "antialias" in more else NUMBERS
    return Row("interpolate", (x, size), {"mode": mode, **more}, torch=f, dtypes=types,
               empty=empty, label=f"{mode}{label}")  # fmt: skip


def _scale(x: A, factor: object, mode: str, label: str, **more: object) -> Row:
    f = functional("interpolate")
    bad = ((x, 4, factor), {}, ValueError, "only one of size or scale_factor")
    return Row("interpolate", (x,), {"scale_factor": factor, "mode": mode, **more}, torch=f,
               empty=(A((0, *x.shape[1:])),), bad=bad, label=f"{mode}-{label}")  # fmt: skip


def _old(name: str, bad_type: type) -> Row:
    return Row(name, (_IMAGE, (9, 4)), torch=functional(name), empty=(A((0, 3, 5, 6)), (9, 4)),
               bad=((_IMAGE,), {}, bad_type, "size or scale_factor"))  # fmt: skip


def _grid(x: A, grid: A, label: str, **more: object) -> Row:
    empty = (A((0, *x.shape[1:])), A((0, *grid.shape[1:])))
    bad = ((x, A((1, *grid.shape[1:]))), {}, RuntimeError, "same batch size")
    return Row("grid_sample", (x, grid), {"align_corners": False, **more}, dtypes=FLOATS,
               torch=functional("grid_sample"), empty=empty, bad=bad, label=label)  # fmt: skip


def _patches(name: str, args: tuple, bad: tuple, label: str = "", **more: object) -> Row:
    f = functional({"im2col": "unfold", "col2im": "fold"}[name])
    empty = (A((0, *args[0].shape[1:])), *args[1:])
    return Row(name, args, more, torch=f, dtypes=NUMBERS, empty=empty, bad=bad, label=label)


_NO_PATCH = ((_IMAGE, 9), {}, RuntimeError, "sliding blocks")
_NO_FIT = ((A((2, 12, 5)), (4, 5), 2), {}, RuntimeError, "sliding blocks")
ROWS = [
    _size(_LINE, 4, "nearest"),
    _size(_IMAGE, (9, 4), "nearest", "-2d"),
    _size(_BOX, (4, 4, 9), "nearest-exact"),
    _size(_LINE, 10, "linear"),
    _size(_IMAGE, (9, 4), "bilinear"),
    _size(_IMAGE, (9, 4), "bilinear", "-corners", align_corners=True),
    _size(_IMAGE, (9, 4), "bilinear", "-antialias", antialias=True),
    _size(_IMAGE, (9, 4), "bicubic"),
    _size(_IMAGE, (9, 4), "bicubic", "-corners", align_corners=True),
    _size(_IMAGE, (3, 2), "bicubic", "-antialias", antialias=True),
    _size(_IMAGE, (3, 9), "lanczos", antialias=True),
    _size(_BOX, (4, 2, 9), "trilinear"),
    _size(_BOX, (4, 2, 9), "area"),
    _scale(_IMAGE, 2, "nearest", "twice"),
    _scale(_IMAGE, (1.7, 0.6), "bilinear", "factors"),
    _scale(_IMAGE, (1.7, 0.6), "bicubic", "recomputed", recompute_scale_factor=True),
    _old("upsample", ValueError),
    _old("upsample_nearest", ValueError),
    _old("upsample_bilinear", ValueError),
    _grid(_IMAGE, _POINTS, ""),
    _grid(_IMAGE, _POINTS, "border", padding_mode="border", align_corners=True),
    _grid(_IMAGE, _POINTS, "reflection", padding_mode="reflection"),
    _grid(_IMAGE, _POINTS, "bicubic", mode="bicubic"),
    _grid(_BOX, _SPACE, "3d"),
    Row("affine_grid", (A((2, 2, 3)), (2, 3, 4, 5)), {"align_corners": False},
        empty=None, torch=functional("affine_grid"),
        bad=((A((2, 2, 2)), (2, 3, 4, 5)), {}, ValueError, "batch of 2D affine")),
    Row("affine_grid_generator", (A((2, 2, 3)), (2, 3, 4, 5), True), empty=None,
        bad=((A((2, 2, 2)), (2, 3, 4, 5), True), {}, ValueError, "batch of 2D affine")),
    Row("affine_grid", (A((2, 3, 4)), (2, 3, 4, 5, 2)), {"align_corners": True}, label="3d",
        torch=functional("affine_grid")),
    _patches("im2col", (_IMAGE, 2), _NO_PATCH),
    _patches("im2col", (_IMAGE, (3, 2), (1, 2), (1, 0), (2, 1)), _NO_PATCH, "geometry"),
    _patches("col2im", (A((2, 12, 6)), (3, 4), 2), _NO_FIT),
    _patches("col2im", (A((2, 12, 6)), (5, 6), (2, 3), 1, 1, (3, 2)), _NO_FIT, "geometry")
]  # fmt: skip
