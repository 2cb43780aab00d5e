"""Rows of `ops/moments.py`."""

from .row import FLOATS, INTS, A, Row

_RANK = ((A((2, 3, 4)),), {}, RuntimeError, "two or fewer dimensions")
_WEIGHTS = {"fweights": A((5,), 1, 4, dtype="int64"), "aweights": A((5,), 0.5, 2)}

ROWS = [
    Row("cov", (A((3, 5)),), dtypes=(*INTS, *FLOATS), bad=_RANK, empty=()),
    Row("cov", (A((5,)),), {"correction": 0}, label="vector", empty=()),
    Row("cov", (A((3, 5)),), _WEIGHTS, label="weights", empty=()),
    Row("corrcoef", (A((3, 5)),), dtypes=(*INTS, *FLOATS), bad=_RANK, empty=()),
    Row("corrcoef", (A((5,)),), label="vector", empty=()),
]
