"""Rows of `ops/distance.py`."""

from .row import FLOATS, HALVES, A, Row

_HALF = {"float16": 4e-3, "bfloat16": 4e-2}
_SHAPES = ((A((3, 4)), A((3, 3))), {}, RuntimeError, "must match the size")

ROWS = [
    Row("cosine_similarity", (A(), A()), dtypes=(*FLOATS, *HALVES), rtol=_HALF, bad=_SHAPES),
    Row("cosine_similarity", (A((2, 3, 4)), A((3, 1))), {"dim": -2}, label="broadcast"),
    Row("cosine_similarity", (A(), A(dtype="int64", lo=1)), label="integers"),
    Row("cosine_similarity", (A(()), A(())), {"dim": 0}, label="0d"),
    Row("pairwise_distance", (A(), A()), dtypes=(*FLOATS, *HALVES), rtol=_HALF, bad=_SHAPES),
    Row("pairwise_distance", (A(), A((4,))), {"p": 1.0, "keepdim": True}, label="p1"),
    Row("pairwise_distance", (A((4,)), A((4,))), {"p": 3.0}, label="1d"),
]
