"""Rows of `ops/sets.py`: distinct values, counts, places in sorted sequences."""

from .reduce import NOT_TENSOR
from .row import ALL_INTS, FLOATS, HALVES, A, Row

TIES = A((4, 5), lo=0, hi=3, dtype="int64")
ROWS_OF = A((9, 2), lo=0, hi=2, dtype="int64")


def _sorted_pair(name: str, **more) -> Row:
    """searchsorted over a sequence that is sorted first."""
    import minigrad as mg

    def ours(sequence, values, **kwargs):
        return mg.ops.CATALOGUE[name](mg.ops.CATALOGUE["sort"](sequence)[0], values, **kwargs)

    def theirs(sequence, values, **kwargs):
        import torch

        return getattr(torch, name)(torch.sort(sequence)[0], values, **kwargs)

    return Row(name, **more, op=ours, torch=theirs, grad=False)


ROWS = [
    Row("unique", (TIES,), grad=False, bad=NOT_TENSOR),
    Row("unique", (A((20,), lo=0, hi=3),), dtypes=("bool", *ALL_INTS), grad=False, label="ints"),
    Row("unique", (TIES, True, True, True), grad=False, label="all"),
    Row("unique", (ROWS_OF,), {"dim": 0, "return_inverse": True, "return_counts": True},
        grad=False, label="dim"),
    Row("unique", (ROWS_OF,), {"dim": 1, "return_counts": True}, grad=False, label="dim1"),
    Row("unique", (A(),), dtypes=(*HALVES, *FLOATS), grad=False, label="floats"),
    Row("unique", (A(()),), grad=False, label="0d"),
    Row("unique_consecutive", (TIES, True, True), grad=False, bad=NOT_TENSOR),
    Row("unique_consecutive", (ROWS_OF,), {"dim": 0, "return_inverse": True}, grad=False,
        label="dim"),
    Row("histc", (A((5, 7)),), {"bins": 6, "min": -1.5, "max": 1.5}, grad=False,
        bad=((A(), 0), {}, RuntimeError, "bins must be > 0")),
    Row("histc", (A((5, 7)),), grad=False, label="plain"),
    Row("histc", (A((5, 7)), 7), grad=False, label="data"),
    Row("bincount", (A((9,), lo=0, hi=5),), dtypes=ALL_INTS, grad=False,
        bad=((A(),), {}, NotImplementedError, "not implemented for 'Float'")),
    Row("bincount", (A((9,), lo=0, hi=5, dtype="int64"), A((9,)), 8),
        dtypes=(*ALL_INTS, *HALVES, *FLOATS), grad=False, label="weights"),
    Row("searchsorted", (A((1,)), A((4, 3))), grad=False,
        bad=((A(()), A()), {}, RuntimeError, "positive dimension")),
    _sorted_pair("searchsorted", args=(A((9,)), A((4, 3))), label="1d",
                 dtypes=(*ALL_INTS, *HALVES, *FLOATS)),
    _sorted_pair("searchsorted", args=(A((4, 9)), A((4, 3))), label="rows"),
    _sorted_pair("searchsorted", args=(A((4, 9), lo=0, hi=5, dtype="int64"),
                 A((4, 3), lo=0, hi=5, dtype="int64")), kwargs={"right": True}, label="right"),
    Row("bucketize", (A((4, 3)), A((1,))), grad=False,
        bad=((A(), A()), {}, RuntimeError, "must be 1 dimension")),
    Row("bucketize", (A((4, 3)), A((1,))), {"right": True, "out_int32": True}, grad=False,
        label="int32"),
]  # fmt: skip
