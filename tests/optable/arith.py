"""Rows of `ops/arith.py` and `ops/blend.py`."""

import numpy as np

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*FLOATS, *HALVES, *ALL_INTS)
_MISFIT = ((A((3, 4)), A((2, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match")


def _binary(name: str, numpy, lo: float = -2.0, dtypes=NUMBERS, **more) -> list[Row]:
    other = A(lo=lo)
    bad = _MISFIT
    return [
        Row(name, (A(), other), numpy=numpy, dtypes=dtypes, bad=bad, **more),
        Row(name, (A((2, 3, 4)), A((3, 1), lo=lo)), numpy=numpy, label="broadcast", **more),
        Row(name, (A((1, 4)), A((3, 1), lo=lo)), numpy=numpy, label="both", **more),
        Row(name, (A(), 2.5), numpy=numpy, label="number", dtypes=dtypes, **more),
        Row(name, (A(), 3), numpy=numpy, label="int number", dtypes=dtypes, **more),
        Row(name, (A(()), A((), lo=lo)), numpy=numpy, label="0d", dtypes=dtypes, **more),
        Row(name, (A(), A((), lo=lo)), label="with 0d", dtypes=dtypes, **more),
        Row(name, (A(), A(lo=lo, dtype="int32")), label="with int32", dtypes=dtypes, **more),
        Row(name, (A(), A(lo=lo, dtype="float16")), label="with half", dtypes=dtypes, grad=False),
    ]


def _remainder(name: str, **more) -> list[Row]:
    """Away from the jumps: quotients lie in (n + 0.2, n + 0.8)."""
    x, y = A((3, 4), 5.2, 5.8), A((3, 4), 0.98, 1.02)
    return [
        Row(name, (x, y), dtypes=FLOATS, bad=_MISFIT, **more),
        Row(name, (A(lo=-2.9, hi=-2.1), 1.0), dtypes=FLOATS, label="negative", **more),
        Row(name, (A(lo=-9, hi=9), A(lo=1, hi=4)), dtypes=ALL_INTS, label="ints", grad=False),
        Row(name, (A(lo=-9, hi=9), A(lo=-4, hi=-1)), dtypes=("int8", "int64"), label="-ints",
            grad=False),
        Row(name, (A(lo=-9, hi=9), 2.5), dtypes=NUMBERS, label="number", grad=False),
        Row(name, (A(lo=-9, hi=9), 3), dtypes=ALL, label="int number", grad=False,
            bad=((A(dtype="int64"), 0), {}, RuntimeError, "ZeroDivisionError")),
        Row(name, (A(lo=1, hi=9), A(lo=1, hi=3)), dtypes=HALVES, label="halves", grad=False),
    ]  # fmt: skip


ROWS = [
    *_binary("add", np.add, dtypes=ALL),
    *_binary("sub", np.subtract),
    *_binary("mul", np.multiply, dtypes=ALL),
    *_binary("div", np.divide, lo=0.5),
    Row("rsub", (A(), A((3, 1))), dtypes=NUMBERS,
        bad=((A((2, 4)), A((3, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match")),
    Row("rsub", (A(), 2), {"alpha": 3}, dtypes=NUMBERS, label="alpha"),
    Row("sub", (A((4,), dtype="int64"), 1), dtypes=("int64",), label="bool", grad=False,
        bad=((A(dtype="bool"), A()), {}, RuntimeError, "with a bool tensor is not supported")),
    *[
        Row(name, (A(), A((3, 1))), {"alpha": 3}, label="alpha", dtypes=NUMBERS)
        for name in ("add", "sub")
    ],
    Row("add", (A(), A(dtype="int32")), {"alpha": 0.5}, label="float alpha"),
    Row("add", (A(dtype="bool"), A(dtype="bool")), {"alpha": True}, label="bool alpha",
        dtypes=("bool",), grad=False,
        bad=((A(), A()), {"alpha": True}, RuntimeError, "Boolean alpha only supported")),
    Row("add", (2, A()), dtypes=NUMBERS, label="number first",
        bad=((A(), "a"), {}, TypeError, "argument 'other' .position 2. must be Tensor, not str")),
    Row("sub", (2, A()), dtypes=NUMBERS, label="number first"),
    Row("div", (2, A(lo=0.5)), dtypes=NUMBERS, label="number first"),
    Row("div", (A(lo=2.2, hi=2.8), 1.0), {"rounding_mode": "floor"}, label="floor",
        bad=((A(), 1), {"rounding_mode": "up"}, RuntimeError, "rounding_mode to be one of None")),
    Row("div", (A(lo=-2.8, hi=-2.2), A((3, 1), 0.99, 1.01)), {"rounding_mode": "trunc"},
        label="trunc"),
    *[
        Row("div", (A(lo=-9, hi=9), A(lo=lo, hi=hi)), {"rounding_mode": mode}, grad=False,
            label=f"{mode} ints {lo}", dtypes=("int8", "int32", "int64"))
        for mode in ("floor", "trunc")
        for lo, hi in ((1, 4), (-4, -1))
    ],
    Row("true_divide", (A(), A(lo=0.5)), dtypes=ALL_INTS, grad=False,
        bad=((A(), 2), {"rounding_mode": "floor"}, TypeError, "unexpected keyword")),
    Row("floor_divide", (A(lo=-9, hi=9), A(lo=1, hi=4)), dtypes=NUMBERS, grad=False, bad=_MISFIT),
    Row("floor_divide", (A(lo=-9, hi=9), 2), dtypes=ALL, grad=False, label="number"),
    Row("floor_divide", (7, A(lo=1, hi=4)), dtypes=NUMBERS, grad=False, label="number first"),
    *_remainder("remainder"),
    *_remainder("fmod"),
    Row("neg", (A(),), numpy=np.negative, dtypes=NUMBERS,
        bad=((3,), {}, TypeError, "must be Tensor")),
    Row("neg", (A(()),), dtypes=NUMBERS, label="0d",
        bad=((A(dtype="bool"),), {}, RuntimeError, "Negation, the `-` operator, on a bool")),
    Row("positive", (A(),), dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, RuntimeError, "on a bool tensor is not supported")),
    *[
        Row(alias, (A(), A(lo=0.5)), label="alias")
        for alias in ("subtract", "multiply", "divide", "true_divide")
    ],
    Row("negative", (A(),), label="alias"),
    *[
        row
        for name in ("addcmul", "addcdiv")
        for row in (
            Row(name, (A(), A((3, 1)), A((1, 4), lo=0.5)), {"value": 0.5}, dtypes=FLOATS,
                bad=((A((3, 4)), A((2, 4)), A((3, 4))), {}, RuntimeError, "must match the size")),
            Row(name, (A(), A(), A(lo=0.5)), dtypes=HALVES, label="halves",
                bad=((A(), 2.0, A()), {}, TypeError, "'tensor1' .position 2. must be Tensor")),
            Row(name, (A(()), A(()), A((), lo=0.5)), {"value": 2}, label="0d"),
            Row(name, (A(), A(dtype="float64"), A(lo=0.5)), label="mixed"),
        )
    ],
    Row("addcmul", (A(), A(), A()), {"value": 2}, dtypes=ALL_INTS, label="ints", grad=False),
    Row("addcdiv", (A(), A(), A(lo=1)), label="ints", grad=False,
        bad=((A(), A(dtype="int32"), A(dtype="int32")), {}, RuntimeError, "Integer division with")),
    Row("lerp", (A(), A((3, 1)), 0.3), dtypes=(*FLOATS, *HALVES), label="number",
        bad=((A(), A(dtype="float64"), 0.5), {}, RuntimeError,
             "expected dtype float for `end` but got dtype double")),
    Row("lerp", (A(), A(), 0.8), label="far"),
    Row("lerp", (A(), A(), A((4,), 0, 0.45)), dtypes=(*FLOATS, *HALVES)),
    Row("lerp", (A(()), A(()), A(())), label="0d"),
]  # fmt: skip
