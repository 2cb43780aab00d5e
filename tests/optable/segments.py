"""Rows of `ops/segments.py`."""

from .row import ALL, FLOATS, A, Row

X, INDEX, SOURCE = A((3, 4)), A((2,), 0, 3, dtype="int64"), A((2, 4))
_SIZES = {"lengths": A((1,), 4, 5, dtype="int64")}

ROWS = [
    Row(
        "index_reduce",
        (X, 0, INDEX, SOURCE, "prod"),
        dtypes=tuple(d for d in ALL if d not in ("bool", "float16", "bfloat16")),
        bad=((X, 0, INDEX, SOURCE, "sum"), {}, RuntimeError, "prod, mean, amax or amin"),
        empty=(A((3, 0)), 0, INDEX, A((2, 0)), "prod"),
    ),
    *[
        Row(
            "index_reduce",
            (A((4, 3), distinct=True), 1, INDEX, A((4, 2), distinct=True), how),
            {"include_self": included},
            label=f"{how} {included}",
        )
        for how in ("mean", "amax", "amin", "prod")
        for included in (True, False)
    ],
    Row(
        "segment_reduce",
        (A((4, 3)), "sum"),
        _SIZES,
        dtypes=FLOATS,
        bad=((A((4, 3)), "sum"), {}, RuntimeError, "lengths or offsets"),
        empty=(),
    ),
    *[
        Row("segment_reduce", (A((4, 3), distinct=True), how), {**_SIZES, **more}, label=label,
            empty=())
        for how in ("mean", "prod", "max", "min")
        for label, more in ((how, {}), (f"{how} initial", {"initial": 0.5}))
    ],
]  # fmt: skip
