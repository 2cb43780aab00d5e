"""Rows of `ops/membership.py`."""

from .row import ALL, ALL_INTS, FLOATS, HALVES, INTS, A, Row

ROWS = [
    Row("frexp", (A(),), dtypes=(*FLOATS, *HALVES),
        bad=((A(dtype="int64"),), {}, RuntimeError, "floating-point")),
    Row("isin", (A((4, 5), -5, 5), A((3,), -5, 5)), dtypes=(*ALL_INTS, *FLOATS), grad=False,
        bad=((A(dtype="bool"), A()), {}, RuntimeError, "Bool")),
    Row("isin", (A((4, 5), -5, 5), 2), {"invert": True}, dtypes=INTS, label="number"),
    Row("isin", (2, A((4, 5), -5, 5)), dtypes=INTS, label="element", strided=False),
    Row("nonzero_static", (A((3, 4), -1, 2),), {"size": 5}, dtypes=ALL, grad=False,
        bad=((A(),), {"size": -1}, RuntimeError, "non-negative")),
    Row("nonzero_static", (A((3, 4), -1, 2),), {"size": 20, "fill_value": 7}, dtypes=INTS,
        label="more", grad=False),
    Row("unravel_index", (A((3, 4), 0, 30), (5, 6)), dtypes=ALL_INTS, grad=False,
        bad=((A(), (2, 3)), {}, TypeError, "integer dtype")),
    Row("unravel_index", (A((4,), 0, 30), 40), dtypes=INTS, grad=False, label="int"),
]  # fmt: skip
