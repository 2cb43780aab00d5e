"""Rows of `ops/conv.py`: convolutions."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
TORCH = (*HALVES, *FLOATS)
R32 = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-1}


def _rows(name: str, n: int) -> list[Row]:
    """A convolution in n dimensions in all its forms; channels 4 to 6."""
    size, kernel = (7, 6)[2 - n :], (3, 2)[2 - n :]
    transposed = "transpose" in name
    types = ("int64", *TORCH) if transposed else NUMBERS

    def w(groups: int = 1, k: tuple = kernel) -> A:
        return A((4, 6 // groups, *k) if transposed else (6, 4 // groups, *k))

    x, b = A((2, 4, *size)), A((6,))
    bad = ((A((2, 5, *size)), w()), {}, RuntimeError, "to have 4 channels, but got 5 channels")
    two = {"stride": 2, "padding": 1}
    rows = [
        Row(name, (x, w()), dtypes=types, bad=bad, empty=(A((0, 4, *size)), w())),
        Row(
            name,
            (x, w(), b),
            two,
            dtypes=types,
            label="bias",
            empty=(A((2, 4, 0, 0)[: n + 2]), w()),
        ),
        Row(name, (A((4, *size)), w(), b), label="unbatched"),
        Row(name, (x, w(2), b), two | {"groups": 2, "dilation": 2}, label="groups"),
        Row(name, (x, w(k=(1,) * n), b), label="1x1"),
        Row(name, (x, w(k=(1,) * n)), {"stride": 2}, label="1x1-stride"),
        Row(name, (x, w(k=(2,) * n)), {"stride": 3, "padding": 3}, label="wide-padding"),
    ]
    if transposed:
        return [
            *rows,
            Row(name, (x, w(), b), {"stride": 3, "output_padding": 2, "padding": (1,) * n},
                label="output-padding"),
            Row(name, (A((2, 4, *size)), A((4, 1, *kernel))), {"groups": 4}, label="depthwise",
                bad=((x, w()), {"output_padding": 1}, RuntimeError, "output padding must be")),
        ]  # fmt: skip
    return [
        *rows,
        Row(name, (x, w(k=(3,) * n)), {"padding": "same"}, label="same"),
        Row(name, (x, w(k=(4, 2)[:n])), {"padding": "same"}, label="same-even"),
        Row(name, (x, w()), {"padding": "valid", "stride": 2}, label="valid"),
        Row(name, (x, A((8, 1, *kernel)), A((8,))), {"groups": 4, "padding": [1]},
            label="depthwise"),
        Row(name, (x, A((6, 4, *[9] * n))), {"padding": 2}, label="large", empty=(x, w()),
            bad=((x, A((6, 4, *[9] * n))), {}, RuntimeError, "Kernel size can't be greater")),
    ]  # fmt: skip


ROWS = [
    row
    for name, n in (("conv1d", 1), ("conv2d", 2), ("conv_transpose1d", 1), ("conv_transpose2d", 2))
    for row in _rows(name, n)
]
for _row in ROWS:
    _row.rtol = _row.rtol or R32
