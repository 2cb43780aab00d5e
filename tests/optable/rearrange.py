"""Rows of `ops/rearrange.py`."""

from .row import ALL, A, Row

_M = A((2, 3, 4))


def _row(name, args, kwargs=None, label="", **more):
    return Row(
        name, args, kwargs or {}, label=label, dtypes=ALL if not label else ("float64",), **more
    )


ROWS = [
    _row("clone", (A(),), bad=((3,), {}, TypeError, "must be Tensor")),
    _row(
        "contiguous",
        (A(),),
        torch=lambda x: x.contiguous(),
        bad=((3,), {}, TypeError, "must be Tensor"),
    ),
    _row(
        "flip", (_M, (0, 2)), bad=((_M, (0, 0)), {}, RuntimeError, "dim 0 appears multiple times")
    ),
    _row(
        "flip",
        (_M, (-1,)),
        label="last",
        bad=((_M, (3,)), {}, IndexError, "Dimension out of range"),
    ),
    _row("fliplr", (A(),), bad=((A((3,)),), {}, RuntimeError, "must be >= 2-d")),
    _row("flipud", (A(),), bad=((A(()),), {}, RuntimeError, "must be >= 1-d")),
    _row(
        "rot90", (A(),), bad=((A(), 1, (0, 0)), {}, RuntimeError, "rotation dims to be different")
    ),
    *[_row("rot90", (_M, k, (0, 2)), label=f"{k}") for k in (-1, 0, 2, 3)],
    _row("roll", (_M, 1), bad=((_M, (1, 2), (0,)), {}, RuntimeError, "must align")),
    _row("roll", (_M, (1, -5), (0, 2)), label="dims"),
    _row("roll", (_M, 2, 1), label="dim"),
    _row(
        "repeat", (A((3, 1)), (2, 1, 3)), bad=((A(), (2,)), {}, RuntimeError, "can not be smaller")
    ),
    _row("repeat", (A(()), (2,)), label="0d"),
    _row("repeat", (A((3,)), (0, 2)), label="zero"),
    _row("tile", (_M, (2, 3)), bad=((A(), (-2,)), {}, RuntimeError, "negative")),
    _row("tril", (_M,), bad=((A((3,)),), {}, RuntimeError, "at least 2 dimensions")),
    _row("tril", (A(), 1), label="above"),
    _row("triu", (_M,), bad=((A((3,)),), {}, RuntimeError, "at least 2 dimensions")),
    _row("triu", (A(), -1), label="below"),
    _row("diag", (A((3,)),), bad=((_M,), {}, RuntimeError, "Got 3D")),
    _row("diag", (A((3,)), -1), label="below"),
    _row("diag", (A((3, 4)), 1), label="of"),
    _row("diag_embed", (A((2, 3)),), bad=((A(), 0, 1, 1), {}, RuntimeError, "cannot be identical")),
    _row("diag_embed", (A((2, 3)), -1, 2, 0), label="dims"),
    _row(
        "select_scatter",
        (_M, A((2, 4)), 1, -1),
        bad=((_M, A((2, 3)), 1, 0), {}, RuntimeError, "size equal to the slice"),
    ),
    _row(
        "slice_scatter",
        (_M, A((2, 3, 2)), 2, 0, 4, 2),
        bad=((_M, A((2, 3)), 1, 0), {}, RuntimeError, "size equal to the slice"),
    ),
]
