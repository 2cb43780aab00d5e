"""Rows of `ops/embeddings.py`."""

from .row import FLOATS, HALVES, A, Row, functional

_IDS = A((3, 2), dtype="int64", lo=0, hi=5)
_TABLE = A((5, 4))


def _row(args: tuple, kwargs: dict | None = None, **more) -> Row:
    return Row("embedding", args, kwargs or {}, torch=functional("embedding"), **more)


ROWS = [
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
