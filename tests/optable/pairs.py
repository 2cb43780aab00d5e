"""Rows of `ops/pairs.py`, `ops/power.py` and `ops/extrema.py`."""

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

NUMBERS = (*FLOATS, *HALVES, *ALL_INTS)
FLOATING = (*FLOATS, *HALVES)
_MISFIT = ((A((3, 4)), A((2, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match")


def _pair(name: str, dtypes=FLOATING, lo=-2.0, **more) -> list[Row]:
    a, b = A(lo=lo), A(lo=lo)
    return [
        Row(name, (a, b), dtypes=dtypes, bad=_MISFIT, **more),
        Row(name, (A((2, 3, 4), lo=lo), A((3, 1), lo=lo)), label="broadcast", **more),
        Row(name, (A((), lo=lo), A((), lo=lo)), label="0d", dtypes=dtypes, **more),
        Row(name, (a, A(lo=lo, dtype="float64")), label="mixed", **more),
    ]


def _numbers_refused(name: str) -> Row:
    bad = ((A(), 2), {}, TypeError, "'other' .position 2. must be Tensor, not int")
    return Row(name, (A(lo=0.5), A(lo=0.5)), label="number refused", grad=False, bad=bad)


def _extremum(name: str) -> list[Row]:
    a, b = A(lo=-3, hi=0.9, distinct=True), A(lo=-1, hi=3, distinct=True)
    return [
        Row(name, (a, b), dtypes=FLOATING, bad=_MISFIT),
        Row(name, (A((2, 3, 4), distinct=True), A((3, 1), 5, 6)), label="broadcast"),
        Row(name, (A(), A()), dtypes=ALL, label="all", grad=False),
        Row(name, (A(()), A((), 3, 4)), label="0d"),
        Row(name, (A(dtype="int64"), A()), label="promotion", dtypes=NUMBERS, grad=False),
        _numbers_refused(name),
    ]


ROWS = [
    Row("pow", (A(lo=0.5), A()), dtypes=FLOATING, bad=_MISFIT),
    Row("pow", (A((2, 3, 4), lo=0.5), A((3, 1))), label="broadcast"),
    Row("pow", (A(lo=-3, hi=3), A(lo=-2, hi=5)), dtypes=ALL_INTS, label="ints", grad=False),
    *[
        Row("pow", (A(lo=0.5), e), label=f"number {e}", dtypes=FLOATING)
        for e in (2, 3, 2.5, -1, 0, 1, 0.5, -0.5, -2, True)
    ],
    *[
        Row("pow", (A(lo=-3, hi=3), e), label=f"ints number {e}", dtypes=ALL, grad=False)
        for e in (0, 2, 3)
    ],
    Row("pow", (A(lo=1, hi=3), 1.5), label="ints to float", dtypes=ALL, grad=False,
        bad=((A(dtype="int64"), -1), {}, RuntimeError,
             "Integers to negative integer powers are not allowed")),
    *[
        Row("pow", (b, A()), label=f"base {b}", dtypes=NUMBERS, empty=(b, A((0, 4))))
        for b in (2, 2.5, 1, 0.3)
    ],
    Row("pow", (A(()), 2), label="0d"),
    Row("float_power", (A(lo=0.5), A()), dtypes=FLOATS, bad=_MISFIT),
    Row("float_power", (A(lo=1), 2), dtypes=ALL, grad=False, label="number"),
    Row("float_power", (2, A(lo=1)), dtypes=ALL, grad=False, label="base"),
    Row("square", (A(),), dtypes=ALL, bad=((2,), {}, TypeError, "pow")),
    *_pair("atan2", dtypes=FLOATING, lo=0.5),
    Row("atan2", (A(lo=1), A(lo=1)), dtypes=ALL, label="ints", grad=False),
    _numbers_refused("atan2"),
    *_pair("arctan2", lo=0.5),
    *_pair("hypot", lo=0.5),
    Row("hypot", (A(), A()), label="ints refused", grad=False,
        bad=((A(dtype="int32"), A(dtype="int32")), {}, NotImplementedError,
             "hypot_cpu\" not implemented for 'Int'")),
    *_pair("logaddexp"),
    *_pair("logaddexp2"),
    *_pair("xlogy", lo=0.5),
    Row("xlogy", (A(lo=0), A(lo=0)), dtypes=ALL, label="all", grad=False),
    Row("xlogy", (A(lo=0.5), 2.5), dtypes=NUMBERS, label="number"),
    Row("xlogy", (2, A(lo=0.5)), dtypes=FLOATING, label="number first"),
    *_pair("copysign", lo=0.5),
    Row("copysign", (A(), A()), dtypes=ALL, label="all", grad=False),
    Row("copysign", (A(lo=0.5), -2.0), dtypes=FLOATING, label="number"),
    Row("nextafter", (A(), A()), dtypes=(*FLOATS, "bfloat16"), grad=False, bad=_MISFIT),
    Row("heaviside", (A(), A((3, 1))), dtypes=ALL, grad=False,
        bad=((A(), A(dtype="int64")), {}, RuntimeError, "different dtypes")),
    Row("ldexp", (A(), A((3, 1))), dtypes=FLOATING, bad=_MISFIT),
    Row("ldexp", (A(), A((3, 1))), dtypes=ALL, label="all", grad=False),
    # PyTorch's gradient is 0 for negative integer exponents.
    Row("ldexp", (A(), A((3, 1), dtype="int32")), dtypes=ALL, label="int", grad=False),
    *[
        Row(name, (A(lo=-9, hi=9), A((3, 1), lo=-9, hi=9)), dtypes=ALL_INTS, grad=False,
            bad=((A(), A()), {}, NotImplementedError, f"{name}_cpu\" not implemented for 'Float'"))
        for name in ("gcd", "lcm")
    ],
    *_extremum("maximum"),
    *_extremum("minimum"),
    *_extremum("fmax"),
    *_extremum("fmin"),
    Row("clamp", (A(distinct=True), -0.52, 1.03), dtypes=FLOATING,
        bad=((A(),), {}, RuntimeError, "At least one of 'min' or 'max' must not be None")),
    Row("clamp", (A(distinct=True),), {"max": 0.53}, dtypes=NUMBERS, label="max",
        bad=((A(), A(), 1), {}, TypeError, "both be Tensor or both be Number")),
    Row("clamp", (A(lo=-5, hi=5), 1, 3), dtypes=ALL, label="ints", grad=False,
        bad=((A(dtype="uint8"), -300, 3), {}, RuntimeError, "without overflow")),
    Row("clamp", (A(distinct=True), 0.5, -0.5), label="crossed"),
    Row("clamp", (A(distinct=True), A((3, 1), -1.03, -0.52), A((4,), 0.52, 1.03)), label="tensors",
        dtypes=NUMBERS),
    Row("clamp", (A(distinct=True), A(distinct=True, lo=-1.9)), label="min tensor"),
    Row("clamp", (A(distinct=True),), {"max": A((), 0.01, 0.02)}, label="max tensor"),
    Row("clamp", (A(distinct=True), A(lo=0.5), A(lo=-2, hi=0.4)), label="crossed tensors"),
    Row("clip", (A(distinct=True), -0.52, 1.03), label="alias"),
    Row("clamp_min", (A(distinct=True), 0.53), dtypes=NUMBERS,
        bad=((A(), None), {}, TypeError, "must be Tensor or Number")),
    Row("clamp_max", (A(distinct=True), 0.53), dtypes=NUMBERS,
        bad=((A(), None), {}, TypeError, "must be Tensor or Number")),
    Row("clamp_max", (A(distinct=True), A((3, 1), 0.01, 0.02)), label="tensor"),
    Row("nan_to_num", (A(),), dtypes=ALL,
        bad=((A(), "a"), {}, TypeError, "'nan' must be float, not str")),
]  # fmt: skip
