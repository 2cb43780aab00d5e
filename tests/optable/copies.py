"""Rows of `ops/copies.py`."""

from .row import ALL, A, Row

X = A((2, 3, 4))
_RANGE = "Dimension out of range"

ROWS = [
    Row("alias_copy", (X,), dtypes=ALL, bad=((3,), {}, TypeError, "must be Tensor")),
    Row("as_strided_copy", (A((3, 4)), (2, 2), (4, 1)), strided=False,
        bad=((A((3,)), (9,), (1,)), {}, RuntimeError, "out of bounds")),
    Row("detach_copy", (X,), grad=False, bad=((3,), {}, TypeError, "must be Tensor")),
    Row("diagonal_copy", (X, 1, 0, 2), bad=((A((3,)),), {}, IndexError, _RANGE)),
    Row("expand_copy", (A((3, 1)), (2, 3, 4)),
        bad=((A((3,)), (4,)), {}, RuntimeError, "must match the existing size")),
    Row("narrow_copy", (X, 1, 1, 2), empty=(A((0, 3)), 0, 0, 0),
        bad=((X, 1, 2, 2), {}, RuntimeError, "exceeds dimension size")),
    Row("permute_copy", (X, (2, 0, 1)),
        bad=((X, (0, 0, 1)), {}, RuntimeError, "duplicate dims")),
    Row("select_copy", (X, 1, -1), empty=(A((0, 3)), 1, 0),
        bad=((X, 1, 3), {}, IndexError, "out of range")),
    Row("slice_copy", (X, 2, -3, 9, 2), bad=((X, 0, 0, 1, 0), {}, RuntimeError, "positive")),
    Row("slice_copy", (X,), label="all"),
    Row("split_copy", (X, 2, 2), bad=((X, -1), {}, RuntimeError, "non-negative")),
    Row("split_with_sizes_copy", (X, [1, 3], 2), empty=(A((0, 4)), [1, 3], 1),
        bad=((X, [1, 3]), {}, RuntimeError, "sum exactly")),
    Row("squeeze_copy", (A((1, 3, 1)),), bad=((X, 3), {}, IndexError, _RANGE)),
    Row("squeeze_copy", (A((1, 3, 1)), 0), label="one"),
    Row("t_copy", (A((3, 4)),), bad=((X,), {}, RuntimeError, "<= 2 dimensions")),
    Row("transpose_copy", (X, 0, 2), bad=((X, 0, 3), {}, IndexError, _RANGE)),
    Row("unbind_copy", (X, 1), empty=(A((2, 0)), 0),
        bad=((A(()),), {}, IndexError, "no dimensions")),
    Row("unfold_copy", (X, 2, 2, 1), empty=(A((0, 4)), 1, 2, 1),
        bad=((X, 2, 5, 1), {}, RuntimeError, "maximum size")),
    Row("unsafe_chunk", (X, 3, 2), bad=((X, 0), {}, RuntimeError, "greater than 0")),
    Row("unsafe_split", (X, 2, 1), bad=((X, -1), {}, RuntimeError, "non-negative")),
    Row("unsafe_split_with_sizes", (X, [1, 2], 1), empty=(A((0, 3)), [1, 2], 1),
        bad=((X, [1, 3]), {}, RuntimeError, "sum exactly")),
    Row("unsqueeze_copy", (X, 1), bad=((X, 5), {}, IndexError, _RANGE)),
    Row("view_copy", (X, (4, 6)), empty=(A((0, 3)), (3, 0)),
        bad=((X, (5, 5)), {}, RuntimeError, "invalid for input of size")),
]  # fmt: skip
