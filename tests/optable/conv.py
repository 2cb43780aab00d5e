"""Rows of `ops/conv.py`: convolutions."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
TORCH = (*HALVES, *FLOATS)
R32 = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 1e-1}


def _rows(name: str, n: int) -> list[Row]:
    """A convolution in n dimensions in all its forms; channels 4 to 6."""
    size, kernel = (5, 7, 6)[3 - n :], (2, 3, 2)[3 - n :]
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
            empty=(A((2, 4, *(0,) * n)), w()),
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
    if n == 3:  # kernels that do not tell two dimensions apart
        rows += [
            Row(name, (x, w(k=(3, 1, 1)), b), {"padding": (1, 0, 0)}, label="depth"),
            Row(name, (x, w(k=(1, 1, 3))), {"stride": (1, 1, 2)}, label="width"),
            Row(name, (x, w(k=(1, 3, 3))), {"padding": (0, 1, 1)}, label="planes"),
        ]
    return [
        *rows,
        Row(name, (x, w(k=(3,) * n)), {"padding": "same"}, label="same"),
        Row(name, (x, w(k=(4, 2, 3)[:n])), {"padding": "same"}, label="same-even"),
        Row(name, (x, w()), {"padding": "valid", "stride": 2}, label="valid"),
        Row(name, (x, A((8, 1, *kernel)), A((8,))), {"groups": 4, "padding": [1]},
            label="depthwise"),
        Row(name, (x, A((6, 4, *[9] * n))), {"padding": 2}, label="large", empty=(x, w()),
            bad=((x, A((6, 4, *[9] * n))), {}, RuntimeError, "Kernel size can't be greater")),
    ]  # fmt: skip


def _any(transposed: bool) -> Row:
    """`convolution` in three dimensions."""
    w = A((4, 3, 3, 2, 2)) if transposed else A((6, 2, 3, 2, 2))
    more = [0, int(transposed), 0]
    args = (A((2, 4, 5, 6, 7)), w, A((6,)), [2], [1, 0, 1], [1], transposed, more, 2)
    bad = ((A((4, 5, 6)), w, None, [1], [0], [1], transposed, [0], 1), {}, RuntimeError, "Expected")
    empty = (A((0, 4, 5, 6, 7)), *args[1:])
    label = "transposed" if transposed else ""
    return Row("convolution", args, label=label, bad=bad, empty=empty)


ROWS = [
    *(row for n in (1, 2, 3) for row in _rows(f"conv{n}d", n)),
    *(row for n in (1, 2, 3) for row in _rows(f"conv_transpose{n}d", n)),
    _any(False),
    _any(True),
    Row("conv_tbc", (A((5, 2, 3)), A((3, 3, 4)), A((4,))), {"pad": 1}, dtypes=("int64", *TORCH),
        bad=((A((5, 2, 3)), A((3, 4, 4)), A((4,))), {}, RuntimeError, "input channels"),
        empty=(A((5, 0, 3)), A((3, 3, 4)), A((4,)))),
]  # fmt: skip
for _row in ROWS:
    _row.rtol = _row.rtol or R32
