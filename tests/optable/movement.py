"""Rows of `ops/movement.py` and `ops/permutation.py`: views in another shape or order."""

from .row import ALL, A, Row

_M = A((2, 3, 4))


def _row(name, args, kwargs=None, label="", **more):
    return Row(
        name, args, kwargs or {}, label=label, dtypes=ALL if not label else ("float64",), **more
    )


ROWS = [
    Row("adjoint", (A((2, 3, 4)),), bad=((A((3,)),), {}, RuntimeError, "1-D tensor")),
    _row(
        "reshape",
        (A((3, 4)), (2, 6)),
        bad=(
            (A((3, 4)), (5, 3)),
            {},
            RuntimeError,
            r"shape '\[5, 3\]' is invalid for input of size 12",
        ),
    ),
    _row("reshape", (A((3, 4)), (-1,)), label="infer"),
    _row("reshape", (A(()), (1, 1)), label="0d"),
    _row(
        "reshape",
        (_M, (4, -1)),
        label="infer2",
        bad=((_M, (-1, -1)), {}, RuntimeError, "only one dimension"),
    ),
    _row(
        "view",
        (A((3, 4)), (2, 6)),
        torch=lambda x, s: x.reshape(s),
        strided=False,
        bad=((A((3, 4)), (-2, 3)), {}, RuntimeError, "invalid shape dimension -2"),
    ),
    _row(
        "view_as",
        (A((3, 4)), A((2, 6), grad=False)),
        strided=False,
        bad=((A(), A((5,))), {}, RuntimeError, "is invalid for input"),
    ),
    _row(
        "reshape_as",
        (A((3, 4)), A((2, 6), grad=False)),
        bad=((A(), A((5,))), {}, RuntimeError, "is invalid for input"),
    ),
    _row("flatten", (_M,), bad=((_M, 2, 1), {}, RuntimeError, "start_dim cannot come after")),
    _row("flatten", (_M, 1), label="from"),
    _row("flatten", (_M, 0, -2), label="range"),
    _row("flatten", (A(()),), label="0d"),
    _row("ravel", (_M,), bad=((3,), {}, TypeError, "must be Tensor")),
    _row(
        "unflatten",
        (_M, 2, (2, -1)),
        bad=((_M, 2, (3, 3)), {}, RuntimeError, r"Provided sizes \[3, 3\] don't multiply up"),
    ),
    _row("unflatten", (_M, -2, (1, 3)), label="negative"),
    _row("permute", (_M, (2, 0, 1)), bad=((_M, (0, 1)), {}, RuntimeError, "is not equal to len")),
    _row(
        "permute",
        (_M, (-1, 0, -2)),
        label="negative",
        bad=((_M, (0, 1, 1)), {}, RuntimeError, "duplicate dims"),
    ),
    _row("transpose", (_M, 0, 2), bad=((_M, 0, 3), {}, IndexError, "Dimension out of range")),
    _row("transpose", (A(()), 0, -1), label="0d"),
    _row("swapaxes", (_M, 0, -1), label="alias"),
    _row(
        "swapaxes",
        (_M,),
        {"axis0": 1, "axis1": -1},
        label="names",
        bad=((_M, -4, 0), {}, IndexError, "Dimension out of range"),
    ),
    _row("swapdims", (_M, 1, -1), label="alias"),
    _row("t", (A((3, 4)),), bad=((_M,), {}, RuntimeError, "<= 2 dimensions, but self is 3D")),
    _row("t", (A((3,)),), label="1d"),
    _row(
        "movedim",
        (_M, 0, 2),
        bad=((_M, (0, 0), (1, 2)), {}, RuntimeError, "repeated dim in `source`"),
    ),
    _row("movedim", (_M, (0, 1), (-1, 0)), label="several"),
    _row("moveaxis", (_M, 2, 0), label="alias"),
    _row("squeeze", (A((1, 3, 1, 4)),), bad=((A(), 2), {}, IndexError, "Dimension out of range")),
    _row("squeeze", (A((1, 3, 1, 4)), 2), label="dim"),
    _row("squeeze", (A((1, 3, 1, 4)), (0, 1, 2)), label="dims"),
    _row("squeeze", (A((3, 4)), 0), label="none"),
    _row("squeeze", (A(()), 0), label="0d"),
    _row("unsqueeze", (A(), 1), bad=((A(), 3), {}, IndexError, r"range of \[-3, 2\], but got 3")),
    _row("unsqueeze", (A(), -1), label="negative"),
    _row("unsqueeze", (A(()), 0), label="0d"),
    _row(
        "expand",
        (A((3, 1)), (2, 3, 4)),
        bad=(
            (A((3, 4)), (2, 4)),
            {},
            RuntimeError,
            r"The expanded size of the tensor \(2\) must match the existing size \(3\)",
        ),
    ),
    _row(
        "expand",
        (A((3, 1)), (-1, 4)),
        label="keep",
        bad=((A((3, 4)), (4,)), {}, RuntimeError, "number of sizes provided"),
    ),
    _row(
        "expand",
        (A((3, 4)), (3, 4)),
        label="same",
        bad=((A((3, 4)), (-1, 3, 4)), {}, RuntimeError, "leading, non-existing dimension 0"),
    ),
    _row("expand", (A(()), (2, 3)), label="0d"),
    _row(
        "expand_as",
        (A((3, 1)), A((2, 3, 4), grad=False)),
        bad=((A((3, 4)), A((2, 4))), {}, RuntimeError, "The expanded size"),
    ),
    _row(
        "broadcast_to",
        (A((3, 1)), (3, 4)),
        bad=((A((3, 4)), (2, 4)), {}, RuntimeError, "The expanded size"),
    ),
    _row(
        "broadcast_tensors",
        (A((3, 1)), A((1, 4)), A(())),
        bad=((A((3,)), A((4,))), {}, RuntimeError, "Shape mismatch|must match"),
    ),
    _row(
        "meshgrid",
        (A((3,)), A((4,)), A(())),
        {"indexing": "ij"},
        bad=((A((3, 4)), A((4,))), {}, RuntimeError, "Expected 0D or 1D"),
    ),
    _row("meshgrid", (A((3,)), A((4,)), A((2,))), {"indexing": "xy"}, label="xy"),
    *[
        _row(
            f"atleast_{n}d",
            (A((3, 4)[:k]),),
            label=str(k),
            bad=((3,), {}, TypeError, "must be Tensor"),
        )
        for n in (1, 2, 3)
        for k in (0, 1, 2)
    ],
    *[_row(f"atleast_{n}d", (A(()), A((3,)), A()), label="several") for n in (1, 2, 3)],
]
