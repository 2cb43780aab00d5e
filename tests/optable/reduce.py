"""Rows of `ops/reduce.py`: sums, means, products, truth."""

import numpy as np

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*HALVES, *FLOATS)
NOT_TENSOR = ((3,), {}, TypeError, "must be Tensor")
BIG = A((3, 130, 5))


def _over(name: str, dtypes: tuple = ALL, bad: tuple | None = NOT_TENSOR, **more) -> list[Row]:
    """A reduction called in all its forms."""
    x = A((2, 3, 4), **more.pop("x", {}))
    return [
        Row(name, (x,), dtypes=dtypes, bad=bad, **more),
        Row(name, (x, 1), dtypes=dtypes, label="dim", **more),
        Row(name, (x, -1, True), label="keepdim", **more),
        Row(name, (x,), {"dim": (0, 2)}, label="dims", **more),
        Row(name, (x, (-1, 0), True), label="dims-keepdim", **more),
        Row(name, (A((), **{k: v for k, v in x.__dict__.items() if k != "shape"}), 0), label="0d",
            **more),
    ]  # fmt: skip


ROWS = [
    *_over("sum"),
    Row("sum", (BIG, 1), label="blocks"),
    Row("sum", (A((300, 3)), 0), label="narrow", rtol={"float32": 1e-4}),
    Row("sum", (A(),), {"dtype": None}, label="dtype-none"),
    Row("sum", (A(), ()), label="no-dims",
        bad=((A(), 5), {}, IndexError, r"range of \[-2, 1\], but got 5")),
    *_over("nansum"),
    *_over("mean", NUMBERS, ((A(dtype="int64"),), {}, RuntimeError, "could not infer")),
    *_over("nanmean", NUMBERS, ((A(dtype="int64"),), {}, RuntimeError, "expected input to have")),
    Row("prod", (A(),), dtypes=ALL, bad=((A(), (0, 1)), {}, TypeError, "prod"),
        rtol={"bfloat16": 3e-2}),
    Row("prod", (A(), 1), dtypes=ALL, label="dim", rtol={"bfloat16": 3e-2}),
    Row("prod", (A((2, 3, 4)), -2, True), label="keepdim"),
    Row("prod", (A(()),), label="0d"),
    Row("prod", (A((3, 4), dtype="int32"), 0), label="ints", grad=False),
    *_over("logsumexp", (*HALVES, *FLOATS, *ALL_INTS, "bool"),
           ((A(),), {}, TypeError, "missing 1 required"),
           rtol=dict.fromkeys((*ALL_INTS, "bool"), 1e-6))[1:],
    Row("logsumexp", (A(), (0, 1)), bad=((A(),), {}, TypeError, "missing 1 required")),
    *_over("any", ALL, grad=False),
    *_over("all", ALL, grad=False),
    Row("count_nonzero", (A(),), dtypes=ALL, grad=False, bad=NOT_TENSOR),
    Row("count_nonzero", (A((2, 3, 4)), (0, -1)), grad=False, label="dims"),
    Row("trace", (A((3, 4)),), numpy=np.trace, dtypes=(*ALL_INTS, *FLOATS),
        bad=((A((3,)),), {}, RuntimeError, "expected a matrix")),
    Row("trace", (A((4, 4)),), label="square"),
]  # fmt: skip
