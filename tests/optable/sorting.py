"""Rows of `ops/sorting.py`: sorts and order statistics."""

from .reduce import NOT_TENSOR
from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*ALL_INTS, *HALVES, *FLOATS)
D = A((3, 5), distinct=True)
X = A((2, 5, 3), distinct=True)
LONG = A((2, 40), distinct=True)
TIES = A((4, 7), lo=0, hi=3)
EMPTY_DIM = ((A((0, 3)), 0), {}, IndexError, "to have non-zero size")

ROWS = [
    Row("sort", (X,), dtypes=NUMBERS, bad=((A(), True), {}, TypeError, "invalid combination")),
    Row("sort", (X, 1, True), dtypes=NUMBERS, label="descending"),
    Row("sort", (TIES,), {"stable": True, "descending": True, "dim": 0},
        dtypes=("bool", *ALL_INTS), grad=False, label="ties"),
    Row("sort", (A(()),), label="0d"),
    Row("argsort", (TIES,), {"stable": True, "dim": 0}, dtypes=ALL, grad=False, bad=NOT_TENSOR),
    Row("argsort", (X, 1, True), grad=False, label="descending"),
    Row("argsort", (A(()),), grad=False, label="0d"),
    Row("msort", (X,), dtypes=NUMBERS, bad=NOT_TENSOR),
    Row("topk", (X, 2, 1), dtypes=NUMBERS, bad=((A(), 9), {}, RuntimeError, "k out of range")),
    Row("topk", (LONG, 3), label="few"),
    Row("topk", (LONG, 3, -1, False), label="smallest"),
    Row("topk", (X, 0), label="none"),
    Row("topk", (A(()), 1), label="0d"),
    Row("kthvalue", (X, 2), dtypes=NUMBERS, bad=((A(), 9), {}, RuntimeError, "out of range")),
    Row("kthvalue", (X, 5, 1, True), label="keepdim"),
    Row("kthvalue", (A(()), 1), label="0d"),
    Row("median", (X,), dtypes=NUMBERS, bad=EMPTY_DIM),
    Row("median", (X, 1), dtypes=NUMBERS, label="dim"),
    Row("median", (X, -2, True), label="keepdim"),
    Row("median", (A(()), 0), label="0d"),
    Row("nanmedian", (D,), dtypes=NUMBERS, bad=EMPTY_DIM),
    Row("nanmedian", (X, 1), dtypes=NUMBERS, label="dim"),
    Row("nanmedian", (X, -1, True), label="keepdim"),
    Row("mode", (TIES,), dtypes=ALL, bad=EMPTY_DIM, grad=False),
    Row("mode", (D, 0), label="dim"),
    Row("mode", (X, 1, True), label="keepdim"),
    Row("mode", (A(()),), label="0d"),
]  # fmt: skip
