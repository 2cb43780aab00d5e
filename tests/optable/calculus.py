"""Rows of `ops/calculus.py`."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
Y = A((2, 5, 3))
_GRADIENT_RTOL = {"float16": 1e-2, "bfloat16": 6e-2}

ROWS = [
    Row("trapezoid", (A(),), dtypes=NUMBERS, bad=((A(()),), {}, IndexError, "no dimensions")),
    Row("trapezoid", (Y, A((5,))), {"dim": 1}, label="x"),
    Row("trapezoid", (Y, A((1, 3))), label="x broadcast"),
    Row("trapezoid", (Y,), {"dx": 0.5, "dim": 0}, label="dx"),
    Row("trapz", (Y, A((2, 5, 3))), label="all"),
    Row("trapezoid", (A((3, 0)),), label="none", empty=(), grad=False),
    Row(
        "cumulative_trapezoid",
        (A(),),
        dtypes=NUMBERS,
        bad=((A((3,)), A((2,))), {}, RuntimeError, "one `x` value for each sample"),
        rtol=_GRADIENT_RTOL,
    ),
    Row("cumulative_trapezoid", (Y, A((5,))), {"dim": 1}, label="x"),
    Row("cumulative_trapezoid", (Y,), {"dx": 2, "dim": -2}, label="dx"),
    Row(
        "gradient",
        (A((4, 5)),),
        dtypes=("int64", *FLOATS),
        bad=((A((3, 1)),), {}, RuntimeError, "at least edge_order"),
    ),
    Row("gradient", (A((4, 5)),), {"dim": 1, "spacing": 0.5, "edge_order": 2}, label="end"),
    Row("gradient", (A((4, 5)),), {"spacing": [2.0, 0.5]}, label="each"),
    Row("gradient", (A((4, 5)),), {"spacing": (A((5,), distinct=True),), "dim": (1,)}, label="x"),
    Row(
        "gradient",
        (A((4, 5)),),
        {"spacing": [A((4,), distinct=True), A((5,), distinct=True)], "edge_order": 2},
        label="x end",
    ),
]
