"""Rows of `ops/softmaxes.py`."""

from .row import FLOATS, HALVES, A, Row

_NUMBERS = (*FLOATS, *HALVES)
_BAD_DIM = ((A((3, 4)), 2), {}, IndexError, "Dimension out of range")


def _family(name: str, **more) -> list[Row]:
    return [
        Row(name, (A((3, 4)), 1), dtypes=_NUMBERS, bad=_BAD_DIM, **more),
        Row(name, (A((3, 4)), 0), label="first", **more),
        Row(name, (A((2, 3, 4, 2)), -2), label="middle", **more),
        Row(name, (A((5,), lo=-100, hi=100), -1), label="large", second=False, **more),
        Row(name, (A((3, 1)), 1), label="one", **more),
        Row(name, (A(()), 0), label="0d", **more),
        Row(name, (A((2, 0, 3)), 1), label="empty", **more),
    ]


ROWS = [
    *_family("softmax"),
    *_family("log_softmax"),
    *_family("softmin"),
]
