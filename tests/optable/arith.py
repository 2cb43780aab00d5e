"""Rows of `ops/arith.py`."""

import numpy as np

from .row import ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*FLOATS, *HALVES, *ALL_INTS)
_MISFIT = ((A((3, 4)), A((2, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match")


def _binary(name: str, numpy, lo: float = -2.0, **more) -> list[Row]:
    other = A(lo=lo)
    bad = _MISFIT
    return [
        Row(name, (A(), other), numpy=numpy, dtypes=NUMBERS, bad=bad, **more),
        Row(name, (A((2, 3, 4)), A((3, 1), lo=lo)), numpy=numpy, label="broadcast", **more),
        Row(name, (A((1, 4)), A((3, 1), lo=lo)), numpy=numpy, label="both", **more),
        Row(name, (A(), 2.5), numpy=numpy, label="number", **more),
        Row(name, (A(()), A((), lo=lo)), numpy=numpy, label="0d", **more),
    ]


ROWS = [
    *_binary("add", np.add),
    *_binary("sub", np.subtract),
    *_binary("mul", np.multiply),
    *_binary("div", np.divide, lo=0.5),
    Row("add", (A(), A()), {"alpha": 3}, label="alpha"),
    Row("neg", (A(),), numpy=np.negative, bad=((3,), {}, TypeError, "must be Tensor")),
    *[Row(alias, (A(), A(lo=0.5)), label="alias") for alias in ("subtract", "multiply", "divide")],
    Row("negative", (A(),), label="alias"),
]
