"""Rows of `ops/class_losses.py`."""

from .loss import _losses, _row
from .row import A

_T = A((3,), dtype="int64", lo=0, hi=4)
_W = A((4,), lo=0.1, grad=False)
_BAD = (
    (A((3, 4)), A((2,), dtype="int64", lo=0, hi=4)),
    {},
    ValueError,
    "to match target batch_size",
)
_SOFT = A((3, 4), lo=0.1, hi=1)

ROWS = [
    *_losses("cross_entropy", (A((3, 4)), _T), _BAD),
    *[
        _row(
            "cross_entropy",
            (A((6, 4)), A((6,), dtype="int64", lo=0, hi=4), _W),
            {"ignore_index": 1, "reduction": r, "label_smoothing": 0.2},
            label=f"all {r}",
        )
        for r in ("none", "mean", "sum")
    ],
    _row(
        "cross_entropy",
        (A((6, 4)), A((6,), dtype="int64", lo=0, hi=4)),
        {"ignore_index": 2, "label_smoothing": 0.3},
        label="smooth",
    ),
    _row("cross_entropy", (A((4,)), A((), dtype="int64", lo=0, hi=4)), label="1d"),
    _row(
        "cross_entropy",
        (A((2, 4, 3)), A((2, 3), dtype="int64", lo=0, hi=4), _W),
        {"reduction": "none"},
        label="3d",
    ),
    _row(
        "cross_entropy",
        (A((2, 4, 3, 2)), A((2, 3, 2), dtype="int64", lo=0, hi=4), _W),
        {"ignore_index": 0},
        label="4d",
    ),
    _row(
        "cross_entropy",
        (A((2, 3, 2, 2, 2)), A((2, 2, 2, 2), dtype="int64", lo=0, hi=3)),
        {"reduction": "sum"},
        label="5d",
    ),
    _row("cross_entropy", (A((3, 1)), A((3,), dtype="int64", lo=0, hi=1)), label="one class"),
    _row("cross_entropy", (A((3, 4)), A((3,), dtype="uint8", lo=0, hi=4)), label="bytes"),
    _row("cross_entropy", (A((3, 4), lo=-500, hi=500), _T), label="large", second=False),
    *[
        _row(
            "cross_entropy",
            (A((3, 4)), _SOFT, _W),
            {"reduction": r, "label_smoothing": 0.1},
            label=f"soft {r}",
        )
        for r in ("none", "mean", "sum")
    ],
    _row("cross_entropy", (A((2, 4, 3)), A((2, 4, 3), lo=0.1, hi=1)), label="soft 3d"),
    _row("cross_entropy", (A((4,)), A((4,), lo=0.1, hi=1)), label="soft 1d"),
    *_losses("nll_loss", (A((3, 4)), _T), _BAD),
    *[
        _row(
            "nll_loss",
            (A((6, 4)), A((6,), dtype="int64", lo=0, hi=4), _W),
            {"ignore_index": 1, "reduction": r},
            label=f"all {r}",
        )
        for r in ("none", "mean", "sum")
    ],
    _row("nll_loss", (A((4,)), A((), dtype="int64", lo=0, hi=4)), label="1d"),
    _row("nll_loss", (A((2, 4, 3, 2)), A((2, 3, 2), dtype="int64", lo=0, hi=4), _W), label="4d"),
]
