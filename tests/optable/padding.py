"""Rows of `ops/padding.py`."""

from .row import ALL, A, Row, functional


def _row(name: str, args: tuple, kwargs: dict | None = None, **more) -> Row:
    return Row(name, args, kwargs or {}, torch=functional(name), **more)


def _border(mode: str) -> list[Row]:
    return [
        _row("pad", (A((3, 4)), (2, 1), mode), label=mode),
        _row("pad", (A((2, 3, 4)), (2, 1, 0, 2), mode), label=f"{mode} 2"),
        _row("pad", (A((2, 3, 4, 5)), (1, 2, 2, 1, 1, 0), mode), label=f"{mode} 3"),
        _row("pad", (A((3, 4)), (-1, 1), mode), label=f"{mode} cut"),
    ]


ROWS = [
    _row(
        "pad",
        (A((3, 4)), (1, 2)),
        dtypes=ALL,
        bad=((A((3, 4)), (1,)), {}, RuntimeError, "must be divisible by 2"),
    ),
    _row("pad", (A((2, 3, 4)), [1, 0, 0, 2, 3, 1]), {"value": 1.5}, label="all"),
    _row("pad", (A((3, 4)), (-1, 2, 1, -2)), label="cut"),
    _row("pad", (A((3, 4)), ()), label="nothing"),
    _row("pad", (A((4,)), (1, 1)), {"value": 2.5}, label="int", dtypes=("int64",), grad=False),
    *[row for mode in ("reflect", "replicate", "circular") for row in _border(mode)],
    Row(
        "constant_pad_nd",
        (A((3, 4)), (1, 2), 0.5),
        bad=((A((3, 4)), (-9, 0)), {}, RuntimeError, "non-negative"),
    ),
    _row(
        "pixel_shuffle",
        (A((2, 8, 3, 2)), 2),
        bad=((A((1, 3, 2, 2)), 2), {}, RuntimeError, "divisible by the square"),
    ),
    _row("pixel_shuffle", (A((9, 2, 2)), 3), label="3d"),
    _row(
        "pixel_unshuffle",
        (A((2, 2, 4, 6)), 2),
        bad=((A((1, 3, 2)), 2), {}, RuntimeError, "expects height to be divisible"),
    ),
    Row(
        "channel_shuffle",
        (A((2, 6, 3)), 3),
        bad=((A((2, 5, 3)), 3), {}, RuntimeError, "must be divisible by groups"),
    ),
]
