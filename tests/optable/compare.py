"""Rows of `ops/compare.py`."""

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

FLOATING = (*FLOATS, *HALVES)
INTEGRAL = ("bool", *ALL_INTS)
_MISFIT = ((A((3, 4)), A((2, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match")
_NUMBER = ((3,), {}, TypeError, "argument 'input' .position 1. must be Tensor, not int")


def _comparison(name: str) -> list[Row]:
    return [
        Row(name, (A(lo=-1, hi=2), A((3, 1), lo=-1, hi=2)), dtypes=ALL, grad=False, bad=_MISFIT),
        Row(name, (A(lo=-1, hi=2), 1), dtypes=ALL, grad=False, label="number"),
        Row(name, (A(lo=-1, hi=2), 0.5), dtypes=ALL, grad=False, label="float number"),
        Row(name, (A(lo=-1, hi=2), A(lo=-1, hi=2, dtype="int8")), dtypes=ALL, grad=False,
            label="mixed"),
        Row(name, (A(()), A(())), grad=False, label="0d",
            bad=((A(), "a"), {}, TypeError, "must be Tensor, not str")),
    ]  # fmt: skip


def _bits(name: str, lo: float = -2.0) -> list[Row]:
    shift = name.endswith("shift")
    dtypes = ALL_INTS if shift else INTEGRAL
    return [
        Row(name, (A(lo=-9, hi=9), A((3, 1), lo=lo, hi=5)), dtypes=dtypes, grad=False,
            bad=((A((3, 4), dtype="int32"), A((2, 4), dtype="int32")), {}, RuntimeError,
                 r"size of tensor a \(3\) must match")),
        Row(name, (A(lo=-9, hi=9), 3), dtypes=dtypes, grad=False, label="number",
            bad=((A(dtype="int32"), 1.5), {}, NotImplementedError, "not implemented for 'Float'")),
        Row(name, (6, A(lo=0, hi=5)), dtypes=dtypes, grad=False, label="number first"),
        Row(name, (A(lo=-9, hi=9), A(lo=-1, hi=99, dtype="int64")), dtypes=dtypes, grad=False,
            label="mixed"),
    ]  # fmt: skip


ROWS = [
    *[row for name in ("eq", "ne", "lt", "le", "gt", "ge") for row in _comparison(name)],
    *[
        Row(name, (A(lo=-1, hi=2), A((3, 1), lo=-1, hi=2)), dtypes=ALL, grad=False, label="alias")
        for name in ("not_equal", "less", "less_equal", "greater", "greater_equal")
    ],
    *[
        Row(name, (A(),), dtypes=ALL, grad=False, bad=_NUMBER)
        for name in (
            "isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "signbit",
            "logical_not",
        )
    ],
    *[
        Row(name, (A(lo=-1, hi=2), A((3, 1), lo=-1, hi=2, dtype=other)), dtypes=ALL, grad=False,
            label=other or "", bad=((A(), 1), {}, TypeError, "'other' .position 2. must be Tensor"))
        for name in ("logical_and", "logical_or", "logical_xor")
        for other in (None, "int64")
    ],
    *_bits("bitwise_and"), *_bits("bitwise_or"), *_bits("bitwise_xor"),
    *_bits("bitwise_left_shift"), *_bits("bitwise_right_shift"),
    Row("bitwise_not", (A(),), dtypes=INTEGRAL, grad=False,
        bad=((A(),), {}, NotImplementedError, "\"bitwise_not_cpu\" not implemented for 'Float'")),
    Row("isclose", (A(), A()), {"rtol": 0.5}, dtypes=ALL, grad=False,
        bad=((A(), A(dtype="float64")), {}, RuntimeError, "Float did not match Double")),
    Row("isclose", (A(), A((3, 1))), {"atol": 1}, dtypes=FLOATS, grad=False, label="broadcast",
        bad=((A(), A()), {"rtol": -1}, RuntimeError, "rtol must be greater than or equal to zero")),
    Row("allclose", (A(), A()), {"atol": 9}, dtypes=ALL, grad=False,
        bad=((A(), A(dtype="int64")), {}, RuntimeError, "Float did not match Long")),
    Row("equal", (A(), A()), dtypes=ALL, grad=False,
        bad=((A(), 2), {}, TypeError, "'other' .position 2. must be Tensor")),
    Row("where", (A(dtype="bool"), A(), A((3, 1))), dtypes=ALL,
        bad=((A(), A(), A()), {}, RuntimeError, "where expected condition to be a boolean tensor")),
    Row("where", (A((2, 1, 4), dtype="bool"), A(), A(())), dtypes=FLOATING, label="broadcast",
        bad=((A((2, 4), dtype="bool"), A((3, 4)), 1), {}, RuntimeError, "must match the size")),
    Row("where", (A(dtype="bool"), A(), 2.5), dtypes=ALL, label="number"),
    Row("where", (A(dtype="bool"), 2, A()), dtypes=ALL, label="number first"),
    Row("where", (A(dtype="bool"), 2, 2.5), label="numbers", grad=False),
    Row("where", (A(dtype="bool"), A(), A((), dtype="float64")), dtypes=ALL, label="0d"),
]  # fmt: skip
