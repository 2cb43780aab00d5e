"""Rows of `ops/dropouts.py`: what is not random; `tests/test_dropout.py` has the rest."""

from .row import ALL_INTS, FLOATS, HALVES, A, Row, functional

_BAD = ((A(), 1.5), {}, ValueError, "between 0 and 1, but got 1.5")
_TORCH = {"feature_dropout": "dropout2d"}

ROWS = [
    row
    for name in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
    for row in (
        Row(
            name,
            (A((2, 3, 4, 2)), 1.0, True),
            torch=functional(_TORCH.get(name, name)),
            dtypes=(*FLOATS, *HALVES, *ALL_INTS),
            label="all",
            bad=_BAD,
        ),
        Row(
            name,
            (A((2, 3, 4, 2)), 0.0, True),
            torch=functional(_TORCH.get(name, name)),
            label="none",
        ),
        Row(
            name,
            (A((2, 3, 4, 2)), 0.5, False),
            torch=functional(_TORCH.get(name, name)),
            label="eval",
        ),
    )
]
