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
    Row(
        "dist",
        (A(), A((4,))),
        bad=((A(dtype="int64"), A(dtype="int64")), {}, RuntimeError, "float"),
    ),
    Row("dist", (A(), A(), 3), label="p3"),
    Row("cdist", (A((3, 4)), A((2, 4))), bad=((A((4,)), A()), {}, RuntimeError, "at least 2D")),
    Row("cdist", (A((2, 1, 3, 4)), A((3, 2, 4)), 1.0), label="p1"),
    Row("cdist", (A((3, 4)), A((2, 4)), 3.0), label="p3"),
    Row("cdist", (A((3, 4)), A((2, 4)), 1.5), label="p1.5"),
    Row("cdist", (A((3, 4)), A((2, 4)), float("inf")), label="inf"),
    Row("cdist", (A((3, 4)), A((2, 4)), 2.0, "use_mm_for_euclid_dist"), label="product"),
    Row("pdist", (A((5, 3)),), bad=((A((3,)),), {}, RuntimeError, "2D tensors")),
    Row("pdist", (A((5, 3)), 1.5), label="p1.5"),
]
