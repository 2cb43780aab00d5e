"""Rows of `ops/index.py`, `scattering.py`, `reduce_at.py` and `masked.py`."""

from dataclasses import dataclass

import numpy as np

from .row import ALL, A, Row

_M = A((3, 4, 5))
_N = A((4, 3))


@dataclass(frozen=True)
class I(A):  # noqa: E742
    """Given integers or booleans."""

    values: tuple = ()
    grad: bool = False

    def make(self, rng, dtype):
        return np.array(self.values, self.dtype)


def ints(*values, dtype="int64"):
    return I(np.shape(values), dtype=dtype, values=values)


def scalar(value, dtype="int64"):
    return I((), dtype=dtype, values=value)


def _row(name, args, kwargs=None, label="", **more):
    more.setdefault("dtypes", ALL if not label else ("float64",))
    return Row(name, args, kwargs or {}, label=label, **more)


_MASK = A((3, 4), dtype="bool")
_NUMBERS = tuple(d for d in ALL if d != "bool")
_G = ints((0, 2, 1), (3, 3, 0))
_BAD_G = ints((0, 9, 1), (3, 3, 0))
_SRC = A((4, 3))


def _reduce(how, **more):
    return [
        _row(
            "scatter_reduce",
            (_N, 0, _G, _SRC, how),
            label=how,
            dtypes=("float64", "float32", "int64", "bfloat16"),
            **more,
        ),
        _row(
            "scatter_reduce",
            (_N, 0, _G, _SRC, how),
            {"include_self": False},
            label=f"{how}-alone",
            **more,
        ),
        _row(
            "scatter_reduce",
            (A((5,)), -1, ints(1, 1, 4, 1), A((4,)), how),
            label=f"{how}-1d",
            **more,
        ),
    ]


