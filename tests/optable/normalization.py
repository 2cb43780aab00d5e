"""Rows of `ops/normalization.py` and `ops/channel_norm.py`."""

from .row import FLOATS, HALVES, A, Row, functional

_NUMBERS = (*FLOATS, *HALVES)
_W, _B = A((4,), lo=0.5), A((4,))


def _row(name: str, args: tuple, kwargs: dict | None = None, **more) -> Row:
    return Row(name, args, kwargs or {}, torch=functional(name), **more)


_MEAN = A((4,), grad=False)
_VAR = A((4,), lo=0.5, grad=False)
_HALF = {"float16": 4e-3, "bfloat16": 4e-2}

ROWS = [
    _row(
        "layer_norm",
        (A((3, 4)), (4,), _W, _B),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((3, 4)), (3,)), {}, RuntimeError, r"expected input with shape \[\*, 3\]"),
    ),
    _row("layer_norm", (A((3, 4)), (4,)), label="plain"),
    _row("layer_norm", (A((2, 3, 4)), [3, 4], A((3, 4))), {"eps": 0.1}, label="two"),
    _row("layer_norm", (A((2, 3, 4)), (4,), None, _B), label="bias"),
    _row("layer_norm", (A((4,)), (4,), _W, _B), label="1d"),
    _row("layer_norm", (A((3, 1)), (1,)), label="one", second=False),
    _row("layer_norm", (A((0, 4)), (4,), _W, _B), label="no rows"),
    _row(
        "rms_norm",
        (A((3, 4)), (4,), _W),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((3, 4)), (3,)), {}, RuntimeError, "expected input with shape"),
    ),
    _row("rms_norm", (A((2, 3, 4)), (3, 4)), {"eps": 0.01}, label="two"),
    _row("rms_norm", (A((0, 4)), (4,), _W), label="no rows"),
    _row(
        "batch_norm",
        (A((3, 4)), None, None, _W, _B, True),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((1, 4)), None, None), {"training": True}, ValueError, "more than 1 value per"),
    ),
    _row("batch_norm", (A((2, 4, 3)), None, None, None, None, True), label="plain"),
    _row("batch_norm", (A((2, 4, 3, 2)), None, None, _W, _B, True, 0.1, 0.2), label="2d"),
    _row("batch_norm", (A((2, 4, 3, 2)), _MEAN, _VAR, _W, _B), label="eval"),
    _row(
        "batch_norm", (A((3, 4)), _MEAN, _VAR), label="eval plain", empty=(A((0, 4)), _MEAN, _VAR)
    ),
    _row("batch_norm", (A((0, 4, 3)), None, None, _W, _B, True), label="no batch"),
    _row(
        "instance_norm",
        (A((2, 4, 3)), None, None, _W, _B),
        empty=(A((0, 4, 3)),),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((3, 4)),), {}, ValueError, "more than 1 spatial element"),
    ),
    _row("instance_norm", (A((2, 3, 2, 3)),), label="plain"),
    _row(
        "instance_norm",
        (A((2, 4, 3)), _MEAN, _VAR, _W),
        {"use_input_stats": False},
        label="eval",
        empty=(A((0, 4, 3)), A((4,)), A((4,), lo=0.5)),
    ),
    _row(
        "group_norm",
        (A((2, 4, 3)), 2, _W, _B),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((2, 4, 3)), 3), {}, RuntimeError, "divisible by num_groups"),
    ),
    _row("group_norm", (A((3, 4)), 1), label="one group"),
    _row("group_norm", (A((2, 4, 2, 2)), 4, _W, _B), {"eps": 0.1}, label="groups of one"),
    _row("group_norm", (A((0, 4, 3)), 2, _W, _B), label="no batch"),
    _row(
        "normalize",
        (A((3, 4)),),
        dtypes=_NUMBERS,
        rtol=_HALF,
        bad=((A((3, 4)),), {"dim": 2}, IndexError, "Dimension out of range"),
    ),
    _row("normalize", (A((2, 3, 4)),), {"p": 1.0, "dim": -1}, label="p1"),
    _row("normalize", (A((2, 3)),), {"p": 3.0, "dim": 0}, label="p3"),
    _row("normalize", (A((2, 3, 4)),), {"dim": (0, -1)}, label="two dimensions"),
    _row(
        "local_response_norm",
        (A((2, 6, 3)), 3),
        {"alpha": 0.5},
        bad=((A((2, 3)), 3), {}, ValueError, "Expected 3D or higher"),
    ),
    _row("local_response_norm", (A((2, 5, 2, 3)), 4, 0.3, 0.5, 2.0), label="even"),
    _row(
        "local_response_norm",
        (A((2, 5, 3), lo=-9, hi=9), 3, 0.3),
        label="integers",
        dtypes=("int64",),
        grad=False,
    ),
]
