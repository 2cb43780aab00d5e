"""Rows of `ops/maxima.py`: maxima and minima."""

from .reduce import NOT_TENSOR
from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

ORDERED = (*ALL_INTS, *HALVES, *FLOATS)
X = A((2, 3, 4), distinct=True)
FLAT = A((3, 4), distinct=True)
EMPTY = ((A((0,)),), {}, RuntimeError, "Expected reduction dim to be specified")


def _rows(name: str) -> list[Row]:
    return [
        Row(name, (X,), dtypes=ALL, bad=EMPTY),
        Row(name, (X, 1), dtypes=ORDERED, label="dim"),
        Row(name, (A(dtype="bool"), 1), label="bool", grad=False),
        Row(name, (X,), {"dim": -1, "keepdim": True}, label="keepdim"),
        Row(name, (A(), A()), dtypes=ALL, label="pair"),
        Row(name, (A((3, 1)),), {"other": A((4,))}, label="other"),
        Row(name, (A(()),), label="0d"),
        Row(name, (A(()), 0), label="0d-dim", bad=NOT_TENSOR),
    ]


def _ranged(name: str) -> list[Row]:
    return [
        Row(name, (X,), dtypes=ALL, bad=EMPTY),
        Row(name, (X, (0, -1)), dtypes=ALL, label="dims"),
        Row(name, (X, 1, True), label="keepdim"),
        Row(name, (A(()), 0), label="0d"),
        Row(name, (A((4, 5), dtype="int64"), 1), label="ties", grad=False),
    ]


def _index(name: str) -> list[Row]:
    bad = ((A(dtype="bool"),), {}, RuntimeError, "does not support bool")
    return [
        Row(name, (X,), dtypes=ORDERED, grad=False, bad=bad),
        Row(name, (A((4, 5), lo=0, hi=3), 1), dtypes=ALL_INTS, grad=False, label="ties"),
        Row(name, (X, -2, True), grad=False, label="keepdim"),
        Row(name, (X,), {"keepdim": True}, grad=False, label="flat-keepdim"),
        Row(name, (A(()),), grad=False, label="0d"),
        Row(name, (A(()), -1), grad=False, label="0d-dim"),
    ]


ROWS = [
    *_rows("max"),
    *_rows("min"),
    *_ranged("amax"),
    *_ranged("amin"),
    *_index("argmax"),
    *_index("argmin"),
    Row("aminmax", (X,), dtypes=ALL, bad=((A((0,)),), {}, RuntimeError, "cannot compute aminmax")),
    Row("aminmax", (X,), {"dim": 1, "keepdim": True}, label="keepdim"),
    Row("aminmax", (X,), {"dim": -1}, label="dim"),
    Row("aminmax", (A(()),), {"dim": 0}, label="0d"),
]
