"""Rows of `ops/histograms.py`."""

from .row import FLOATS, A, Row

X = A((20,))

ROWS = [
    Row(
        "histogram",
        (X, 5),
        dtypes=FLOATS,
        grad=False,
        bad=((X, 0), {}, RuntimeError, "bins must be > 0"),
        empty=(A((0,)), 3),
    ),
    Row("histogram", (X, 4), {"range": (-1.0, 1.0), "density": True}, label="range", grad=False),
    Row("histogram", (X, 4), {"weight": A((20,))}, label="weight", grad=False),
    Row("histogram", (A((2, 10)), A((5,), distinct=True)), label="edges", grad=False),
    Row(
        "histogramdd",
        (A((20, 2)), [3, 4]),
        grad=False,
        bad=((A((3, 2)), [1]), {}, RuntimeError, "innermost dimension"),
        empty=(A((0, 2)), [2, 2]),
    ),
    Row("histogramdd", (A((4, 5, 2)), 3), {"weight": A((4, 5))}, label="weight", grad=False),
    Row(
        "histogramdd",
        (A((20, 2)), [3, 4]),
        {"range": [-1.0, 1.0, 0.0, 1.5], "density": True},
        label="range",
        grad=False,
    ),
]
