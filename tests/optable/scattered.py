"""Rows of `ops/scattered.py`."""

from .row import ALL, A, Row

ROWS = [
    Row("fill", (A(), 1), dtypes=ALL, bad=((A(), A((2,))), {}, RuntimeError, "0-dimension")),
    Row("fill", (A(), A(())), label="tensor"),
    Row("diagflat", (A((2, 3)), 1), dtypes=ALL, bad=((3,), {}, TypeError, "must be Tensor")),
    Row(
        "diagonal_scatter",
        (A((3, 4)), A((3,))),
        dtypes=ALL,
        bad=((A((3, 4)), A((4,))), {}, RuntimeError, "size equal to the slice"),
        empty=(A((0, 4)), A((0,))),
    ),
    Row("diagonal_scatter", (A((2, 3, 4)), A((3, 2)), -1, 2, 0), label="dims"),
    Row(
        "as_strided_scatter",
        (A((4, 4)), A((2, 2)), (2, 2), (5, 2), 1),
        grad=False,  # PyTorch's gradient is wrong: tests/test_scattered.py
        strided=False,
        empty=(A((4,)), A((0,)), (0,), (1,)),
        bad=((A((4,)), A((2,)), (3,), (1,)), {}, RuntimeError, "size equal to the slice"),
    ),
]