ROWS = [
    _row(
        "index_put",
        (_N, (ints(0, 2),), A((2, 3))),
        bad=(
            (_N, (ints(0, 9),), A((2, 3))),
            {},
            IndexError,
            "index 9 is out of bounds for dimension 0 with size 4",
        ),
    ),
    _row("index_put", (_N, (ints(0, 2, 0), ints(1, 0, 1)), A((3,)), True), label="add"),
    _row(
        "index_put",
        (_N, (None, ints(1, 1)), A((4, 2)), True),
        label="none",
        torch=lambda x, i, v, a: x.index_put((__import__("torch").arange(4)[:, None], i[1]), v, a),
    ),
    _row(
        "index_put",
        (_N, (ints(0, 2),), A(())),
        label="number",
        bad=(
            (_N, (ints(0, 1),), A((2, 4))),
            {},
            RuntimeError,
            r"value tensor of shape \[2, 4\] cannot be broadcast",
        ),
    ),
    _row(
        "gather",
        (_N, 0, _G),
        bad=(
            (_N, 0, _BAD_G),
            {},
            RuntimeError,
            "index 9 is out of bounds for dimension 0 with size 4",
        ),
    ),
    _row(
        "gather",
        (_M, 2, ints(((0, 4, 4, 0, 0, 2),))),
        label="dim2",
        bad=((_N, 0, ints(1)), {}, RuntimeError, "same number of dimensions"),
    ),
    _row("gather", (A(()), 0, ints(0, 0)), label="0d"),
    _row("gather", (_N, 0, A((2, 0), dtype="int64")), label="empty-index", strided=False),
    _row(
        "scatter",
        (_N, 0, ints((0, 2, 1), (3, 3, 0)), _SRC),
        bad=((_N, 0, _BAD_G, _SRC), {}, RuntimeError, "index 9 is out of bounds"),
        grad=False,
    ),
    _row("scatter", (_N, 0, _G, A((2, 3))), label="same"),
    _row("scatter", (_N, 1, ints((0, 2), (1, 0)), 3.0), label="number"),
    _row("scatter", (_N, 0, _G, A((2, 3))), {"reduce": "add"}, label="add", grad=False),
    _row("scatter", (_N, 0, _G, A((2, 3))), {"reduce": "multiply"}, label="multiply", grad=False),
    _row(
        "scatter_add",
        (_N, 0, ints((0, 2, 1), (0, 2, 0)), A((2, 3))),
        bad=((_N, 0, _BAD_G, _SRC), {}, RuntimeError, "index 9 is out of bounds"),
    ),
    _row(
        "scatter_add",
        (_M, 1, A((2, 7, 4), dtype="int64", lo=0, hi=4), A((2, 7, 4))),
        label="3d",
        bad=((_N, 0, _G, 3), {}, TypeError, "must be Tensor"),
    ),
    _row("scatter_add", (A(()), 0, scalar(0), A(())), label="0d"),
    _row(
        "scatter_reduce",
        (_N, 0, _G, _SRC, "sum"),
        dtypes=_NUMBERS,
        grad=False,
        bad=((_N, 0, _G, _SRC, "min"), {}, RuntimeError, "must be either sum, prod"),
    ),
    *[row for how in ("sum", "prod", "mean", "amax", "amin") for row in _reduce(how, grad=False)],
    *[
        _row(
            "scatter_reduce", (_N, 0, _G, A((2, 3)), how), kwargs, label=f"{how}-grad{len(kwargs)}"
        )
        for how in ("sum", "prod", "mean", "amax", "amin")
        for kwargs in ({}, {"include_self": False})
    ],
    _row(
        "index_select",
        (_M, 1, ints(0, 3, 3)),
        bad=((_M, 1, ints(4)), {}, IndexError, "out of bounds|out of range"),
    ),
    _row(
        "index_select",
        (_M, -1, scalar(2)),
        label="0d-index",
        bad=((_M, 1, ints((0, 1))), {}, IndexError, "vector"),
    ),
    _row("index_select", (A(()), 0, ints(0)), label="0d"),
    _row(
        "index_add",
        (_N, 0, ints(0, 2, 0), A((3, 3))),
        bad=((_N, 0, ints(0, 9), A((2, 3))), {}, (IndexError, RuntimeError), "out of bounds"),
    ),
    _row(
        "index_add",
        (_N, 1, ints(0, 2), A((4, 2))),
        {"alpha": 2},
        label="alpha",
        bad=((_N, 0, ints(0, 1), A((3, 3))), {}, RuntimeError, "needed"),
    ),
    _row(
        "index_copy",
        (_N, 0, ints(0, 2), A((2, 3))),
        bad=((_N, 0, ints(0, 9), A((2, 3))), {}, (IndexError, RuntimeError), "out of bounds"),
    ),
    _row("index_copy", (_N, 1, ints(0, 2), A((4, 2))), label="dim"),
    _row(
        "index_fill",
        (_N, 0, ints(0, 2), 1),
        bad=((_N, 0, ints(0, 9), 1.0), {}, IndexError, "out of bounds"),
    ),
    _row("index_fill", (_N, 1, ints(0, 2), A(())), label="tensor"),
    _row(
        "take", (_M, ints((0, 7), (59, -1))), bad=((_M, ints(60)), {}, IndexError, "out of range")
    ),
    _row(
        "put",
        (_N, ints(0, 7, 2), A((3,))),
        torch=lambda x, *a: x.put(*a),
        bad=((_N, ints(60), A((1,))), {}, IndexError, "out of range"),
    ),
    _row(
        "put",
        (_N, ints((0, 7), (0, 0)), A((2, 2)), True),
        torch=lambda x, *a: x.put(*a),
        label="add",
    ),
    _row(
        "take_along_dim",
        (_N, ints((0, 2, 1), (3, 3, 0)), 0),
        bad=((_N, ints(0), 0), {}, RuntimeError, "same number of dimensions"),
    ),
    _row("take_along_dim", (_N, ints((1,), (2,), (0,), (0,)), 1), label="broadcast"),
    _row("take_along_dim", (_N, ints((1, 2, 2)), 0), label="row"),
    _row("take_along_dim", (_N, ints((1, 11), (0, 0))), label="flat"),
    _row("take_along_dim", (A((4, 1)), ints((1, 0, 3)), 0), label="input"),
    _row("repeat_interleave", (_N, 2), bad=((_N, -1), {}, RuntimeError, "negative")),
    _row("repeat_interleave", (_N, 3, 1), label="dim"),
    _row(
        "repeat_interleave",
        (_N, ints(1, 0, 3, 2)),
        {"dim": 0},
        label="each",
        empty=(A((0, 3)), A((0,), dtype="int64")),
    ),
    _row("repeat_interleave", (ints(1, 0, 3),), label="places", grad=False),
    _row(
        "masked_fill",
        (A(), _MASK, 1),
        bad=((A(), A(), 1.0), {}, RuntimeError, "BoolTensor|boolean"),
    ),
    _row(
        "masked_fill",
        (A(), A((3, 1), dtype="bool"), A(())),
        label="tensor",
        bad=((A((3,)), A((4,), dtype="bool"), 1.0), {}, RuntimeError, "must match the size"),
    ),
    _row("masked_fill", (A((4,)), _MASK, 2.0), label="broadcast"),
    _row("masked_select", (A(), _MASK), bad=((A(), A()), {}, RuntimeError, "BoolTensor|boolean")),
    _row("masked_select", (A(), A((3, 1), dtype="bool")), label="broadcast"),
    _row("masked_select", (A((3, 1)), A((4,), dtype="bool")), label="both"),
    _row("masked_select", (A(()), scalar(True, "bool")), label="0d"),
    _row(
        "masked_scatter",
        (A(), _MASK, A((5, 4))),
        bad=((A(), _MASK, A((1,))), {}, RuntimeError, "Number of elements of source"),
    ),
    _row("masked_scatter", (A(), A((4,), dtype="bool"), A((13,))), label="broadcast"),
    _row(
        "nonzero",
        (A((3, 4), lo=-1, hi=2),),
        grad=False,
        bad=((3,), {}, TypeError, "must be Tensor"),
    ),
    _row("nonzero", (A((3, 4), dtype="bool"),), {"as_tuple": True}, label="tuple", grad=False),
    _row("nonzero", (A(()),), label="0d", grad=False),
    _row(
        "argwhere",
        (A((3, 4), lo=-1, hi=2),),
        grad=False,
        bad=((3,), {}, TypeError, "must be Tensor"),
    ),
    _row("combinations", (A((4,)),), bad=((A(),), {}, RuntimeError, "Expect a 1D vector")),
    _row("combinations", (A((4,)), 3, True), label="replacement"),
    _row("where", (A((3, 4), dtype="bool"),), label="places", grad=False),
]
