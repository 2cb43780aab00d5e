"""Rows of `ops/norms.py`: norms of vectors and matrices."""

from .row import FLOATS, HALVES, A, Row

X = A((2, 3, 4))
D = A((2, 3, 4), lo=-1.9, distinct=True)  # no two of the same size either
INF = float("inf")
BAD = ((A(dtype="int64"),), {}, RuntimeError, "Expected a floating point or complex tensor")
UNKNOWN = ((A(), "abc"), {}, RuntimeError, "Order abc not supported")

ROWS = [
    Row("norm", (X,), dtypes=(*HALVES, *FLOATS), bad=BAD),
    Row("norm", (X, "fro", (0, 1), True), label="fro", bad=UNKNOWN),
    Row("norm", (A((3, 200, 5)), 2, 1), label="long"),
    *[
        Row("norm", (D, p, 1), label=f"p{p}", dtypes=(*HALVES, *FLOATS),
            rtol={"float16": 5e-3, "bfloat16": 4e-2})
        for p in (1, 3, 2.5, 1.5, INF)
    ],
    Row("norm", (D, 0.5, 1), label="p0.5"),
    Row("norm", (D, -INF, (0, 2)), label="minus-inf"),
    Row("norm", (D, -2.0), label="negative"),
    Row("norm", (X, 0, -1), label="p0", grad=False),
    Row("norm", (A(()),), label="0d"),
    Row("norm", (X, "nuc", (2, 0), True), label="nuc",
        bad=((X, "nuc"), {}, RuntimeError, "dim must be a 2-tuple")),
    Row("norm", (A((4, 4)), "nuc"), label="nuc-square"),
    Row("norm", (A((3, 2, 5)), "nuc", (-2, -1)), label="nuc-wide"),
    Row("norm_except_dim", (X, 2, 1), bad=((X, 2.5), {}, TypeError, "must be int")),
    Row("norm_except_dim", (X, 1, -1), label="all"),
    Row("norm_except_dim", (X,), label="first", empty=()),
    Row("renorm", (X, 2, 1, 1.5), dtypes=(*HALVES, *FLOATS), rtol={"bfloat16": 4e-2},
        bad=((X, 0, 1, 1), {}, RuntimeError, "non-positive-norm")),
    Row("renorm", (X, 1, -1, 100.0), label="all below"),
]  # fmt: skip
