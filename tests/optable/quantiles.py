"""Rows of `ops/quantiles.py`."""

from .row import A, Row

X = A((2, 5, 3), distinct=True)
Q = A((3,), lo=0.0, hi=1.0, grad=False)
BAD = ((A(), 1.5), {}, RuntimeError, r"must be in the range \[0, 1\] but got 1.5")


def _rows(name: str) -> list[Row]:
    return [
        Row(name, (X, 0.3), bad=BAD),
        Row(name, (X, Q, 1), label="dim"),
        Row(name, (X, Q, -1, True), label="keepdim"),
        Row(name, (X, 0.6, 0, True), label="scalar-keepdim"),
        Row(name, (X, Q), {"keepdim": True}, label="flat-keepdim"),
        Row(name, (X, A((3,), lo=0.05, hi=0.95), 1), label="q-grad"),
        Row(name, (A(()), 0.5), label="0d"),
        *[
            Row(name, (X, Q, 1), {"interpolation": how}, label=how)
            for how in ("lower", "higher", "midpoint", "nearest")
        ],
    ]


ROWS = [*_rows("quantile"), *_rows("nanquantile")]
