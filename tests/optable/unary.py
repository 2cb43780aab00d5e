"""Rows of the families of functions of one operand."""

from .row import ALL, ALL_INTS, FLOATS, HALVES, A, Row

FLOATING = (*FLOATS, *HALVES)
NUMBERS = (*FLOATING, *ALL_INTS)
_NUMBER = ((3,), {}, TypeError, "argument 'input' .position 1. must be Tensor, not int")


def _unary(name: str, lo=-2.0, hi=2.0, dtypes=ALL, **more) -> list[Row]:
    return [
        Row(name, (A(lo=lo, hi=hi),), dtypes=dtypes, bad=_NUMBER, **more),
        Row(name, (A((), lo, hi),), label="0d", **more),
        Row(name, (A((5, 3, 2), lo, hi),), label="3d", **more),
    ]


_TABLE = {
    "exp": {}, "exp2": {}, "expm1": {}, "log": {"lo": 0.2}, "log2": {"lo": 0.2},
    "log10": {"lo": 0.2}, "log1p": {"lo": -0.8}, "sqrt": {"lo": 0.2}, "rsqrt": {"lo": 0.2},
    "reciprocal": {"lo": 0.3},
    "sin": {}, "cos": {}, "tan": {"lo": -1.2, "hi": 1.2}, "asin": {"lo": -0.9, "hi": 0.9},
    "acos": {"lo": -0.9, "hi": 0.9}, "atan": {}, "sinh": {}, "cosh": {}, "tanh": {}, "asinh": {},
    "acosh": {"lo": 1.2, "hi": 3}, "atanh": {"lo": -0.9, "hi": 0.9}, "sinc": {"lo": 0.1},
    "deg2rad": {}, "rad2deg": {},
    "erf": {"lo": -4, "hi": 4}, "erfc": {"lo": -4, "hi": 6}, "erfinv": {"lo": -0.9, "hi": 0.9},
    "lgamma": {"lo": 0.2, "hi": 9},
    # PyTorch's trigamma, the gradient, has an error of 5e-10.
    "digamma": {"lo": 0.2, "hi": 9, "rtol": {"float64": 1e-8}},
    "sigmoid": {"lo": -9, "hi": 9}, "logit": {"lo": 0.1, "hi": 0.9},
}  # fmt: skip
_ALIASES = {
    "arcsin": (-0.9, 0.9), "arccos": (-0.9, 0.9), "arctan": (-2, 2), "arcsinh": (-2, 2),
    "arccosh": (1.2, 3), "arctanh": (-0.9, 0.9), "absolute": (-2, 2), "fix": (0.2, 0.8),
}  # fmt: skip

ROWS = [
    *[row for name, limits in _TABLE.items() for row in _unary(name, **limits)],
    *[Row(name, (A(lo=lo, hi=hi),), label="alias") for name, (lo, hi) in _ALIASES.items()],
    Row("expit", (A(),), label="alias", torch=lambda x: x.sigmoid()),
    *[Row("lgamma", (A(lo=n + 0.2, hi=n + 0.8),), label=f"{n}") for n in (-1, -2, -7, 12, 300)],
    *[Row("digamma", (A(lo=n + 0.2, hi=n + 0.8),), label=f"{n}") for n in (-1, -7, 12, 300)],
    Row("erfinv", (A(lo=0.99, hi=0.99999),), label="tail", grad=False),
    Row("logit", (A(lo=0.05, hi=0.95, distinct=True), 0.2), label="eps",
        bad=((A(), "a"), {}, TypeError, "'eps' must be float")),
    *[
        Row("polygamma", (n, A(lo=0.3, hi=12)), label=f"{n}", empty=(n, A((0, 4))), dtypes=FLOATS,
            rtol={"float32": 1e-4, "float64": 1e-8},
            bad=((-1, A()), {}, RuntimeError, "does not support negative n"))
        for n in (0, 1, 2, 5)
    ],
    Row("polygamma", (1, A(lo=-2.8, hi=-2.2)), label="negative", empty=(1, A((0, 4)))),
    Row("polygamma", (2, A(lo=-2.8, hi=-2.2)), label="2 negative", empty=(1, A((0, 4)))),
    Row("polygamma", (1, A(lo=1, hi=9)), label="ints", empty=(1, A((0, 4))), grad=False,
        dtypes=ALL_INTS),
    *_unary("abs", lo=0.2, dtypes=NUMBERS),
    Row("abs", (A(lo=-2, hi=-0.2),), label="negative", dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, NotImplementedError, "\"abs_cpu\" not implemented for")),
    *[row for name in ("sign", "sgn") for row in _unary(name, lo=0.2)],
    Row("sign", (A(lo=-2, hi=-0.2),), label="negative", dtypes=ALL),
    *[
        row
        for name in ("floor", "ceil", "trunc", "round")
        for row in (
            Row(name, (A(lo=-1.4, hi=-1.1),), dtypes=NUMBERS, bad=_NUMBER),
            Row(name, (A((), 1.6, 1.9),), label="0d",
                bad=((A(dtype="bool"),), {}, NotImplementedError, "_vml_cpu\" not implemented")),
            Row(name, (A((4, 5), -9, 9),), label="wide", grad=False, dtypes=NUMBERS),
        )
    ],
    Row("round", (A(lo=1.231, hi=1.234),), {"decimals": 2}, label="decimals", dtypes=FLOATS,
        bad=((A(),), {"decimals": 1.5}, TypeError, "'decimals' must be int, not float")),
    Row("round", (A(lo=131, hi=134),), {"decimals": -1}, label="-decimals", dtypes=FLOATS,
        bad=((A(dtype="int64"),), {"decimals": 1}, NotImplementedError, "round_cpu")),
    Row("angle", (A(),), dtypes=("int64", *FLOATING),
        bad=((3,), {}, TypeError, "must be Tensor")),
    Row("frac", (A(lo=-1.8, hi=-1.2),), dtypes=FLOATING,
        bad=((A(dtype="int64"),), {}, NotImplementedError, "\"frac_cpu\" not implemented")),
]  # fmt: skip
