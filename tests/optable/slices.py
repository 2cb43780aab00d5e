"""Rows of `ops/slices.py`: views of parts."""

from .row import ALL, A, Row

_M = A((3, 4, 5))
_V = A((7,))


def _row(name, args, kwargs=None, label="", **more):
    return Row(
        name, args, kwargs or {}, label=label, dtypes=ALL if not label else ("float64",), **more
    )


ROWS = [
    _row(
        "narrow",
        (_M, 1, 1, 2),
        bad=(
            (_M, 1, 3, 2),
            {},
            RuntimeError,
            r"start \(3\) \+ length \(2\) exceeds dimension size \(4\)",
        ),
    ),
    _row(
        "narrow",
        (_M, -1, -3, 2),
        label="negative",
        bad=((_M, 1, 5, 0), {}, IndexError, "start out of range"),
    ),
    _row("narrow", (_M, 0, 3, 0), label="nothing"),
    _row(
        "select",
        (_M, 1, 2),
        bad=(
            (_M, 1, 4),
            {},
            IndexError,
            r"index 4 out of range for tensor of size \[3, 4, 5\] at dimension 1",
        ),
    ),
    _row("select", (_M, -1, -2), label="negative"),
    _row(
        "diagonal",
        (_M,),
        bad=((_M, 0, 1, 1), {}, RuntimeError, "diagonal dimensions cannot be identical"),
    ),
    _row("diagonal", (_M, 1, 2, 0), label="above"),
    _row("diagonal", (_M, -2, 1, -1), label="below"),
    _row("diagonal", (A(), 7), label="none"),
    _row("diagonal", (A(), -7), label="none2"),
    _row(
        "unfold",
        (_V, 0, 3, 2),
        torch=lambda x, *a: x.unfold(*a),
        bad=(
            (_V, 0, 9, 1),
            {},
            RuntimeError,
            "maximum size for tensor at dimension 0 is 7 but size is 9",
        ),
    ),
    _row(
        "unfold",
        (_M, 1, 2, 1),
        torch=lambda x, *a: x.unfold(*a),
        label="middle",
        bad=((_V, 0, 2, 0), {}, RuntimeError, "step is 0 but must be > 0"),
    ),
    _row("unfold", (A(()), 0, 1, 1), torch=lambda x, *a: x.unfold(*a), label="0d"),
    _row(
        "as_strided",
        (A((3, 4)), (2, 3), (4, 1)),
        strided=False,
        bad=((A((3, 4)), (4, 4), (4, 1)), {}, RuntimeError, "out of bounds"),
    ),
    _row(
        "as_strided",
        (A((12,)), (3, 3), (1, 2), 3),
        strided=False,
        label="overlap",
        bad=((A((3, 4)), (4, 4), (4,)), {}, RuntimeError, "mismatch in length"),
    ),
    _row("split", (_V, 3), bad=((_V, -1), {}, RuntimeError, "split_size be non-negative")),
    _row(
        "split",
        (_M, 2, -1),
        label="dim",
        bad=((A(()), 1), {}, RuntimeError, "at least a 1-dimensional"),
    ),
    _row(
        "split",
        (_M, [1, 0, 3], 1),
        label="sizes",
        bad=(
            (_M, [1, 1], 1),
            {},
            RuntimeError,
            r"sum exactly to 4 \(input tensor's size at dimension 1\)",
        ),
    ),
    _row(
        "split_with_sizes",
        (_M, [1, 2]),
        torch=lambda x, s: x.split_with_sizes(s),
        empty=(A((0, 2)), [0, 0]),
        bad=((_M, [4, -1]), {}, RuntimeError, "non-negative entries"),
    ),
    _row("chunk", (_V, 3), bad=((_V, 0), {}, RuntimeError, "greater than 0")),
    _row("chunk", (_M, 4, 2), label="dim"),
    _row("unbind", (_M,), bad=((A(()),), {}, IndexError, "no dimensions")),
    _row("unbind", (_M, -1), label="dim"),
    _row("tensor_split", (_V, 3), bad=((_V, 0), {}, RuntimeError, "larger than 0")),
    _row("tensor_split", (_V, 9), label="many"),
    _row("tensor_split", (_M, (1, -1), 1), label="indices"),
    _row("tensor_split", (_V, (5, 2, 9)), label="disordered"),
    _row("hsplit", (_M, 2), bad=((_M, 3), {}, RuntimeError, "not divisible by the split_size 3")),
    _row("hsplit", (_V, (2, 3)), label="vector"),
    _row("vsplit", (_M, 3), bad=((_V, 1), {}, RuntimeError, "at least 2 dimensions")),
    _row("dsplit", (_M, 5), bad=((A(), 1), {}, RuntimeError, "at least 3 dimensions")),
]
