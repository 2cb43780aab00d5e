"""Rows of `ops/difference.py`."""

from .row import ALL, A, Row

X = A((2, 5, 3))

ROWS = [
    Row("diff", (X,), dtypes=ALL, bad=((A(()),), {}, RuntimeError, "at least one-dimensional")),
    Row("diff", (X, 2, 1), label="second"),
    Row("diff", (X, 0), label="none"),
    Row("diff", (X, 9), label="more"),
    Row("diff", (X, 1, 1, A((2, 1, 3)), A((2, 2, 3))), label="ends"),
    Row("diff", (X,), {"dim": 0, "append": A((1, 5, 3))}, label="append"),
]
