"""Rows of `ops/linalg.py`."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
# Sums of products of both signs: the error is relative to the terms, not to the sum.
LOOSE = {"float16": 1e-2, "bfloat16": 6e-2}


def _row(name: str, *args, bad: tuple | None = None, **more) -> Row:
    more.setdefault("dtypes", NUMBERS)
    return Row(name, args, bad=bad, rtol=LOOSE, **more)


def _bad(pattern: str, *args, error: type = RuntimeError) -> tuple:
    return (args, {}, error, pattern)


V3, V4, M34, M45 = A((3,)), A((4,)), A((3, 4)), A((4, 5))
B34, B45 = A((2, 3, 4)), A((2, 4, 5))
SCALED = {"beta": 2, "alpha": 3}

ROWS = [
    _row("matmul", M34, M45, bad=_bad(r"cannot be multiplied \(3x4 and 3x4\)", M34, M34)),
    _row("matmul", V4, V4, label="1d-1d"),
    _row("matmul", V4, M45, label="1d-2d"),
    _row("matmul", M34, V4, label="2d-1d"),
    _row("matmul", B34, V4, label="3d-1d"),
    _row("matmul", V4, B45, label="1d-3d"),
    _row("matmul", B34, M45, label="3d-2d"),
    _row("matmul", M34, B45, label="2d-3d"),
    _row("matmul", B34, B45, label="3d-3d"),
    _row("matmul", A((2, 1, 3, 4)), A((3, 4, 5)), label="broadcast"),
    _row("matmul", A((2, 3, 3, 4)), A((1, 3, 4, 2)), label="4d"),
    _row("matmul", A((2, 3, 3, 4)), V4, label="4d-1d"),
    _row("matmul", A((3, 0)), A((0, 5)), label="inner-empty"),
    _row("matmul", A((1, 1)), A((1, 1)), label="1x1"),
    _row("mm", M34, M45, bad=_bad("self must be a matrix", V4, M45)),
    _row("bmm", B34, B45, bad=_bad("batch1 must be a 3D tensor", M34, B45)),
    _row("mv", M34, V4, bad=_bad("size mismatch, got input", M34, V3)),
    _row("dot", V4, V4, bad=_bad("inconsistent tensor size", V3, V4)),
    _row("vdot", V4, V4, bad=_bad("1D tensors expected", M34, V4)),
    _row("inner", M34, A((2, 5, 4)), bad=_bad("last dimension must match", M34, V3)),
    _row("inner", V4, V4, label="1d"),
    _row("inner", M34, A(()), label="0d"),
    _row("outer", V3, V4, bad=_bad("Expected 1-D argument vec2, but got 2-D", V3, M34)),
    _row("outer", V3, V4, dtypes=("bool",), grad=False, label="bool"),
    _row("ger", V3, V4),
    _row("addmm", A((3, 5)), M34, M45, bad=_bad("mat2 must be a matrix, got 1-D", M34, M34, V4)),
    _row("addmm", A((5,)), M34, M45, kwargs=SCALED, label="broadcast"),
    _row("addmm", A(()), M34, M45, kwargs={"beta": 0.5, "alpha": -2.0}, label="0d", dtypes=FLOATS),
    _row("addmm", A((3, 1)), M34, M45, kwargs={"beta": 0}, label="beta0"),
    _row("addmv", V3, M34, V4, kwargs=SCALED, bad=_bad("size mismatch", V4, M34, V4)),
    _row("addmv", A((1,)), M34, V4, label="broadcast"),
    _row("baddbmm", A((2, 3, 5)), B34, B45, bad=_bad("batch1 must be", M34, M34, B45)),
    _row("baddbmm", A((3, 1)), B34, B45, kwargs=SCALED, label="broadcast"),
    _row("addbmm", A((3, 5)), B34, B45, kwargs=SCALED, bad=_bad("batch2 must be", M34, B34, M45)),
    _row("addbmm", A((5,)), B34, B45, label="broadcast"),
    _row("addr", M34, V3, V4, kwargs=SCALED, bad=_bad("argument vec1, but got 2-D", M34, M34, V4)),
    _row("addr", A((1,)), V3, V4, label="broadcast"),
    _row("addr", M34, V3, V4, kwargs={"beta": 0}, label="beta0"),
    _row("linear", M34, A((5, 4)), A((5,)), bad=_bad("cannot be multiplied", M34, A((5, 3)))),
    _row("linear", M34, A((5, 4)), label="no-bias"),
    _row("linear", V4, A((5, 4)), A((5,)), label="1d"),
    _row("linear", A((2, 3, 4)), A((5, 4)), A((5,)), label="3d"),
    _row("linear", A((1, 4)), A((5, 4)), A((5,)), label="one-row"),
    _row("linear", M34, V4, label="vector"),
    _row("linear", M34, A((5, 4)), A((3, 1)), label="wide-bias"),
]
