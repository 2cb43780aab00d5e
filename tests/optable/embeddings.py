"""Rows of `ops/embeddings.py`."""

from .row import FLOATS, HALVES, A, Row, functional

_IDS = A((3, 2), dtype="int64", lo=0, hi=5)
_TABLE = A((5, 4))


def _row(args: tuple, kwargs: dict | None = None, **more) -> Row:
    return Row("embedding", args, kwargs or {}, torch=functional("embedding"), **more)


def _bag(args: tuple, label: str, **more) -> Row:
    empty = (A((0, 2), dtype="int64"), _TABLE)
    bad = ((_IDS, A((5,))), {}, ValueError, "weight has to be a 2D Tensor")
    return Row("embedding_bag", args, more, torch=functional("embedding_bag"), label=label,
               dtypes=(*FLOATS, *HALVES), empty=empty, bad=bad)  # fmt: skip


ROWS = [
    _bag((_IDS, _TABLE), "mean"),
    _bag((_IDS, _TABLE), "sum", mode="sum", padding_idx=1),
    _bag((A((4, 3), dtype="int64", lo=0, hi=5), A((5, 4), distinct=True)), "max", mode="max"),
    _bag((_IDS, _TABLE), "weighted", mode="sum", per_sample_weights=A((3, 2))),
    _row(
        (_IDS, _TABLE),
        dtypes=(*FLOATS, *HALVES),
        empty=(A((0, 2), dtype="int64"), _TABLE),
        bad=((A((2,), dtype="int64", lo=7, hi=9), _TABLE), {}, IndexError, "index out of range"),
    ),
    _row((A((), dtype="int32", lo=0, hi=5), _TABLE), label="0d"),
    _row((A((20,), dtype="int64", lo=0, hi=5), _TABLE), {"padding_idx": -2}, label="padding"),
    _row(
        (A((20,), dtype="int64", lo=0, hi=5), _TABLE),
        {"scale_grad_by_freq": True},
        label="frequency",
        grad=False,
    ),  # its gradient is no derivative: tests/test_functional_state.py
    _row((_IDS, _TABLE), dtypes=("int64", "bool"), grad=False, label="integers"),
    Row(
        "one_hot",
        (A((3, 2), dtype="int64", lo=0, hi=5), 6),
        grad=False,
        dtypes=("int64",),
        bad=((A((3,)),), {}, RuntimeError, "only applicable to index tensor"),
    ),
    Row(
        "one_hot", (A((4,), dtype="int64", lo=0, hi=5),), grad=False, dtypes=("int64",), label="-1"
    ),
]
