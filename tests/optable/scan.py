"""Rows of `ops/scan.py`: running sums, products, extrema."""

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
X = A((2, 5, 3))
NO_DIM = ((A(),), {}, TypeError, "missing 1 required")
D = A((2, 5, 3), distinct=True)
TIES = A((3, 6), lo=0, hi=3)

ROWS = [
    Row("cumsum", (X, 1), dtypes=ALL, bad=NO_DIM),
    Row("cumsum", (X,), {"dim": -3}, label="negative"),
    Row("cumsum", (A(()), 0), label="0d"),
    Row("cumprod", (X, 1), dtypes=ALL, bad=NO_DIM, rtol={"bfloat16": 3e-2}),
    Row("cumprod", (X, -1), label="negative"),
    Row("cumprod", (A(()), 0), label="0d"),
    Row("logcumsumexp", (X, 1), dtypes=(*HALVES, *FLOATS), bad=NO_DIM),
    Row("logcumsumexp", (A((3, 5), lo=-300.0, hi=300.0), -1), label="wide"),
    Row("logcumsumexp", (A(()), 0), label="0d"),
    Row("cummax", (D, 1), dtypes=NUMBERS, bad=NO_DIM),
    Row("cummax", (TIES, 1), dtypes=("bool", *ALL_INTS), grad=False, label="ties"),
    Row("cummax", (A(()), 0), label="0d"),
    Row("cummin", (D, -1), dtypes=NUMBERS, bad=NO_DIM),
    Row("cummin", (TIES, 1), dtypes=("bool", *ALL_INTS), grad=False, label="ties"),
    Row("cummin", (A(()), -1), label="0d"),
]
