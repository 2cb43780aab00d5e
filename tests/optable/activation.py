"""Rows of `ops/activation.py` and `ops/rectifiers.py`. Inputs stay away from the kinks."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row

FLOATING = (*FLOATS, *HALVES)
NUMBERS = (*FLOATING, *ALL_INTS)


def _refuses(kernel: str) -> tuple:
    return ((A(dtype="int32"),), {}, NotImplementedError, f"{kernel}\" not implemented for 'Int'")


def _smooth(name: str, *args, kernel: str, label: str = "", **kwargs) -> list[Row]:
    bad = _refuses(kernel)
    # PyTorch's gradient of these two has constants of float32's precision in float64 too.
    more: dict = {"rtol": {"float64": 1e-7}} if name in ("celu", "hardsigmoid") else {}
    label = label and label + " "
    inputs = {
        "0d": A((), 0.3, 0.4),
        "wide": A((2, 3, 7), -5, 5, distinct=True),
        "large": A((2, 3), 40, 90, distinct=True),
        "small": A((2, 3), -90, -40, distinct=True),
    }
    main = (A(distinct=True), *args)
    return [
        Row(name, main, kwargs, dtypes=FLOATING, bad=bad, label=label + "2d", **more),
        *[Row(name, (a, *args), kwargs, label=label + k, **more) for k, a in inputs.items()],
    ]


ROWS = [
    Row("relu", (A(distinct=True),), dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, RuntimeError, "Boolean inputs not supported for relu")),
    Row("relu", (A(()),), label="0d"),
    Row("relu6", (A((4, 6), -9, 9, distinct=True),), dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, RuntimeError, "Bool inputs not supported for hardtanh")),
    Row("hardtanh", (A((4, 6), distinct=True),), dtypes=("int8", "int64", *FLOATING),
        bad=((A(), 1, -1), {}, ValueError, "min_val cannot be greater than max_val")),
    Row("hardtanh", (A((4, 6), distinct=True), -0.47, 1.58), label="limits",
        bad=((A(dtype="uint8"),), {}, RuntimeError, "unsigned type with negative limits")),
    *_smooth("leaky_relu", kernel="leaky_relu_cpu"),
    *_smooth("leaky_relu", 0.3, kernel="leaky_relu_cpu", label="slope"),
    *_smooth("elu", kernel="elu_cpu"),
    *_smooth("elu", 0.7, kernel="elu_cpu", label="alpha"),
    *_smooth("celu", 0.7, kernel="elu_cpu"),
    *_smooth("selu", kernel="elu_cpu"),
    *_smooth("gelu", kernel="GeluKernelImpl"),
    *_smooth("gelu", approximate="tanh", kernel="GeluKernelImpl", label="tanh"),
    *_smooth("silu", kernel="silu_cpu"),
    *_smooth("mish", kernel="mish_cpu"),
    *_smooth("softplus", kernel="softplus_cpu"),
    *_smooth("softplus", 2.0, 1.97, kernel="softplus_cpu", label="beta"),
    *_smooth("logsigmoid", kernel="log_sigmoid_cpu"),
    *_smooth("hardswish", kernel="hardswish_cpu"),
    *_smooth("hardsigmoid", kernel="hardsigmoid_cpu"),
    *_smooth("softshrink", 0.53, kernel="softshrink_check"),
    *_smooth("hardshrink", 0.53, kernel="hardshrink_cpu"),
    *_smooth("rrelu", kernel="leaky_relu_cpu"),
    Row("softshrink", (A(distinct=True),), label="lambda", grad=False,
        bad=((A(), -1), {}, RuntimeError, r"lambda must be in range \[0, 3.40282e\+38\]")),
    Row("gelu", (A(),), label="approximate",
        bad=((A(),), {"approximate": "x"}, RuntimeError, "must be either none or tanh")),
    Row("celu", (A(),), label="alpha 0",
        bad=((A(), 0), {}, RuntimeError, "ZeroDivisionError: alpha cannot be 0 for CELU")),
    Row("softsign", (A(distinct=True),), dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, NotImplementedError, "\"abs_cpu\" not implemented")),
    Row("tanhshrink", (A(lo=0.4),), dtypes=NUMBERS,
        bad=((A(dtype="bool"),), {}, RuntimeError, "with a bool tensor is not supported")),
    Row("threshold", (A(distinct=True), 0.53, 2.5), dtypes=NUMBERS,
        bad=((A(), "a", 1), {}, TypeError, "'threshold' .position 2. must be Number")),
    Row("prelu", (A((2, 3, 4), distinct=True), A((3,), 0.1, 0.9)), dtypes=FLOATING,
        empty=(A((0, 3, 4)), A((3,))),
        bad=((A((2, 3)), A((2,))), {}, RuntimeError, "Mismatch of parameter numbers")),
    Row("prelu", (A((6,), distinct=True), A((1,), 0.1, 0.9)), label="one weight",
        empty=(A((0,)), A((1,))),
        bad=((A((2, 3)), A((1, 3))), {}, RuntimeError, "to be a scalar or 1D tensor")),
    Row("prelu", (A((), -2, -1), A((), 0.1, 0.9)), label="0d"),
    Row("glu", (A((3, 4)),), dtypes=FLOATING,
        bad=((A((3,)),), {}, RuntimeError, "Halving dimension must be even, but dimension 0")),
    Row("glu", (A((2, 4, 3)), 1), label="dim", empty=(A((2, 0, 3)), 1),
        bad=((A((4,)), 3), {}, IndexError, "Dimension out of range")),
]  # fmt: skip
