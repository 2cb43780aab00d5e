"""Rows of `ops/ctc.py` and `ops/multilabel.py`."""

from typing import Any

from minigrad import ops

from .row import A, Row, functional

_LENGTHS = ((6, 5), (3, 2))
_LABELS = A((2, 3), dtype="int64", lo=1, hi=4)


def _ours(x: Any, *args: Any, **kwargs: Any) -> Any:
    return ops.ctc_loss(ops.log_softmax(x, 2), *args, **kwargs)


def _theirs(x: Any, *args: Any, **kwargs: Any) -> Any:
    import torch.nn.functional as F

    return F.ctc_loss(x.log_softmax(2), *args, **kwargs)


def _ctc(label: str, labels: A = _LABELS, **more: Any) -> Row:
    """The gradient is one of scores under a log_softmax, so the rows start there."""
    x = A((6, 2, 4))
    bad = ((x, labels, (7, 5), (3, 2)), {}, RuntimeError, "input_lengths to have value at most 6")
    empty = (A((6, 0, 4)), A((0, 3), dtype="int64"), (), ())
    return Row("ctc_loss", (x, labels, *_LENGTHS), more, torch=_theirs, op=_ours, label=label,
               second=False, empty=empty if more.get("reduction") == "none" else None,
               bad=bad)  # fmt: skip


_BAD_LENGTHS = ((A((6, 2, 4)), _LABELS, (7, 5), (3, 2)), {}, RuntimeError, "value at most 6")
_TARGETS = A((3, 5), dtype="int64", lo=-1, hi=5)
_BAD = ((A((3, 5)), A((3, 4), dtype="int64", lo=0, hi=4)), {}, RuntimeError, "target size")
ROWS = [
    _ctc("mean"),
    Row("ctc_loss", (A((6, 2, 4), -3, -0.1), _LABELS, *_LENGTHS), label="values", grad=False,
        torch=functional("ctc_loss"),
        empty=(A((6, 2, 4)), A((2, 0), dtype="int64"), (6, 5), (0, 0)), bad=_BAD_LENGTHS),
    _ctc("none", reduction="none"),
    _ctc("joined", A((5,), dtype="int64", lo=1, hi=4), reduction="sum", zero_infinity=True),
    Row("multilabel_margin_loss", (A((3, 5)), _TARGETS), {"reduction": "none"}, bad=_BAD),
    # PyTorch's sums and means of nothing are what stands in memory: no empty input there.
    *[
        Row("multilabel_margin_loss", (A((3, 5)), _TARGETS), {"reduction": r}, label=r, bad=_BAD,
            empty=(A((1, 5)), A((1, 5), dtype="int64", lo=-1, hi=0)))
        for r in ("mean", "sum")
    ],
]  # fmt: skip
