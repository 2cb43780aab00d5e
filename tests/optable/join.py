"""Rows of `ops/join.py`."""

from .row import ALL, A, Row

_PAIR = [A((3, 4)), A((3, 4))]


def _row(name, args, kwargs=None, label="", **more):
    return Row(
        name, args, kwargs or {}, label=label, dtypes=ALL if not label else ("float64",), **more
    )


ROWS = [
    _row(
        "cat",
        ([A((3, 4)), A((2, 4)), A((1, 4))],),
        bad=(
            ([A((3, 4)), A((3, 3))],),
            {},
            RuntimeError,
            "Expected size 4 but got size 3 for tensor number 1",
        ),
    ),
    _row(
        "cat",
        ([A((3, 4)), A((3, 1))], -1),
        label="dim",
        bad=(([],), {}, ValueError, "non-empty list"),
    ),
    _row(
        "cat",
        ([A((3, 4)), A((0,)), A((3, 4))], 1),
        label="legacy",
        bad=(([A((3, 4)), A((3,))],), {}, RuntimeError, "same number of dimensions: got 2 and 1"),
    ),
    _row(
        "cat",
        ([A((3,)), A((2,), dtype="int32"), A((1,), dtype="float32", grad=False)],),
        label="types",
        bad=(([A(()), A(())],), {}, RuntimeError, r"zero-dimensional tensor \(at position 0\)"),
    ),
    _row("concat", (_PAIR, 1), label="alias"),
    _row("concatenate", (_PAIR,), label="alias"),
    _row(
        "stack",
        (_PAIR,),
        bad=(
            ([A((3,)), A((2,))],),
            {},
            RuntimeError,
            r"equal size, but got \[3\] at entry 0 and \[2\] at entry 1",
        ),
    ),
    _row("stack", (_PAIR, -1), label="last"),
    _row("stack", ([A(()), A(())],), label="0d"),
    *[
        _row(name, (_PAIR,), bad=(([],), {}, RuntimeError, "non-empty"))
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ],
    *[
        _row(name, ([A((3,)), A((3,))],), label="vectors")
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ],
    *[
        _row(name, ([A(()), A(())],), label="0d")
        for name in ("hstack", "vstack", "dstack", "column_stack")
    ],
    _row("row_stack", (_PAIR,), torch=lambda x: __import__("torch").vstack(x), label="alias"),
    _row(
        "block_diag",
        (A((2, 3)), A((1, 2)), A((2,)), A(())),
        bad=((A((2, 2, 2)),), {}, RuntimeError, "2 or fewer dimensions"),
    ),
    _row(
        "cartesian_prod",
        (A((3,)), A((2,)), A((1,))),
        bad=((A((2, 2)),), {}, RuntimeError, "Expect a 1D vector"),
    ),
]
