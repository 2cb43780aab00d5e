"""Rows of `ops/stats.py`: variances."""

from .row import FLOATS, HALVES, A, Row

NUMBERS = (*HALVES, *FLOATS)
X = A((2, 3, 4))
INTS = ((A(dtype="int64"),), {}, RuntimeError, "only support floating point")


def _rows(name: str) -> list[Row]:
    return [
        Row(name, (X,), dtypes=NUMBERS, bad=INTS),
        Row(name, (X, 1), dtypes=NUMBERS, label="dim"),
        Row(name, (X, (0, 2)), {"correction": 0, "keepdim": True}, label="correction"),
        Row(name, (X, -1), {"correction": 0.5}, label="half"),
        Row(name, (X, False), label="biased"),
        Row(name, (X, 1, False, True), label="positional"),
        Row(name, (X,), {"dim": None, "keepdim": True}, label="none"),
    ]


ROWS = [*_rows("var"), *_rows("std"), *_rows("var_mean"), *_rows("std_mean")]
